//! What polite users notice of a flood: the time to acknowledgement and delivery of what ten of them write,
//! in calm and during each flood, beside the server's memory and descriptors.
//!
//! Limits are on, as they are with tokens. The server is a process of its own, and so is whoever floods,
//! at the lowest priority: that it shares the processor with the server is not what is measured, as far as
//! that can be had; what the flood costs the server itself is in the columns of its cores. The ten
//! users are on one thread of this process; each writes at a steady pace, to themselves, and is counted from
//! the moment at which they meant to write. Floods are those of `tests/support/flood.rs`, one after another, each on the
//! same server; a flood's ratio is its p99 over that of the calm just before it.
//!
//! ```text
//! cargo bench --bench flood                 some four minutes
//! YANSHU_BENCH_SECONDS=2                    seconds for each measurement (5)
//! YANSHU_BENCH_REPEAT=1                     rounds, of which the median counts (3)
//! YANSHU_BENCH_CONNECTIONS=1000             connections that stand still (5000)
//! TMPDIR=/dev/shm                           the database there: no disk, whose syncs may have a longer tail
//! YANSHU_BENCH_FLOODS=user,half-open        which floods (user, address, half-open, silent, uploads); two hundred
//!                                           uploads of 10 MiB take a minute: give them YANSHU_BENCH_SECONDS=70
//! ```
//!
//! The figures go to stdout as Markdown. Without `--bench` (under `cargo test --benches`) everything runs for
//! a moment.

// A measurement that cannot be made ends in a panic that says why.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use yanshu::protocol::UserId;

use support::flood::{Flood, POLITE, connect_from};
use support::{Server, frames};

/// The argument that makes this process flood; kind, port and connections follow.
const ATTACK: &str = "--attack";
const SECRET: &str = "a secret of thirty-two bytes or more";
const USERS: usize = 10;
/// Between two messages of a user: well within the limit on frames, requests for IDs included.
const PACE: Duration = Duration::from_millis(50);
/// How long a flood may take to rise before it is measured.
const RISE: Duration = Duration::from_secs(2);
/// How long the server may take to forget a flood.
const FALL: Duration = Duration::from_secs(30);

/// What to measure, and for how long.
struct Plan {
    seconds: f64,
    repeat: usize,
    connections: usize,
    floods: Vec<&'static str>,
}

impl Plan {
    fn from_env() -> Plan {
        let full = std::env::args().any(|argument| argument == "--bench");
        let number = |name: &str, long: f64, short: f64| match std::env::var(name) {
            Ok(text) => text.parse().expect("a number"),
            Err(_) if full => long,
            Err(_) => short,
        };
        let wanted = std::env::var("YANSHU_BENCH_FLOODS").ok();
        let is_wanted = |name: &&str| {
            let wanted = wanted.as_deref();
            wanted.is_none_or(|wanted| wanted.split(',').any(|one| one == *name))
        };
        let names = Flood::ALL.iter().map(|(name, _)| *name);
        Plan {
            floods: names.filter(is_wanted).collect(),
            seconds: number("YANSHU_BENCH_SECONDS", 5.0, 0.5),
            repeat: number("YANSHU_BENCH_REPEAT", 3.0, 1.0) as usize,
            connections: number("YANSHU_BENCH_CONNECTIONS", 5_000.0, 100.0) as usize,
        }
    }
}

fn token(user: &str) -> String {
    let user = UserId::parse(user).expect("a user ID");
    yanshu::auth::mint(SECRET, &user, Duration::from_secs(3600), None, None).expect("it is signed")
}

type Socket = WebSocketStream<TcpStream>;

/// One of the ten.
struct Polite {
    name: String,
    to: SplitSink<Socket, Message>,
    from: SplitStream<Socket>,
    ids: Vec<String>,
}

impl Polite {
    async fn connect(server: &Server, number: usize) -> Polite {
        let name = format!("polite-{}", number % USERS);
        let mut request = server.ws_url().into_client_request().expect("a URL");
        let bearer = format!("Bearer {}", token(&name));
        let bearer = bearer.parse().expect("a header");
        request.headers_mut().insert("Authorization", bearer);
        let stream = connect_from(POLITE, server.port()).await.expect("TCP");
        let (socket, _) = client_async(request, stream).await.expect("an upgrade");
        let (to, from) = socket.split();
        let ids = Vec::new();
        let mut polite = Polite {
            name,
            to,
            from,
            ids,
        };
        let connect = frames::connect(&polite.name);
        polite.send(connect).await;
        polite.next().await;
        polite
    }

