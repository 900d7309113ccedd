//! What a flood leaves: counted descriptors, and the most connections that this machine allows.

use std::time::{Duration, Instant};

use super::support::{DEADLINE, Server};

/// How many connections stand still, where the limit of open files allows it.
const CONNECTIONS: u64 = 5_000;

/// How many connections this process can have to a server, up to [`CONNECTIONS`].
pub fn possible_connections() -> u64 {
    let wanted = CONNECTIONS * 3;
    let open_files = rlimit::increase_nofile_limit(wanted).expect("the limit can be asked for");
    CONNECTIONS.min(open_files.saturating_sub(1_000) / 3)
}

/// The descriptors that the processes of a server had at one moment.
pub struct Descriptors<'a> {
    server: &'a Server,
    before: u64,
}

impl<'a> Descriptors<'a> {
    pub fn of(server: &'a Server) -> Descriptors<'a> {
        let before = open(server);
        Descriptors { server, before }
    }

    /// Waits until there are at least so many more.
    pub async fn have_grown_by(&self, more: u64) {
        let wanted = self.before + more;
        self.until("more descriptors", |now| now >= wanted).await;
    }

    /// Waits until there are no more than at that moment, but for a few that come and go.
    pub async fn are_back(&self) {
        let wanted = self.before + 8;
        self.until("the descriptors to come back", |now| now <= wanted)
            .await;
    }

    async fn until(&self, what: &str, holds: impl Fn(u64) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let now = open(self.server);
            if holds(now) {
                return;
            }
            let before = self.before;
            assert!(Instant::now() < deadline, "{what}: {before}, now {now}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn open(server: &Server) -> u64 {
    let of = |pid: u32| {
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count()
    };
    let all = server.nodes().iter().map(|node| of(node.pid()));
    all.sum::<usize>() as u64
}
