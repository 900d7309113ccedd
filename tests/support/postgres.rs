//! A PostgreSQL of the tests' own, from the installed binaries.
//!
//! It listens on 127.0.0.1 alone, trusts everybody, and compares text by the rules of a language, so that a
//! statement that relies on the order of bytes must say so.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::command::signal;
use super::database::Database;
use super::leash::{Account, Leash, end};
use super::ports::free_port;

/// How long it may take to start, with all that is to be recovered, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many ports are tried before it is given up to start it.
const PORTS: usize = 20;

/// Whether a commit outlives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It does: every commit is synced.
    Synced,
    /// It does not, and takes less time.
    Fast,
}

/// A running PostgreSQL. It is killed, and its directory removed, when this is dropped or the test's
/// process ends.
pub struct Postgres {
    leash: Leash,
    durability: Durability,
    port: u16,
    /// The process that started all others; `None` while it is down.
    postmaster: Mutex<Option<Child>>,
    databases: AtomicU32,
    /// Databases that were lent and given back, with all that is still in them.
    idle: Mutex<Vec<Database>>,
}

/// A database on loan.
pub struct Lent {
    lender: &'static Postgres,
    database: Database,
}

/// Empties a database. The server that used it was killed, but PostgreSQL may not have noticed yet.
const EMPTY: &str = "
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public;";

impl Postgres {
    /// One for all tests of this process that need no more than a database. Not durable.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Postgres::with(Durability::Fast))
    }

    /// One for a test that kills it: what is committed is synced.
    pub fn start() -> Postgres {
        Postgres::with(Durability::Synced)
    }

    /// One of this durability.
    pub fn with(durability: Durability) -> Postgres {
        Postgres::on(Leash::new(account()), durability)
    }

    /// One whose commits are synced, with its files in this place, or under TMPDIR where the account
    /// that it runs as cannot write there.
    pub fn within(place: &Path) -> Postgres {
        let account = account();
        let leash = if Leash::fits(place, account) {
            Leash::within(place, account)
        } else {
            Leash::new(account)
        };
        Postgres::on(leash, Durability::Synced)
    }

    /// Whether it is installed.
    pub fn is_installed() -> bool {
        installed().is_some()
    }

    fn on(leash: Leash, durability: Durability) -> Postgres {
        make_cluster(&leash);
        for _ in 0..PORTS {
            let port = free_port();
            if let Some(postmaster) = launch(&leash, durability, port) {
                return Postgres {
                    leash,
                    durability,
                    port,
                    postmaster: Mutex::new(Some(postmaster)),
                    databases: AtomicU32::new(0),
                    idle: Mutex::default(),
                };
            }
        }
        panic!("{PORTS} ports in a row were taken when PostgreSQL wanted to listen on them");
    }

    /// The port, which stays the same for good.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The database of this name.
    pub fn database(&self, name: &str) -> Database {
        Database::Postgres(url(self.port, name))
    }

    /// A new, empty database.
    pub fn new_database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.execute(&format!("CREATE DATABASE {name}"));
        self.database(&name)
    }

    /// An empty database for as long as it is kept. It costs less than a new one, since another test may
    /// have had it before.
    pub fn lend_database(&'static self) -> Lent {
        let idle = self.idle.lock().expect("no other call panicked").pop();
        let database = match idle {
            None => self.new_database(),
            Some(used) => {
                used.execute(EMPTY);
                used
            }
        };
        Lent {
            lender: self,
            database,
        }
    }

    /// Runs a statement in a database that no server uses.
    pub fn execute(&self, sql: &str) {
        self.database("postgres").execute(sql);
    }

    /// The rows of a query for one column, asked in a database that no server uses.
    pub fn query(&self, sql: &str) -> Vec<String> {
        self.database("postgres").query(sql)
    }

    /// Kills all its processes at once, without any warning. Nothing of it is left but its files.
    pub fn kill9(&self) {
        let mut postmaster = self.postmaster.lock().expect("no other call panicked");
        // First the one that would start others in the place of those that are killed.
        end(&mut postmaster);
        self.leash.kill();
    }

    /// Stops it in order: whoever is connected is thrown out.
    pub fn stop(&self) {
        let mut postmaster = self.postmaster.lock().expect("no other call panicked");
        if let Some(mut process) = postmaster.take() {
            signal(process.id(), "INT");
            wait_for_end(&mut process);
        }
    }

    /// Starts it again on the same files and the same port, and waits until it has recovered. Stops it
    /// first if it is running.
    pub fn restart(&self) {
        self.stop();
        let deadline = Instant::now() + PATIENCE;
        let process = loop {
            if let Some(process) = launch(&self.leash, self.durability, self.port) {
                break process;
            }
            assert!(Instant::now() < deadline, "the port {} is lost", self.port);
            thread::sleep(Duration::from_millis(50));
        };
        *self.postmaster.lock().expect("no other call panicked") = Some(process);
    }

    /// Stops all its processes in their tracks: connections stay, and nothing is answered.
    pub fn pause(&self) {
        self.leash.pause();
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.leash.resume();
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.leash.directory()
    }

    /// What it has logged since it was last started.
    pub fn log(&self) -> String {
        self.leash.log()
    }
}

