//! Who uses how many cores, by the kernel's accounting.

use std::fs;
use std::time::Instant;

use crate::Outcome;
use crate::child::Server;

/// Ticks of the kernel's CPU accounting in a second (`USER_HZ`).
const TICKS: f64 = 100.0;

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

impl Server<'_> {
    /// Begins to watch who uses the cores.
    pub fn watch(&self) -> Outcome<Watch<'_>> {
        Ok(Watch {
            server: self,
            since: Instant::now(),
            before: ticks(self)?,
        })
    }
}

impl Watch<'_> {
    /// Who used how many cores since the beginning.
    pub fn end(self) -> Outcome<Cores> {
        let after = ticks(self.server)?;
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

/// CPU time so far: of the server's nodes, of ourselves, of what the nodes stand on, and of the whole
/// machine.
fn ticks(server: &Server<'_>) -> Outcome<[f64; 4]> {
    let machine = fs::read_to_string("/proc/stat")?;
    let fields = machine.lines().next().unwrap_or_default();
    let fields: Vec<f64> = fields.split_whitespace().flat_map(str::parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy = [0, 1, 2, 5, 6, 7].map(|at| fields.get(at).copied().unwrap_or(0.0));
    let nodes = server.processes().map(|id| of(&id));
    Ok([
        nodes.sum::<Outcome<_>>()?,
        of("self")?,
        // One that ends just now had little to do.
        server
            .ground()
            .processes()?
            .flat_map(|process| of(&process))
            .sum(),
        busy.iter().sum(),
    ])
}

/// Seconds of CPU time of the thread that asks.
pub fn of_this_thread() -> Outcome<f64> {
    Ok(of("thread-self")? / TICKS)
}

fn of(process: &str) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let times = fields.split_whitespace().skip(11).take(2);
    Ok(times.flat_map(str::parse::<f64>).sum())
}
