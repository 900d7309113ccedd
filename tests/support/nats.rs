//! A nats-server of the tests' own, from the installed binary.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::leash::{Leash, end};
use super::ports::free_port;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many ports are tried before it is given up to start it.
const PORTS: usize = 20;

/// A running nats-server. It is killed when this is dropped or the test's process ends.
pub struct Nats {
    leash: Leash,
    port: u16,
    /// `None` while it is down.
    process: Mutex<Option<Child>>,
}

impl Nats {
    /// One for all tests of this process that let it run.
    pub fn shared() -> &'static Nats {
        static SHARED: OnceLock<Nats> = OnceLock::new();
        SHARED.get_or_init(Nats::start)
    }

    /// Whether it is installed.
    pub fn is_installed() -> bool {
        let mut version = Command::new("nats-server");
        version
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        version.status().is_ok()
    }

    /// One that lets everybody in.
    pub fn start() -> Nats {
        Nats::with("")
    }

    /// One that lets in who knows this password.
    pub fn with_password(user: &str, password: &str) -> Nats {
        Nats::with(&format!(
            "authorization {{ user: {user:?}, password: {password:?} }}"
        ))
    }

    /// One with more lines in its configuration file.
    pub fn with(configuration: &str) -> Nats {
        let leash = Leash::new(None);
        fs::write(leash.data().join("nats.conf"), configuration).expect("the file can be written");
        for _ in 0..PORTS {
            let port = free_port();
            if let Some(process) = launch(&leash, port) {
                return Nats {
                    leash,
                    port,
                    process: Mutex::new(Some(process)),
                };
            }
        }
        panic!("{PORTS} ports in a row were taken when nats-server wanted to listen on them");
    }

    /// The port, which stays the same for good.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What to give to `--nats-url`, where everybody is let in.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// What to give to `--nats-url` with this password.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("nats://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// Kills it without any warning.
    pub fn kill9(&self) {
        let mut process = self.process.lock().expect("no other call panicked");
        end(&mut process);
    }

    /// Starts it again on the same port, with the same configuration; kills one that still runs.
    pub fn restart(&self) {
        self.kill9();
        let deadline = Instant::now() + PATIENCE;
        let process = loop {
            if let Some(process) = launch(&self.leash, self.port) {
                break process;
            }
            assert!(Instant::now() < deadline, "the port {} is lost", self.port);
            thread::sleep(Duration::from_millis(50));
        };
        *self.process.lock().expect("no other call panicked") = Some(process);
    }

    /// Stops it in its tracks: connections stay, and nothing passes.
    pub fn pause(&self) {
        self.leash.pause();
    }

    /// Lets it go on.
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

impl Drop for Nats {
    fn drop(&mut self) {
        if thread::panicking() {
            // The harness shows this beside the failure.
            eprintln!("--- the log of nats-server\n{}---", self.log());
        }
        if let Ok(mut process) = self.process.lock() {
            end(&mut process);
        }
    }
}

/// Starts it, and waits until it says that it is ready. `None` if the port is taken.
fn launch(leash: &Leash, port: u16) -> Option<Child> {
    let started = leash
        .command(binary())
        .args(["--addr", "127.0.0.1", "--config", "nats.conf", "--port"])
        .arg(port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(leash.new_log())
        .spawn();
    let mut process = match started {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "these tests need nats-server: install it (on Debian, the package nats-server), or put it on the PATH"
        ),
        Err(error) => panic!("nats-server cannot be run: {error}"),
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = leash.log();
        if log.contains("Server is ready") {
            return Some(process);
        }
        if process.try_wait().expect("it can be waited for").is_some() {
            let taken = log.contains("address already in use");
            assert!(taken, "nats-server ended:\n{log}");
            return None;
        }
        assert!(Instant::now() < deadline, "no start:\n{log}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Debian installs it where the PATH of a plain user does not lead.
fn binary() -> &'static Path {
    let debians = Path::new("/usr/sbin/nats-server");
    if debians.is_file() {
        return debians;
    }
    Path::new("nats-server")
}
