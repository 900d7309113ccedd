//! One node of a server: a process with its flags, in one life after another.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::command::{BINARY, Ended, STOP_DEADLINE, limited, shielded, signal};
use super::process::Process;

/// A node. It is killed when this is dropped.
pub struct Node {
    directory: PathBuf,
    start: Mutex<Start>,
    process: Mutex<Process>,
}

/// How a node is started.
#[derive(Clone)]
pub struct Start {
    /// Those that the fixture sets, such as the database.
    pub base: Vec<String>,
    /// Those of the test.
    pub flags: Vec<String>,
    /// Under what.
    pub conditions: Conditions,
}

/// What is not as usual where a node runs.
#[derive(Clone, Default)]
pub struct Conditions {
    /// How many blocks of 512 bytes a file of the node may have.
    pub file_limit: Option<u32>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
}

impl Node {
    /// Runs a node in this directory. It answers after [`Node::wait_until_ready`].
    pub fn spawn(directory: &Path, start: Start) -> Node {
        let process = Process::spawn(start.command(directory));
        Node {
            directory: directory.to_owned(),
            start: Mutex::new(start),
            process: Mutex::new(process),
        }
    }

    /// Waits until the node listens.
    pub fn wait_until_ready(&self) {
        self.process().wait_until_ready();
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.process().url().to_owned()
    }

    /// `ws://127.0.0.1:PORT/ws`.
    pub fn ws_url(&self) -> String {
        format!("{}/ws", self.url().replacen("http", "ws", 1))
    }

    /// The port that the operating system chose.
    pub fn port(&self) -> u16 {
        let url = self.url();
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {url:?}"))
    }

    /// The process ID of the present process.
    pub fn pid(&self) -> u32 {
        self.process().id()
    }

    /// Kills the process without any warning, as `kill -9` does.
    pub fn kill9(&self) {
        self.process().kill();
    }

    /// Sends a signal by its name, such as `TERM`, `INT`, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Asks the node to stop with SIGTERM, and waits until it has.
    pub async fn terminate(&self) -> Ended {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits until the process has ended by itself or by a signal sent before.
    pub async fn ended(&self) -> Ended {
        let deadline = Instant::now() + STOP_DEADLINE;
        loop {
            let status = self.process().ended();
            if let Some(status) = status {
                return Ended {
                    status,
                    stdout: String::new(),
                    stderr: self.log(),
                };
            }
            assert!(
                Instant::now() < deadline,
                "the server did not end in {STOP_DEADLINE:?}; its log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the process is still there.
    pub fn is_running(&self) -> bool {
        self.process().ended().is_none()
    }

    /// Starts again with the same flags, and waits until the node listens; kills a process that still runs.
    pub fn restart(&self) {
        self.respawn();
        self.wait_until_ready();
    }

    /// [`Node::restart`] without the waiting.
    pub fn respawn(&self) {
        let command = self.start().command(&self.directory);
        let mut process = self.process();
        process.kill();
        *process = Process::spawn(command);
    }

    /// Has the next start use other flags in the place of the test's old ones.
    pub fn set_flags(&self, flags: &[&str]) {
        self.start().flags = owned(flags);
    }

    /// Has the next start be without the limit on the size of files.
    pub fn lift_file_limit(&self) {
        self.start().conditions.file_limit = None;
    }

    /// The resident memory at this moment, in KiB.
    pub fn rss_kib(&self) -> u64 {
        self.status_field("VmRSS:")
    }

    /// The most resident memory there ever was in this life of the node, in KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        self.status_field("VmHWM:")
    }

    /// What this life of the node has written to standard error so far.
    pub fn log(&self) -> String {
        self.process().log()
    }

    /// One number of `/proc/<pid>/status`.
    fn status_field(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(&path).expect("the server is running");
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        let number = value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok());
        number.unwrap_or_else(|| panic!("no number for {name} in {path}"))
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no other call panicked")
    }

    fn start(&self) -> MutexGuard<'_, Start> {
        self.start.lock().expect("no other call panicked")
    }
}

impl Start {
    /// The command. A flag of the test replaces the fixture's own.
    fn command(&self, directory: &Path) -> Command {
        let mut command = match self.conditions.file_limit {
            None => shielded(Command::new(BINARY)),
            Some(blocks) => limited(blocks),
        };
        command.arg("serve");
        for flag in &self.base {
            let (name, _) = flag
                .split_once('=')
                .expect("a flag of the fixture has a value");
            if !self.flags.iter().any(|own| own.starts_with(name)) {
                command.arg(flag);
            }
        }
        let environment = self.conditions.environment.iter();
        command.envs(environment.map(|(name, value)| (name, value)));
        command.args(&self.flags).current_dir(directory);
        command
    }
}

/// The flags, to keep.
pub fn owned(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| (*flag).to_owned()).collect()
}
