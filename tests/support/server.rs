//! The real server, as a child process with a directory and a SQLite file of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::command::{BINARY, limited, shielded};
pub use super::command::{Ended, STOP_DEADLINE, run, run_with_env};

/// How long the server may take to say that it is listening: generous, for a busy build machine.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How the line begins that the server prints once it is ready.
const READY: &str = "yanshu is listening on ";

/// A running server. It is killed, and its directory removed, when this is dropped.
pub struct Server {
    directory: TempDir,
    flags: Vec<String>,
    file_limit: Option<u32>,
    process: Process,
}

/// One life of the server: a restart makes another one.
struct Process {
    child: Child,
    url: String,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
}

impl Server {
    /// A server with every setting at its default, on a free port of 127.0.0.1.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// A server with more flags. A `--listen` or `--database-url` among them replaces the test's own.
    pub fn with(flags: &[&str]) -> Server {
        Server::launch(None, flags)
    }

    /// [`Server::with`], and no file of the server can grow beyond so many blocks of 512 bytes: writing
    /// then fails as on a full disk.
    pub fn with_file_limit(blocks: u32, flags: &[&str]) -> Server {
        Server::launch(Some(blocks), flags)
    }

    fn launch(file_limit: Option<u32>, flags: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let flags = owned(flags);
        let process = Process::start(directory.path(), file_limit, &flags);
        Server {
            directory,
            flags,
            file_limit,
            process,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.process.url
    }

    /// `ws://127.0.0.1:PORT/ws`.
    pub fn ws_url(&self) -> String {
        format!("{}/ws", self.url().replacen("http", "ws", 1))
    }

    /// The port that the operating system chose.
    pub fn port(&self) -> u16 {
        let port = self
            .url()
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {:?}", self.url()))
    }

    /// The server's own directory, for files of the test.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The SQLite file.
    pub fn db_path(&self) -> PathBuf {
        database(self.directory.path())
    }

    /// The `--database-url` of the SQLite file.
    pub fn database_url(&self) -> String {
        database_url(self.directory.path())
    }

    /// The process ID of the present process.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Kills the process without any warning, as `kill -9` does.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Sends a signal by its name, such as `TERM`, `INT`, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(
            status.expect("kill can be run").success(),
            "kill -{name} {pid} failed"
        );
    }

    /// Asks the server to stop with SIGTERM, and waits until it has.
    ///
    /// A client that is to take part in the farewell must be read meanwhile, in a task of its own or
    /// with `tokio::join!`.
    pub async fn terminate(&mut self) -> Ended {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits until the process has ended by itself or by a signal sent before.
    pub async fn ended(&mut self) -> Ended {
        let deadline = Instant::now() + STOP_DEADLINE;
        let status = loop {
            if let Some(status) = self
                .process
                .child
                .try_wait()
                .expect("the child can be waited for")
            {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "the server did not end in {STOP_DEADLINE:?}; its log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        self.process.finish_log();
        Ended {
            status,
            stdout: String::new(),
            stderr: self.log(),
        }
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.process
            .child
            .try_wait()
            .expect("the child can be waited for")
            .is_none()
    }

    /// Starts again on the same database with the same flags; kills a process that still runs.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = Process::start(self.directory.path(), self.file_limit, &self.flags);
    }

    /// [`Server::restart`] without the file limit: the disk has room again.
    pub fn restart_without_file_limit(&mut self) {
        self.file_limit = None;
        self.restart();
    }

    /// [`Server::restart`] with other flags in the place of the old ones.
    pub fn restart_with(&mut self, flags: &[&str]) {
        self.flags = owned(flags);
        self.restart();
    }

    /// The resident memory at this moment, in KiB.
    pub fn rss_kib(&self) -> u64 {
        self.status_field("VmRSS:")
    }

    /// The most resident memory there ever was in this life of the server, in KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        self.status_field("VmHWM:")
    }

    /// What this life of the server has written to standard error so far.
    pub fn log(&self) -> String {
        self.process
            .log
            .lock()
            .expect("no reader of the log panicked")
            .clone()
    }

    /// One number of `/proc/<pid>/status`.
    fn status_field(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(&path).expect("the server is running");
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        let number = value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok());
        number.unwrap_or_else(|| panic!("no number for {name} in {path}"))
    }
}

impl Process {
    fn start(directory: &Path, file_limit: Option<u32>, flags: &[String]) -> Process {
        let mut command = match file_limit {
            None => shielded(Command::new(BINARY)),
            Some(blocks) => limited(blocks),
        };
        command.arg("serve");
        if !flags.iter().any(|flag| flag.starts_with("--listen")) {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        if !flags.iter().any(|flag| flag.starts_with("--database-url")) {
            command.args(["--database-url", &database_url(directory)]);
        }
        command.args(flags).current_dir(directory);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server's binary can be run");
        let log = Arc::new(Mutex::new(String::new()));
        let log_reader = keep_log(&mut child, &log);
        let url = wait_until_ready(&mut child, &log);
        Process {
            child,
            url,
            log,
            log_reader: Some(log_reader),
        }
    }

    fn kill(&mut self) {
        // Both fail only if the process has ended and been waited for, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.finish_log();
    }

    /// Once the process has ended, waits for the last of its log.
    fn finish_log(&mut self) {
        if let Some(reader) = self.log_reader.take() {
            reader.join().expect("the reader of the log does not panic");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            // The harness shows this beside the failure.
            eprintln!(
                "--- the server's log\n{}---",
                self.log.lock().expect("not poisoned")
            );
        }
    }
}

/// Collects standard error in the background, so that the pipe never fills up.
fn keep_log(child: &mut Child, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let stderr = child.stderr.take().expect("stderr is piped");
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().expect("no reader of the log panicked");
            log.push_str(&line);
            log.push('\n');
        }
    })
}

/// Waits for the line that says where the server listens.
fn wait_until_ready(child: &mut Child, log: &Mutex<String>) -> String {
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let (found, ready) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some(url) = line.strip_prefix(READY) {
                let _ = found.send(url.trim().to_owned());
            }
        }
    });
    let why = match ready.recv_timeout(START_DEADLINE) {
        Ok(url) => return url,
        Err(RecvTimeoutError::Timeout) => format!("said nothing in {START_DEADLINE:?}"),
        Err(RecvTimeoutError::Disconnected) => "ended before it was ready".to_owned(),
    };
    let _ = child.kill();
    let _ = child.wait();
    panic!(
        "the server {why}; its log:\n{}",
        log.lock().expect("not poisoned")
    );
}

fn database(directory: &Path) -> PathBuf {
    directory.join("yanshu.db")
}

fn database_url(directory: &Path) -> String {
    format!("sqlite://{}", database(directory).display())
}

fn owned(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| (*flag).to_owned()).collect()
}