    async fn send(&mut self, frame: Value) {
        let message = Message::text(frame.to_string());
        self.to.send(message).await.expect("it is sent");
    }

    async fn next(&mut self) -> Value {
        loop {
            match self.from.next().await.expect("a frame").expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(close) => panic!("{} is closed: {close:?}", self.name),
                _ => {}
            }
        }
    }

    /// Writes at its pace for so long, and counts microseconds until each message is both acknowledged
    /// and delivered to itself, who is the recipient too: both go the way of any message.
    async fn write(&mut self, seconds: f64) -> Histogram<u64> {
        let mut times = Histogram::new(3).expect("a histogram");
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let mut due = Instant::now();
        while due < end {
            if self.ids.is_empty() {
                self.send(frames::get_ids(&self.name)).await;
                self.ids = frames::split_ids(&self.next().await);
            }
            let id = self.ids.pop().expect("ten IDs");
            tokio::time::sleep_until(due.into()).await;
            self.send(frames::message(&self.name, &self.name, &id, "polite"))
                .await;
            for _ in ["the message", "its acknowledgement"] {
                let frame = self.next().await;
                assert_eq!(frame["chatMsg"]["id"], id.as_str(), "{frame}");
            }
            let taken = due.elapsed().as_micros();
            times
                .record(u64::try_from(taken).unwrap().max(1))
                .expect("it fits");
            // Who is late writes at once, and is counted from when it should have.
            due += PACE;
        }
        times
    }
}

/// Median and p99 in milliseconds, and the processors that the server used meanwhile.
async fn all_write(users: &mut [Polite], seconds: f64, pid: u32) -> [f64; 3] {
    let (begun, before) = (Instant::now(), processor_seconds(pid));
    let each = join_all(users.iter_mut().map(|polite| polite.write(seconds))).await;
    let mut all = Histogram::<u64>::new(3).expect("a histogram");
    for times in each {
        all.add(times).expect("the same range");
    }
    let ms = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
    let cores = (processor_seconds(pid) - before) / begun.elapsed().as_secs_f64();
    [ms(0.5), ms(0.99), cores]
}

fn processor_seconds(pid: u32) -> f64 {
    /// Ticks of the kernel's accounting in a second (`USER_HZ`).
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let times = fields.split_whitespace().skip(11).take(2);
    times.flat_map(str::parse::<f64>).sum::<f64>() / TICKS
}

/// Whoever floods, in a process of its own; ended when dropped.
struct Attack(Child);

