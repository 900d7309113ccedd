//! The binary as a command, and what it says when it has run to its end.

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_yanshu");

/// How long the server may take to end after it was asked to.
pub const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// How a server, or another command of the binary, ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All of its standard output; empty for a server.
    pub stdout: String,
    /// All of its standard error, which is where the log goes.
    pub stderr: String,
}

/// Runs the binary with `arguments` until it ends by itself, as for `yanshu users import`.
pub fn run(arguments: &[&str]) -> Ended {
    let mut command = shielded(Command::new(BINARY));
    command.args(arguments);
    run_to_end(command)
}

/// [`run`], with environment variables.
pub fn run_with_env(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = shielded(Command::new(BINARY));
    command.args(arguments).envs(variables.iter().copied());
    run_to_end(command)
}

/// The binary, run by a shell that limits the size of files. A write beyond it fails, instead of killing by a signal.
pub fn limited(blocks: u32) -> Command {
    let mut shell = shielded(Command::new("sh"));
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    shell.args(["-c", &script, "sh", BINARY]);
    shell
}

/// A command that settings in the environment of whoever runs the tests do not reach.
pub fn shielded(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("YANSHU_") || ["DATABASE_URL", "NATS_URL", "RUST_LOG"].contains(&&*name)
        {
            command.env_remove(&*name);
        }
    }
    command
}

/// Sends a signal by its name to the process of this ID.
pub fn signal(process: u32, name: &str) {
    let process = process.to_string();
    let status = Command::new("kill")
        .args([&format!("-{name}"), &process])
        .status();
    assert!(
        status.expect("kill can be run").success(),
        "kill -{name} {process} failed"
    );
}

fn run_to_end(mut command: Command) -> Ended {
    // In a directory of its own, since the default database is a file in the present one.
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut child = command
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    let stdout = read_to_end(child.stdout.take().expect("stdout is piped"));
    let stderr = read_to_end(child.stderr.take().expect("stderr is piped"));
    let deadline = Instant::now() + STOP_DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status;
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            let stderr = stderr.join().expect("the reader does not panic");
            panic!("{command:?} did not end in {STOP_DEADLINE:?}; its stderr:\n{stderr}");
        }
        thread::sleep(Duration::from_millis(5));
    };
    Ended {
        status,
        stdout: stdout.join().expect("the reader does not panic"),
        stderr: stderr.join().expect("the reader does not panic"),
    }
}

fn read_to_end(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("the output is UTF-8");
        text
    })
}
