//! A server in a process of its own, and what the kernel says of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::ground::{Database, Ground, On};
use crate::{Outcome, null};

/// Ticks of the kernel's CPU accounting in a second (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The release binary, with a fresh database.
    Yanshu,
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
    nodes: Vec<Node>,
    ground: &'a Ground,
    _database: Database<'a>,
}

/// A process, killed when dropped.
struct Node {
    child: Child,
    /// Where it listens.
    address: SocketAddr,
}

impl<'a> Server<'a> {
    /// Starts one and waits until it listens.
    pub fn start(Setup { kind, on, ground }: Setup<'a>) -> Outcome<Self> {
        let database = match kind {
            Kind::Yanshu => ground.database(on)?,
            Kind::NoStore => Database::file()?,
        };
        let nodes = (0..on.nodes()).map(|_| {
            let mut command = command(kind)?;
            command.args(["serve", "--listen", "127.0.0.1:0", "--database-url"]);
            command.arg(&database.url);
            if let Some(bus) = ground.bus(on) {
                command.args(["--nats-url", &bus]);
            }
            Node::start(command)
        });
        Ok(Self {
            nodes: nodes.collect::<Outcome<_>>()?,
            ground,
            _database: database,
        })
    }

    /// Where a node listens, counted from 0 and round again.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node % self.nodes.len()].address
    }
}

fn command(kind: Kind) -> Outcome<Command> {
    Ok(match kind {
        Kind::Yanshu => Command::new(env!("CARGO_BIN_EXE_yanshu")),
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
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
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

    fn resident(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.split_whitespace().next());
        Ok(kib.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }

    fn ticks(&self) -> Outcome<f64> {
        process_ticks(&self.child.id().to_string())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // What is left of it is gone with its database.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server<'_> {
    /// The memory of all its nodes in RAM, in bytes.
    pub fn resident(&self) -> Outcome<f64> {
        self.nodes.iter().map(Node::resident).sum()
    }

    /// Begins to watch who uses the cores.
    pub fn watch(&self) -> Outcome<Watch<'_>> {
        Ok(Watch {
            server: self,
            since: Instant::now(),
            before: self.ticks()?,
        })
    }

    /// CPU time so far: of the server's nodes, of ourselves, of what the nodes stand on, and of the
    /// whole machine.
    fn ticks(&self) -> Outcome<[f64; 4]> {
        let machine = fs::read_to_string("/proc/stat")?;
        let fields = machine.lines().next().unwrap_or_default();
        let fields: Vec<f64> = fields.split_whitespace().flat_map(str::parse).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let busy = [0, 1, 2, 5, 6, 7].map(|at| fields.get(at).copied().unwrap_or(0.0));
        Ok([
            self.nodes.iter().map(Node::ticks).sum::<Outcome<_>>()?,
            process_ticks("self")?,
            // One that ends just now had little to do.
            self.ground
                .processes()?
                .flat_map(|process| process_ticks(&process))
                .sum(),
            busy.iter().sum(),
        ])
    }
}

fn process_ticks(process: &str) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let times = fields.split_whitespace().skip(11).take(2);
    Ok(times.flat_map(str::parse::<f64>).sum())
}

/// Who used how many cores.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    pub server: f64,
    pub client: f64,
    /// PostgreSQL and nats-server.
    pub ground: f64,
    /// Everything else on the machine.
    pub others: f64,
}

/// See [`Server::watch`].
pub struct Watch<'a> {
    server: &'a Server<'a>,
    since: Instant,
    before: [f64; 4],
}

impl Watch<'_> {
    /// Who used how many cores since the beginning.
    pub fn end(self) -> Outcome<Cores> {
        let after = self.server.ticks()?;
        let seconds = self.since.elapsed().as_secs_f64();
        let cores = |at: usize| (after[at] - self.before[at]) / TICKS / seconds;
        Ok(Cores {
            server: cores(0),
            client: cores(1),
            ground: cores(2),
            others: (cores(3) - cores(2) - cores(1) - cores(0)).max(0.0),
        })
    }
}
