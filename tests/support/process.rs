//! One life of a server's process: a restart makes another one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long the server may take to say that it is listening: generous, for a busy build machine.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How the line begins that the server prints once it is ready.
const READY: &str = "yanshu is listening on ";

/// A process of the server, which is killed when this is dropped.
pub struct Process {
    child: Child,
    ready: Receiver<String>,
    url: String,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Runs the command, and does not wait until it is ready.
    pub fn spawn(mut command: Command) -> Process {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server's binary can be run");
        let log = Arc::new(Mutex::new(String::new()));
        Process {
            log_reader: Some(keep_log(&mut child, &log)),
            ready: watch_for_url(&mut child),
            child,
            url: String::new(),
            log,
        }
    }

    /// Waits for the line that says where the server listens.
    pub fn wait_until_ready(&mut self) {
        let why = match self.ready.recv_timeout(START_DEADLINE) {
            Ok(url) => {
                self.url = url;
                return;
            }
            Err(RecvTimeoutError::Timeout) => format!("said nothing in {START_DEADLINE:?}"),
            Err(RecvTimeoutError::Disconnected) => "ended before it was ready".to_owned(),
        };
        // The drop shows its log.
        panic!("the server {why}");
    }

    /// `http://127.0.0.1:PORT`, once it is ready.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panicked").clone()
    }

    /// How the process has ended, if it has; the log is then whole.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("the child can be waited for");
        if status.is_some() {
            self.finish_log();
        }
        status
    }

    /// Kills it without any warning, as `kill -9` does.
    pub fn kill(&mut self) {
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
            let log = self.log.lock().expect("not poisoned");
            eprintln!("--- the log of the server at {:?}\n{log}---", self.url);
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

fn watch_for_url(child: &mut Child) -> Receiver<String> {
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let (found, ready) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some(url) = line.strip_prefix(READY) {
                let _ = found.send(url.trim().to_owned());
            }
        }
    });
    ready
}