impl Attack {
    fn start(kind: &str, port: u16, connections: usize) -> Attack {
        let mut command = Command::new("nice");
        command
            .args(["-n", "19"])
            .arg(std::env::current_exe().unwrap());
        command.args([ATTACK, kind, &port.to_string(), &connections.to_string()]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Attack(child.spawn().expect("nice can be run"))
    }

    /// Ends it; returns how many frames or connections a second there were.
    fn end(mut self) -> f64 {
        drop(self.0.stdin.take());
        let stdout = self.0.stdout.take().expect("it is piped");
        let mut line = String::new();
        std::io::BufReader::new(stdout)
            .read_line(&mut line)
            .unwrap();
        line.trim().parse().expect("a number")
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This process floods until its standard input ends.
fn attack(arguments: &[String]) {
    let kind = Flood::ALL.iter().find(|(name, _)| *name == arguments[0]);
    let (_, flood) = kind.expect("a kind of flood");
    let port = arguments[1].parse().expect("a port");
    let connections = arguments[2].parse().expect("a number");
    let begun = Instant::now();
    let done = AtomicU64::new(0);
    runtime().block_on(async {
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        tokio::select! {
            _ = ended => {}
            () = flood.run(port, token, connections, &done) => {}
        }
    });
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    println!("{rate:.0}");
    std::io::stdout().flush().unwrap();
    std::process::exit(0);
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// Figures of one flood in one round; see [`HEAD`].
#[derive(Clone, Copy)]
struct Sample([f64; 14]);

const HEAD: [&str; 15] = [
    "flood",
    "calm p50 ms",
    "calm p99 ms",
    "flood p50 ms",
    "flood p99 ms",
    "p99 ratio",
    "server's cores, calm",
    "flood",
    "RSS MiB before",
    "peak",
    "after",
    "descriptors before",
    "peak",
    "after",
    "frames, connections or files sent/s",
];

/// MiB in RAM, and descriptors, of a process.
fn footprint(pid: u32) -> [f64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it is there");
    let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.split_whitespace().next());
    let kib: f64 = kib.expect("VmRSS").parse().expect("a number");
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it is there");
    [kib / 1024.0, open.count() as f64]
}

/// Follows the footprint of a process, in a thread, until it is asked for the most there was.
struct Peak {
    end: mpsc::Sender<()>,
    thread: JoinHandle<[f64; 2]>,
}

impl Peak {
    fn of(pid: u32) -> Peak {
        let (end, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut most = footprint(pid);
            while ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                let now = footprint(pid);
                most = [most[0].max(now[0]), most[1].max(now[1])];
            }
            most
        });
        Peak { end, thread }
    }

    fn end(self) -> [f64; 2] {
        drop(self.end);
        self.thread.join().expect("it does not panic")
    }
}

async fn measure(plan: &Plan, server: &Server, users: &mut [Polite], kind: &str) -> Sample {
    let pid = server.node(0).pid();
    let before = footprint(pid);
    let calm = all_write(users, plan.seconds, pid).await;
    let peak = Peak::of(pid);
    let attack = Attack::start(kind, server.port(), plan.connections);
    all_write(users, RISE.as_secs_f64().min(plan.seconds), pid).await;
    let flooded = all_write(users, plan.seconds, pid).await;
    let peak = peak.end();
    let rate = attack.end();
    let fallen = Instant::now() + FALL;
    while footprint(pid)[1] > before[1] && Instant::now() < fallen {
        // They go on meanwhile, as they would.
        all_write(users, 0.1, pid).await;
    }
    let after = footprint(pid);
    let ratio = flooded[1] / calm[1];
    Sample([
        calm[0], calm[1], flooded[0], flooded[1], ratio, calm[2], flooded[2], before[0], peak[0],
        after[0], before[1], peak[1], after[1], rate,
    ])
}

/// One round: all floods, one after another, on a server of its own.
fn round(plan: &Plan) -> Vec<Sample> {
    let server = Server::with(&[
        &format!("--jwt-secret={SECRET}"),
        // Whoever uploads without an end is not to meet its own.
        "--file-quota=1000000000000",
        "--file-grace=2s",
    ]);
    runtime().block_on(async {
        let mut users = join_all((0..USERS).map(|number| Polite::connect(&server, number))).await;
        all_write(&mut users, plan.seconds.min(1.0), server.node(0).pid()).await;
        let mut samples = Vec::new();
        for kind in &plan.floods {
            samples.push(measure(plan, &server, &mut users, kind).await);
        }
        samples
    })
}

fn median(rounds: &[Vec<Sample>], flood: usize, figure: usize) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(|round| round[flood].0[figure]).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    (values[low] + values[high]) / 2.0
}

fn row(cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    println!("| {} |", cells.join(" | "));
}

fn main() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be asked for");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == ATTACK) {
        attack(&arguments[1..]);
        return;
    }
    let plan = Plan::from_env();
    let rounds: Vec<_> = (0..plan.repeat).map(|_| round(&plan)).collect();
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let (repeat, seconds, connections) = (plan.repeat, plan.seconds, plan.connections);
    println!(
        "Medians of {repeat} rounds of {seconds} s each, a {build} build, {USERS} users who write every \
         {PACE:?}, {connections} connections where they stand still. The time is to acknowledgement and \
         delivery.\n"
    );
    row(HEAD.map(str::to_owned));
    row(HEAD.map(|_| "---:".to_owned()));
    for (at, kind) in plan.floods.iter().enumerate() {
        let figures = (0..14).map(|figure| {
            let digits = if figure < 7 { 2 } else { 0 };
            format!("{:.digits$}", median(&rounds, at, figure))
        });
        row(std::iter::once((*kind).to_owned()).chain(figures));
    }
}