impl Lent {
    /// The database itself.
    pub fn database(&self) -> &Database {
        &self.database
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Ok(mut idle) = self.lender.idle.lock() {
            idle.push(self.database.clone());
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if thread::panicking() {
            // The harness shows this beside the failure.
            eprintln!("--- PostgreSQL's log\n{}---", self.log());
        }
        if let Ok(mut postmaster) = self.postmaster.lock() {
            end(&mut postmaster);
        }
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

/// As root, PostgreSQL refuses to run: it then runs as the user `postgres`.
fn account() -> Option<Account> {
    let ours = fs::metadata("/proc/self").expect("this is Linux").uid();
    (ours == 0).then(|| Account::new(id("-u"), id("-g")))
}

fn id(which: &str) -> u32 {
    let output = Command::new("id").args([which, "postgres"]).output();
    let output = output.expect("id can be run");
    let id = String::from_utf8_lossy(&output.stdout).trim().parse();
    id.unwrap_or_else(|_| {
        panic!(
            "these tests run as root, as which PostgreSQL refuses to run, and there is no user postgres: \
             run them as another user, or install PostgreSQL from a package, which makes one"
        )
    })
}

fn binaries() -> &'static Path {
    installed().expect(
        "these tests need PostgreSQL 15 or newer: install it (on Debian, the package postgresql), or put \
         its initdb and postgres on the PATH",
    )
}

/// The directory of the newest PostgreSQL that is installed.
fn installed() -> Option<&'static Path> {
    static BINARIES: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = BINARIES.get_or_init(|| debians().or_else(by_pg_config).or_else(on_path));
    found.as_deref()
}

/// Debian keeps several versions side by side, and none of them on the PATH.
fn debians() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let numbers = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    let directories = numbers.iter().rev();
    directories
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
        .find(|directory| is_whole(directory))
}

fn by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    is_whole(&directory).then_some(directory)
}

fn on_path() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).find(|directory| is_whole(directory))
}

fn is_whole(directory: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|name| directory.join(name).is_file())
}

fn make_cluster(leash: &Leash) {
    let output = leash
        .command(binaries().join("initdb"))
        .args(["--pgdata", ".", "--username=postgres", "--auth=trust"])
        .args(["--encoding=UTF8", "--locale=C"])
        .args(["--locale-provider=icu", "--icu-locale=en-US"])
        .args(["--no-sync", "--no-instructions"])
        .output()
        .expect("initdb can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "initdb failed: {errors}");
}

/// Starts it, and waits until it can be asked. `None` if the port is taken.
fn launch(leash: &Leash, durability: Durability, port: u16) -> Option<Child> {
    let mut command = leash.command(binaries().join("postgres"));
    command.args(["-D", "."]).arg("-p").arg(port.to_string());
    for setting in settings(leash, durability) {
        command.arg("-c").arg(setting);
    }
    let mut process = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(leash.new_log())
        .spawn()
        .expect("PostgreSQL can be run");
    let deadline = Instant::now() + PATIENCE;
    // By the socket in its own directory: at the port, somebody else's might answer.
    let directory = leash.directory().display();
    let by_socket = format!("postgres:///postgres?user=postgres&host={directory}&port={port}");
    let ready = Database::Postgres(by_socket);
    while ready.try_execute("SELECT 1").is_err() {
        if process.try_wait().expect("it can be waited for").is_some() {
            let log = leash.log();
            assert!(log.contains("could not bind"), "PostgreSQL ended:\n{log}");
            return None;
        }
        assert!(Instant::now() < deadline, "no start:\n{}", leash.log());
        thread::sleep(Duration::from_millis(10));
    }
    Some(process)
}

/// Beside durability: nothing outside of its own directory, room for many tests at once, and no walk through
/// a thousand files when it recovers.
fn settings(leash: &Leash, durability: Durability) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={}", leash.directory().display()),
        "dynamic_shared_memory_type=mmap".to_owned(),
        "max_connections=500".to_owned(),
        "recovery_init_sync_method=syncfs".to_owned(),
    ];
    if durability == Durability::Fast {
        let fast = ["fsync=off", "full_page_writes=off"];
        settings.extend(fast.map(str::to_owned));
    }
    settings
}

fn wait_for_end(process: &mut Child) {
    let deadline = Instant::now() + PATIENCE;
    while process.try_wait().expect("it can be waited for").is_none() {
        assert!(Instant::now() < deadline, "it did not stop in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}
