//! What each action costs the server: instructions in user space, counted by valgrind's callgrind.
//!
//! Unlike seconds they are nearly the same on every run, whatever else the machine does, so that a change of a
//! per cent is seen. What the kernel does for the server (sockets, files) is not in them. One server runs on a
//! fresh SQLite file; for each action the counters are dumped before and after so many of it. Of messages there
//! are three sorts: one at a time, which is all that a commit costs for one message; a hundred at a
//! time by ten pairs, ten each; and those with a receipt for each.
//!
//! ```text
//! cargo bench --bench instructions          some two minutes; needs valgrind
//! YANSHU_BENCH_COUNT=1000                   actions of each sort (2000)
//! YANSHU_BENCH_SERVER=…                     another server's binary
//! ```
//!
//! The figures go to stdout as Markdown. The profiles are in `target/bench/callgrind.*`, one for each
//! action, for `callgrind_annotate`. Without `--bench` (under `cargo test --benches`) nothing runs.

// Other measurements use more of them.
#[allow(dead_code)]
#[path = "../load/door.rs"]
mod door;
#[allow(dead_code)]
#[path = "../load/socket.rs"]
mod socket;
mod work;

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use tempfile::TempDir;

use door::Door;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The text of every message: a hundred bytes, what people write.
const TEXT: &str = "The wild geese come back in the third month, and each of them has \
                    a letter tied to its foot, or so";

/// A server under valgrind; killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    profiles: PathBuf,
    dumps: usize,
    _directory: TempDir,
}

impl Server {
    async fn start() -> Outcome<Self> {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let profiles = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
        fs::create_dir_all(&profiles)?;
        let address = free_address()?;
        let binary = env::var("YANSHU_BENCH_SERVER");
        let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_yanshu").into());
        let child = Command::new("valgrind")
            .args(["--tool=callgrind", "--fair-sched=yes", "--quiet"])
            .arg(format!(
                "--callgrind-out-file={}",
                profiles.join("callgrind").display()
            ))
            .arg(binary)
            .args([
                "serve",
                "--listen",
                &address.to_string(),
                "--workers",
                "1",
                "--database-url",
            ])
            .arg(format!("sqlite://{}/yanshu.db", directory.path().display()))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("valgrind: {error}"))?;
        let server = Self {
            child,
            address,
            profiles,
            dumps: 0,
            _directory: directory,
        };
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(server)
    }

    /// Instructions since the last call. The profile keeps `name`.
    fn count(&mut self, name: &str) -> Outcome<f64> {
        let control = Command::new("callgrind_control")
            .args(["--dump", &self.child.id().to_string()])
            .stdout(Stdio::null())
            .status()?;
        if !control.success() {
            return Err("callgrind_control cannot reach the server".into());
        }
        self.dumps += 1;
        let dump = self.profiles.join(format!("callgrind.{}", self.dumps));
        let text = fs::read_to_string(&dump)?;
        let line = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("totals: "));
        let total = line.ok_or("the profile has no total")?.parse()?;
        fs::rename(dump, self.profiles.join(format!("callgrind.{name}")))?;
        Ok(total)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is left of it is gone with its database.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on: valgrind's server cannot say which one it chose in time.
fn free_address() -> Outcome<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn main() -> Outcome<()> {
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let count = env::var("YANSHU_BENCH_COUNT").map_or(Ok(2000), |count| count.parse())?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure(count))
}

async fn measure(count: usize) -> Outcome<()> {
    let mut server = Server::start().await?;
    println!("| action | instructions each |\n| --- | ---: |");
    let mut work = work::Work::prepare(Door::new(vec![server.address]), count).await?;
    for action in work::Action::ALL {
        work.perform(action, count / 10).await?; // what is loaded or compiled once is no action's
        server.count("between")?;
        let performed = work.perform(action, count).await?;
        let total = server.count(action.name())?;
        println!("| {} | {:.0} |", action.name(), total / performed as f64);
    }
    Ok(())
}
