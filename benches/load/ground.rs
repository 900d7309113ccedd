//! What servers stand on: a file, or a PostgreSQL and a nats-server of the bench's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::database::Database;
use crate::door::Door;
use crate::plan::{Binaries, Plan};
use crate::support::nats::Nats;
use crate::support::postgres::Postgres;
use crate::{Outcome, SCRATCH};

/// Those that decide what a commit costs.
const SETTINGS: &str = "SELECT name || ' = ' || current_setting(name) FROM UNNEST(ARRAY['fsync',
    'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size']) AS name";

/// What a server stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// One node, on a file.
    Sqlite,
    /// One node, on PostgreSQL.
    Postgres,
    /// Two nodes, on PostgreSQL and NATS.
    Cluster,
    /// Wherever it stands: it is there already.
    Outside,
}

impl On {
    /// What the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Cluster => "two nodes",
            Self::Outside => "outside",
        }
    }

    /// How many nodes the server has.
    pub fn nodes(self) -> usize {
        if self == Self::Cluster { 2 } else { 1 }
    }
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            "cluster" => Ok(Self::Cluster),
            other => Err(format!("{other:?} is none of sqlite, postgres, cluster")),
        }
    }
}

/// What is there for all measurements.
pub struct Ground {
    /// The servers that are started.
    pub binaries: Binaries,
    /// The one that is not.
    pub outside: Option<Door>,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
}

impl Ground {
    /// Starts what the plan needs, and takes out of it, with a word on the terminal, what is not
    /// installed.
    pub fn prepare(plan: &mut Plan) -> Outcome<Self> {
        let wanted = &mut plan.on;
        let needs_postgres = |on: &On| [On::Postgres, On::Cluster].contains(on);
        if wanted.iter().any(needs_postgres) && !Postgres::is_installed() {
            println!("\nPostgreSQL is not installed: what needs it is skipped.");
            wanted.retain(|on| !needs_postgres(on));
        }
        if wanted.contains(&On::Cluster) && !Nats::is_installed() {
            println!("\nnats-server is not installed: two nodes are skipped.");
            wanted.retain(|on| *on != On::Cluster);
        }
        let postgres = wanted.iter().any(needs_postgres);
        Ok(Self {
            binaries: plan.binaries.clone(),
            outside: plan.outside.clone(),
            postgres: if postgres { Some(start()?) } else { None },
            nats: wanted.contains(&On::Cluster).then(Nats::start),
        })
    }

    /// The processes of both, by their IDs: they work in directories of their own.
    pub fn processes(&self) -> Outcome<impl Iterator<Item = String>> {
        let homes = [
            self.postgres
                .as_ref()
                .map(|postgres| postgres.directory().join("data")),
            self.nats.as_ref().map(|nats| nats.directory().join("data")),
        ];
        let all = fs::read_dir("/proc")?.flatten();
        Ok(all.filter_map(move |process| {
            let home = fs::read_link(process.path().join("cwd")).ok()?;
            let ours = homes.iter().flatten().any(|ours| *ours == home);
            ours.then(|| process.file_name().to_string_lossy().into_owned())
        }))
    }

    /// A fresh database.
    pub fn database(&self, on: On) -> Outcome<Database<'_>> {
        if on == On::Sqlite {
            return Database::file();
        }
        let postgres = self.postgres.as_ref().ok_or("PostgreSQL does not run")?;
        Ok(Database::on(postgres))
    }

    /// Where the nodes of such a server meet.
    pub fn bus(&self, on: On) -> Option<String> {
        let nats = self.nats.as_ref().filter(|_| on == On::Cluster);
        nats.map(Nats::url)
    }
}

/// PostgreSQL with its files in the target directory, if it may write there.
fn start() -> Outcome<Postgres> {
    let place = PathBuf::from(SCRATCH).join("postgres");
    fs::create_dir_all(&place)?;
    // Where we are root, it runs as somebody else.
    fs::set_permissions(&place, Permissions::from_mode(0o1777))?;
    let postgres = Postgres::within(&place);
    let version = postgres.query("SELECT current_setting('server_version')");
    println!(
        "\nPostgreSQL {} has its files in {} and its settings as they come: {}.",
        version.concat(),
        postgres.directory().display(),
        postgres.query(SETTINGS).join(", "),
    );
    Ok(postgres)
}
