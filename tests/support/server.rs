//! The real server, as one child process or two, with a directory and a database of its own.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::TempDir;

use super::database::Database;
use super::mode::{Mode, mode};
use super::nats::Nats;
use super::node::{Conditions, Node, Start, owned};
use super::place::{Place, Places};
use super::postgres::{Lent, Postgres};
use super::shim::Shim;

pub use super::command::{Ended, STOP_DEADLINE, run, run_with_env};

/// A running server: what it stands on, and of how many nodes it is, is the [mode](super::mode) of this run.
///
/// It is killed, and its directory removed, when this is dropped.
pub struct Server {
    nodes: Vec<Node>,
    places: Mutex<Places>,
    database: Database,
    /// Goes back when the nodes have gone.
    lent: Option<Lent>,
    directory: TempDir,
}

impl Server {
    /// A server with every setting at its default, on free ports of 127.0.0.1.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// A server with more flags, for all of its nodes. They replace the test's own.
    pub fn with(flags: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        if mode() == Mode::Sqlite {
            let database = Database::Sqlite(directory.path().join("yanshu.db"));
            return Server::launch(directory, database, &[flags], &[], Conditions::default());
        }
        let lent = Postgres::shared().lend_database();
        let database = lent.database().clone();
        let mut server = if mode() == Mode::Cluster {
            let bus = format!("--nats-url={}", Nats::shared().url());
            let nodes = [flags, flags];
            Server::launch(directory, database, &nodes, &[&bus], Conditions::default())
        } else {
            Server::launch(directory, database, &[flags], &[], Conditions::default())
        };
        server.lent = Some(lent);
        server
    }

    /// A server on a SQLite file whatever the mode, and no file of it can grow beyond so many blocks of 512
    /// bytes: writing then fails as on a full disk.
    pub fn with_file_limit(blocks: u32, flags: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let database = Database::Sqlite(directory.path().join("yanshu.db"));
        let conditions = Conditions {
            file_limit: Some(blocks),
            ..Conditions::default()
        };
        Server::launch(directory, database, &[flags], &[], conditions)
    }

    /// A server on a SQLite file whatever the mode, with the disk and the clock of a shim.
    pub fn behind(shim: &Shim, flags: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let database = Database::Sqlite(directory.path().join("yanshu.db"));
        let conditions = Conditions {
            environment: shim.environment(directory.path()),
            ..Conditions::default()
        };
        Server::launch(directory, database, &[flags], &[], conditions)
    }

    /// A server on a SQLite file whatever the mode, with these variables in its environment.
    pub fn with_environment(environment: &[(String, String)], flags: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let database = Database::Sqlite(directory.path().join("yanshu.db"));
        let conditions = Conditions {
            environment: environment.to_vec(),
            ..Conditions::default()
        };
        Server::launch(directory, database, &[flags], &[], conditions)
    }

