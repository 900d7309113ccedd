//! What a soak stands on: nodes that keep their ports, and the database and the bus that can be taken from them.

use super::support::mode::{Mode, mode};
use super::support::ports::free_port;
use super::support::{Database, Nats, Node, Postgres, Server};

/// See the module. The nodes go first.
pub struct Ground {
    server: Server,
    ports: Vec<u16>,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    /// Where the file is, if it is one.
    _directory: tempfile::TempDir,
}

impl Ground {
    /// Starts everything.
    pub fn new() -> Ground {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let postgres = (mode() != Mode::Sqlite).then(Postgres::start);
        let nats = (mode() == Mode::Cluster).then(Nats::start);
        let database = match &postgres {
            Some(postgres) => postgres.new_database(),
            None => Database::Sqlite(directory.path().join("soak.db")),
        };
        let count = if nats.is_some() { 2 } else { 1 };
        let ports: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let bus = nats
            .as_ref()
            .map(|nats| format!("--nats-url={}", nats.url()));
        let flags: Vec<Vec<String>> = ports
            .iter()
            .map(|port| {
                let listen = format!("--listen=127.0.0.1:{port}");
                [listen].into_iter().chain(bus.clone()).collect()
            })
            .collect();
        let flags: Vec<Vec<&str>> = flags
            .iter()
            .map(|flags| flags.iter().map(String::as_str).collect())
            .collect();
        let flags: Vec<&[&str]> = flags.iter().map(Vec::as_slice).collect();
        Ground {
            server: Server::on(&database, &flags),
            ports,
            postgres,
            nats,
            _directory: directory,
        }
    }

    /// The ports of the nodes.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        self.server.nodes()
    }

    /// PostgreSQL, where there is one.
    pub fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }

    /// NATS, where there is one.
    pub fn nats(&self) -> Option<&Nats> {
        self.nats.as_ref()
    }

    /// How many bytes the database takes on the disk, and how many of them are a log that is yet to be merged.
    /// `None` while it is down.
    pub fn database_size(&self) -> Option<(u64, u64)> {
        match self.server.database() {
            Database::Sqlite(path) => {
                let size = |path: &std::path::Path| Some(std::fs::metadata(path).ok()?.len());
                let log = size(&path.with_extension("db-wal")).unwrap_or_default();
                Some((size(path)? + log, log))
            }
            postgres => {
                const SIZE: &str = "SELECT pg_database_size(current_database())";
                let size = postgres.try_query(SIZE).ok()?;
                Some((size.first()?.parse().ok()?, 0))
            }
        }
    }

    /// What this ground is called.
    pub fn name(&self) -> &'static str {
        match mode() {
            Mode::Sqlite => "sqlite",
            Mode::Postgres => "postgres",
            Mode::Cluster => "cluster",
        }
    }
}
