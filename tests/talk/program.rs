//! A command that goes on until its input ends or it is killed, and the lines that it prints.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

use super::support::DEADLINE;
use super::support::command::{BINARY, shielded};

pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    is_read: Arc<AtomicBool>,
}

impl Program {
    /// Starts the binary with these arguments.
    pub fn start(arguments: &[&str]) -> Program {
        let mut child = shielded(Command::new(BINARY))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary can be run");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (print, lines) = mpsc::channel();
        let is_read = Arc::new(AtomicBool::new(true));
        let reads = Arc::clone(&is_read);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = print.send(line);
                if !reads.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        Program {
            input: child.stdin.take(),
            child,
            lines,
            is_read,
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input has not ended");
        writeln!(input, "{line}").expect("it is read");
    }

    /// The next line that it prints.
    pub fn line(&self) -> String {
        let line = self.lines.recv_timeout(DEADLINE);
        line.expect("a line is printed")
    }

    /// The next line, as JSON.
    pub fn json(&self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"))
    }

    /// Nobody reads what it prints any more.
    pub fn close_output(&mut self) {
        self.is_read.store(false, Ordering::Relaxed);
    }

    /// Ends its input, waits for its end, and returns the other lines that it prints.
    pub fn finish(self) -> Vec<String> {
        let (status, lines) = self.end();
        assert!(status.success(), "{status}");
        lines
    }

    /// [`Program::finish`], however it ends.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        drop(self.input.take());
        let status = self.child.wait().expect("it can be waited for");
        (status, self.lines.iter().collect())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
