//! What the environment says of this run; above all, what its servers stand on. The same tests run on each.
//!
//! | `YANSHU_TEST_ON` | a [`Server`](super::Server) is |
//! |---|---|
//! | `sqlite`, the default | one process on a file of its own |
//! | `postgres` | one process on a database of its own in a shared PostgreSQL |
//! | `cluster` | two processes on such a database and a shared nats-server, with its users spread over both |

use std::io::Write;
use std::sync::OnceLock;

/// What a server stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// PostgreSQL and NATS, below two nodes.
    Cluster,
}

/// The mode of this run.
pub fn mode() -> Mode {
    static MODE: OnceLock<Mode> = OnceLock::new();
    *MODE.get_or_init(|| match std::env::var("YANSHU_TEST_ON").as_deref() {
        Err(_) | Ok("" | "sqlite") => Mode::Sqlite,
        Ok("postgres") => Mode::Postgres,
        Ok("cluster") => Mode::Cluster,
        Ok(other) => {
            panic!("YANSHU_TEST_ON is {other:?} and must be sqlite, postgres or cluster")
        }
    })
}

/// Whether this run is in one of these modes. If not, it says on the terminal that the present test is
/// skipped, and why: the harness counts it as passed.
#[must_use]
pub fn only_on(modes: &[Mode], why: &str) -> bool {
    if modes.contains(&mode()) {
        return true;
    }
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not `eprintln`, which the harness keeps for the tests that fail.
    let _ = writeln!(std::io::stderr(), "SKIPPED on {:?}: {test}: {why}", mode());
    false
}

/// What an environment variable says, or `default` where it is not set. Fails when it is not a number.
pub fn from_environment<N: std::str::FromStr>(name: &str, default: impl FnOnce() -> N) -> N {
    match std::env::var(name) {
        Err(_) => default(),
        Ok(value) => value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {value:?} and must be a number")),
    }
}
