//! A server in a process of its own, and what the kernel says of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::{Outcome, null, scratch};

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

/// A server that listens; killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _database: TempDir,
}

impl Server {
    /// Starts one and waits until it listens.
    pub fn start(kind: Kind) -> Outcome<Self> {
        let database = scratch()?;
        let mut command = match kind {
            Kind::Yanshu => Command::new(env!("CARGO_BIN_EXE_yanshu")),
            Kind::NoStore => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(null::ARGUMENT);
                command
            }
        };
        let path = database.path().join("yanshu.db");
        let child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--database-url"])
            .arg(format!("sqlite://{}", path.display()))
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            _database: database,
        };
        let stdout = server.child.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (_, address) = line
            .trim()
            .split_once("http://")
            .ok_or("the server did not start")?;
        server.address = address.parse()?;
        Ok(server)
    }

    /// Its memory in RAM, in bytes.
    pub fn resident(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.split_whitespace().next());
        Ok(kib.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }

    /// Begins to watch who uses the cores.
    pub fn watch(&self) -> Outcome<Watch<'_>> {
        Ok(Watch {
            server: self,
            since: Instant::now(),
            before: self.ticks()?,
        })
    }

    /// CPU time so far: the server's, ours, and of the whole machine.
    fn ticks(&self) -> Outcome<[f64; 3]> {
        let machine = fs::read_to_string("/proc/stat")?;
        let fields = machine.lines().next().unwrap_or_default();
        let fields: Vec<f64> = fields.split_whitespace().flat_map(str::parse).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let busy = [0, 1, 2, 5, 6, 7].map(|at| fields.get(at).copied().unwrap_or(0.0));
        Ok([
            process_ticks(&self.child.id().to_string())?,
            process_ticks("self")?,
            busy.iter().sum(),
        ])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is left of it is gone with its directory.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
    /// Everything else on the machine.
    pub others: f64,
}

/// See [`Server::watch`].
pub struct Watch<'a> {
    server: &'a Server,
    since: Instant,
    before: [f64; 3],
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
            others: (cores(2) - cores(0) - cores(1)).max(0.0),
        })
    }
}