    /// A server on this database whatever the mode, with a node for each list of flags. A node that reaches
    /// the database by another way has a `--database-url` among its flags.
    pub fn on(database: &Database, nodes: &[&[&str]]) -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Server::launch(
            directory,
            database.clone(),
            nodes,
            &[],
            Conditions::default(),
        )
    }

    /// Starts all nodes at the same moment.
    fn launch(
        directory: TempDir,
        database: Database,
        nodes: &[&[&str]],
        more: &[&str],
        conditions: Conditions,
    ) -> Server {
        let mut base = vec![
            "--listen=127.0.0.1:0".to_owned(),
            format!("--database-url={}", database.url()),
            // The nodes share it, and nothing is left beside the test.
            format!("--file-store={}", directory.path().join("files").display()),
        ];
        base.extend(owned(more));
        let spawn = |flags: &&[&str]| {
            let start = Start {
                base: base.clone(),
                flags: owned(flags),
                conditions: conditions.clone(),
            };
            Node::spawn(directory.path(), start)
        };
        let nodes: Vec<Node> = nodes.iter().map(spawn).collect();
        for node in &nodes {
            node.wait_until_ready();
        }
        Server {
            nodes,
            places: Mutex::default(),
            database,
            lent: None,
            directory,
        }
    }

    /// One of the nodes, counted from 0 and round again: on one node all are the same.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number % self.nodes.len()]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The `http://127.0.0.1:PORT` of the first node.
    pub fn url(&self) -> String {
        self.node(0).url()
    }

    /// The `ws://127.0.0.1:PORT/ws` of the first node.
    pub fn ws_url(&self) -> String {
        self.node(0).ws_url()
    }

    /// The port of the first node.
    pub fn port(&self) -> u16 {
        self.node(0).port()
    }

    /// The server's own directory, for files of the test.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The database, to look into it or change it.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The SQLite file.
    pub fn db_path(&self) -> PathBuf {
        self.database.path().to_owned()
    }

    /// What to give to `--database-url`.
    pub fn database_url(&self) -> String {
        self.database.url()
    }

    /// Kills all processes without any warning, as `kill -9` does.
    pub fn kill9(&mut self) {
        for node in &self.nodes {
            node.kill9();
        }
    }

    /// Sends a signal by its name, such as `TERM`, `INT`, `STOP` or `CONT`, to all nodes.
    pub fn signal(&self, name: &str) {
        for node in &self.nodes {
            node.signal(name);
        }
    }

    /// Asks the server to stop with SIGTERM, and waits until it has.
    ///
    /// A client that is to take part in the farewell must be read meanwhile, in a task of its own or
    /// with `tokio::join!`.
    pub async fn terminate(&mut self) -> Ended {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits until all processes have ended by themselves or by a signal sent before. The status is that of
    /// one that failed, if one did.
    pub async fn ended(&mut self) -> Ended {
        let mut all: Option<Ended> = None;
        for node in &self.nodes {
            let ended = node.ended().await;
            all = Some(match all {
                None => ended,
                Some(before) => Ended {
                    status: if before.status.success() {
                        ended.status
                    } else {
                        before.status
                    },
                    stdout: String::new(),
                    stderr: before.stderr + &ended.stderr,
                },
            });
        }
        all.expect("a server has a node")
    }

    /// Whether all processes are still there.
    pub fn is_running(&mut self) -> bool {
        self.nodes.iter().all(Node::is_running)
    }

    /// Starts again on the same database with the same flags; kills processes that still run.
    pub fn restart(&mut self) {
        self.kill9();
        for node in &self.nodes {
            node.respawn();
        }
        for node in &self.nodes {
            node.wait_until_ready();
        }
    }

    /// [`Server::restart`] without the file limit: the disk has room again.
    pub fn restart_without_file_limit(&mut self) {
        for node in &self.nodes {
            node.lift_file_limit();
        }
        self.restart();
    }

    /// [`Server::restart`] with other flags in the place of the old ones, for all nodes.
    pub fn restart_with(&mut self, flags: &[&str]) {
        for node in &self.nodes {
            node.set_flags(flags);
        }
        self.restart();
    }

    /// The resident memory at this moment of the node that has most, in KiB: what is bounded is a process.
    pub fn rss_kib(&self) -> u64 {
        self.most(Node::rss_kib)
    }

    /// The most resident memory that one of the nodes ever had in its present life, in KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        self.most(Node::peak_rss_kib)
    }

    fn most(&self, memory: impl Fn(&Node) -> u64) -> u64 {
        let all = self.nodes.iter().map(memory);
        all.max().expect("a server has a node")
    }

    /// What all nodes have written to standard error so far, in their present lives.
    pub fn log(&self) -> String {
        self.nodes.iter().map(Node::log).collect()
    }
}

impl Place for Server {
    fn node_for(&self, user: Option<&str>) -> &Node {
        let mut places = self.places.lock().expect("no other call panicked");
        self.node(places.next(user))
    }

    fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}
