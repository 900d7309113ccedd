//! A directory for a server that is not ours, and the certainty that neither of them outlives the test.
//!
//! A small shell holds the directory. It learns by the end of a pipe that the test's process has gone,
//! however that came about (a panic, a kill, a static that nobody drops), kills whatever works in the
//! directory and removes it. It knows those processes by their working directory, so that it finds the
//! orphans of a dead parent, and never touches a process of anybody else.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// The shell. Orders come line by line, each is answered with a line; the end of them is the end of it.
///
/// A segment of shared memory is all that PostgreSQL leaves outside of its directory: its `postmaster.pid`
/// names it.
const GUARD: &str = r#"
trap '' HUP INT TERM PIPE
umask 077
cd /
directory=$(mktemp -d "$1/yanshu-test-XXXXXXXX") && mkdir "$directory/data" || exit

find_processes() {
  processes=
  for link in /proc/[0-9]*/cwd; do
    if [ "$link" -ef "$directory/data" ]; then
      process=${link#/proc/}
      processes="$processes ${process%/cwd}"
    fi
  done
  [ -n "$processes" ]
}
kill_all() {
  while find_processes; do
    kill -KILL $processes
    sleep 0.01
  done
}
# Twice: one that is not stopped yet may start another.
signal_all() {
  for turn in 1 2; do
    if find_processes; then kill -"$1" $processes; fi
  done
}

echo "$directory"
while read -r order; do
  case $order in
    KILL) kill_all ;;
    STOP | CONT) signal_all "$order" ;;
  esac
  echo done
done

kill_all
segment=$(sed -n '7s/^ *[0-9]* *//p' "$directory/data/postmaster.pid")
if [ -n "$segment" ]; then ipcrm -m "$segment"; fi
rm -rf "$directory"
"#;

/// Who runs a foreign server: itself, or, where we are root and it refuses that, somebody else.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account with these IDs. Only root can act for another one.
    pub fn new(uid: u32, gid: u32) -> Account {
        Account { uid, gid }
    }
}

/// The directory of a foreign server, and the power over the processes that work in it.
pub struct Leash {
    guard: Child,
    /// `None` once the guard has been let go.
    pipe: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    directory: PathBuf,
    account: Option<Account>,
}

impl Leash {
    /// A new directory that belongs to `account`, or to whoever runs the tests.
    pub fn new(account: Option<Account>) -> Leash {
        Leash::within(&std::env::temp_dir(), account)
    }

    /// [`Leash::new`], in another place than TMPDIR.
    pub fn within(place: &Path, account: Option<Account>) -> Leash {
        let mut guard = Leash::command_as(account, "sh")
            .args(["-c", GUARD, "guard"])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be run");
        let orders = guard.stdin.take().expect("stdin is piped");
        let mut answers = BufReader::new(guard.stdout.take().expect("stdout is piped"));
        let directory = PathBuf::from(line(&mut answers));
        let made = directory.join("data").is_dir();
        assert!(made, "{account:?} can make no directory in {place:?}");
        Leash {
            guard,
            pipe: Mutex::new(Some((orders, answers))),
            directory,
            account,
        }
    }

    /// Whether this account can have a directory there.
    pub fn fits(place: &Path, account: Option<Account>) -> bool {
        let mut test = Leash::command_as(account, "test");
        test.current_dir("/").arg("-w").arg(place);
        test.status().is_ok_and(|status| status.success())
    }

    /// Where files beside the data may be put.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory in which the server must work: the guard knows its processes by that.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// A file for what the server says, outside of its data.
    pub fn new_log(&self) -> File {
        File::create(self.log_path()).expect("the log can be made")
    }

    /// What the server has said since the last [`Leash::new_log`].
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// A command in [`Leash::data`], run by the account, and untouched by a Ctrl-C that ends the tests.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Leash::command_as(self.account, program);
        command.current_dir(self.data());
        command
    }

    fn command_as(account: Option<Account>, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.process_group(0);
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Kills all processes that work in the directory, and waits until none is there.
    pub fn kill(&self) {
        self.order("KILL");
    }

    /// Stops all processes in their tracks: connections stay, and nothing is answered.
    pub fn pause(&self) {
        self.order("STOP");
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.order("CONT");
    }

    fn order(&self, order: &str) {
        let mut pipe = self.pipe.lock().expect("no order panicked");
        let (orders, answers) = pipe.as_mut().expect("the guard is there until the drop");
        writeln!(orders, "{order}").expect("the guard takes orders");
        assert_eq!(line(answers), "done", "the guard carries out {order}");
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Ok(mut pipe) = self.pipe.lock() {
            pipe.take();
        }
        let _ = self.guard.wait();
    }
}

/// Kills a process and waits for its end, if there is one.
pub fn end(process: &mut Option<Child>) {
    if let Some(mut process) = process.take() {
        // Both fail only if the process has ended and been waited for, which is what they are for.
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn line(answers: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the guard answers");
    line.trim_end().to_owned()
}
