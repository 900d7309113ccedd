//! A server in a process of its own, which can be killed and started again; or one that is there already.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use crate::database::Database;
use crate::door::Door;
use crate::ground::{Ground, On};
use crate::plan::Binaries;
use crate::{Outcome, null};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The release binary, with a fresh database.
    Yanshu,
    /// The one that it is compared with.
    Base,
    /// The same without a store: see [`null`].
    NoStore,
}

/// What to start.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    pub kind: Kind,
    pub on: On,
    pub ground: &'a Ground,
}

/// A server whose nodes listen; killed when dropped.
pub struct Server<'a> {
    setup: Setup<'a>,
    url: String,
    nodes: Vec<Node>,
    /// The way in, where it is not one of ours.
    outside: Option<Door>,
    _database: Option<Database<'a>>,
}

/// A process, killed when dropped.
struct Node {
    child: Child,
    /// Where it listens.
    address: SocketAddr,
}

impl<'a> Server<'a> {
    /// Starts one on a fresh database and waits until it listens.
    pub fn start(setup: Setup<'a>) -> Outcome<Self> {
        if setup.on == On::Outside {
            let outside = setup.ground.outside.as_ref().map(Door::for_others);
            return Ok(Self {
                setup,
                url: String::new(),
                nodes: Vec::new(),
                outside,
                _database: None,
            });
        }
        let database = match setup.kind {
            Kind::Yanshu | Kind::Base => setup.ground.database(setup.on)?,
            Kind::NoStore => Database::file()?,
        };
        let mut server = Self::start_on(setup, &database)?;
        server._database = Some(database);
        Ok(server)
    }

    /// Starts one on this database, which outlives it.
    pub fn start_on(setup: Setup<'a>, database: &Database<'_>) -> Outcome<Self> {
        let mut server = Self {
            setup,
            url: database.url.clone(),
            nodes: Vec::new(),
            outside: None,
            _database: None,
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        for _ in 0..setup.on.nodes() {
            server.nodes.push(server.node(any)?);
        }
        Ok(server)
    }

    /// Kills all nodes at once.
    pub fn kill(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
    }

    /// Starts the nodes again, where they were.
    pub fn start_again(&mut self) -> Outcome<()> {
        self.kill();
        for number in 0..self.nodes.len() {
            self.nodes[number] = self.node(self.nodes[number].address)?;
        }
        Ok(())
    }

    fn node(&self, address: SocketAddr) -> Outcome<Node> {
        let Setup { kind, on, ground } = self.setup;
        let mut command = command(kind, ground)?;
        command.args(["serve", "--listen", &address.to_string(), "--database-url"]);
        command.arg(&self.url);
        if let Some(bus) = ground.bus(on) {
            command.args(["--nats-url", &bus]);
        }
        Node::start(command)
    }

    /// The way in.
    pub fn door(&self) -> Door {
        let addresses = self.nodes.iter().map(|node| node.address);
        let ours = || Door::new(addresses.collect());
        self.outside.clone().unwrap_or_else(ours)
    }

    /// What it stands on.
    pub fn ground(&self) -> &Ground {
        self.setup.ground
    }

    /// The processes of its nodes, by their IDs.
    pub fn processes(&self) -> impl Iterator<Item = String> {
        self.nodes.iter().map(|node| node.child.id().to_string())
    }

    /// The descriptors that the busiest of its nodes has open; not a number where they are not ours.
    pub fn descriptors(&self) -> Outcome<f64> {
        let counts = self.processes().map(|id| {
            let open = fs::read_dir(format!("/proc/{id}/fd"))?;
            Outcome::Ok(open.count() as f64)
        });
        let counts = counts.collect::<Outcome<Vec<f64>>>()?;
        Ok(counts.into_iter().fold(f64::NAN, f64::max))
    }

    /// The memory of all its nodes in RAM, in bytes; not a number where they are not ours.
    pub fn resident(&self) -> Outcome<f64> {
        if self.nodes.is_empty() {
            return Ok(f64::NAN);
        }
        self.processes().map(|id| resident(&id)).sum()
    }
}

fn command(kind: Kind, ground: &Ground) -> Outcome<Command> {
    let Binaries { present, base } = &ground.binaries;
    Ok(match kind {
        Kind::Yanshu => Command::new(present),
        Kind::Base => Command::new(base.as_ref().ok_or("YANSHU_BENCH_BASE names no server")?),
        Kind::NoStore => {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(null::ARGUMENT);
            command
        }
    })
}

impl Node {
    fn start(mut command: Command) -> Outcome<Self> {
        let child = command.env("RUST_LOG", "error").stdout(Stdio::piped());
        let mut node = Self {
            child: child.spawn()?,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        let stdout = node.child.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (_, address) = line
            .trim()
            .split_once("http://")
            .ok_or("the server did not start")?;
        node.address = address.parse()?;
        Ok(node)
    }

    fn kill(&mut self) {
        // What is left of it is gone with its database.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn resident(process: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next());
    Ok(kib.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
}
