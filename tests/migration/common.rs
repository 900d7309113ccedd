//! Sources, targets, and the command between them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::command::{BINARY, Ended, run, shielded};
use crate::support::{DEADLINE, Database, Postgres, Server};

/// The tables, with their columns as one text: all that has to be the same.
const TABLES: [(&str, &str); 9] = [
    (
        "users",
        "id || '|' || login || '|' || coalesce('=' || name, '') || '|' || timeline || '|' || told || '|' || contacts
         || '|' || revision || '|' || CASE WHEN deleted THEN 'deleted' ELSE '' END || '|' || hidden || '|' || voided",
    ),
    ("grants", "block || '|' || user_id || '|' || granted_at"),
    (
        "messages",
        "id || '|' || sender || '|' || recipient || '|' || sender_seq || '|' || recipient_seq || '|' || lo || '|' || hi
         || '|' || lo_seq || '|' || kind || '|' || status || '|' || origin || '|' || stored_at || '|' || sent_at || '|' || body",
    ),
    ("receipts", "user_id || '|' || seq || '|' || message_id || '|' || origin"),
    ("contacts", "owner || '|' || contact || '|' || coalesce('=' || alias, '')"),
    ("blocks", "owner || '|' || blocked"),
    ("sent_by_key", "message_id || '|' || sender || '|' || key || '|' || sent_at"),
    (
        "files",
        "id || '|' || token || '|' || owner || '|' || tenure || '|' || name || '|' || mime || '|' || size || '|' || sha256
         || '|' || coalesce('=' || width, '') || '|' || coalesce('=' || height, '') || '|' || coalesce('=' || thumbnail, '')
         || '|' || state || '|' || created_at",
    ),
    ("file_readers", "message_id || '|' || user_id || '|' || file || '|' || seq"),
];

/// A SQLite database of a directory of its own.
pub struct Source {
    directory: TempDir,
    pub database: Database,
}

impl Source {
    /// One that is not there yet: a server makes it.
    pub fn new() -> Source {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let database = Database::Sqlite(directory.path().join("yanshu.db"));
        Source {
            directory,
            database,
        }
    }

    /// One with tables and nothing in them.
    pub async fn empty() -> Source {
        let source = Source::new();
        let mut server = Server::on(&source.database, &[&[]]);
        server.terminate().await;
        source
    }

    /// One of so many messages, and about as many other rows, that it takes a while.
    pub async fn of_messages(messages: u32) -> Source {
        let source = Source::empty().await;
        source.database.execute(&format!(
            "BEGIN;
             CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
                 (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {messages}) SELECT i FROM n;
             INSERT INTO users (id, login, name, timeline, told, contacts, revision, deleted, hidden, voided)
                 SELECT i, 'user-' || i, CASE i % 3 WHEN 0 THEN '名字 ' || i END, 1000000, i, i % 7,
                     i % 5, i % 11 = 0, i % 13, i % 17
                 FROM n WHERE i <= 1000;
             INSERT INTO grants SELECT i - 1, 1 + i % 1000, 1700000000 + i FROM n WHERE i * 10 <= {messages};
             INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, lo, hi, lo_seq, kind,
                     body, sent_at, status, origin, stored_at)
                 SELECT i, 1 + i % 1000, 1 + i * 7 % 1000, i, i + 1, 1, 2, i, i % 2,
                     'text ' || i || ' 你好 👩‍🚀', '2021-12-14 12:00:00', 1 + i % 2, i * 1000003, 1700000000 + i
                 FROM n;
             UPDATE messages SET body = hex(zeroblob(16384)) WHERE id % 997 = 0;
             INSERT INTO receipts SELECT 1 + i % 1000, i, i, (i % 2) * i FROM n WHERE i % 3 <> 0;
             INSERT INTO contacts SELECT 1 + i % 1000, i, CASE i % 2 WHEN 0 THEN '别名 ' || i END
                 FROM n WHERE i <= 5000;
             INSERT INTO blocks SELECT 1 + i % 1000, i FROM n WHERE i <= 500;
             INSERT INTO sent_by_key SELECT i, 1 + i % 1000, 'key-' || i, 1700000000 + i
                 FROM n WHERE i <= 500;
             INSERT INTO files SELECT i, printf('%032x', i), 1 + i % 1000, i % 2, '文件 ' || i, 'image/png', i * 1000, 'ab' || i,
                 CASE i % 2 WHEN 0 THEN i END, CASE i % 2 WHEN 0 THEN i END, CASE i % 4 WHEN 0 THEN 'image/jpeg' END,
                 i % 3, 1700000000 + i
                 FROM n WHERE i <= 300;
             INSERT INTO file_readers SELECT i, 1 + i % 1000, 1 + i % 300, i FROM n WHERE i <= 600;
             UPDATE id_allocation SET next = {messages} + 1;
             COMMIT;"
        ));
        source
    }

    /// A file beside the database.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A new, empty database of PostgreSQL.
pub fn target() -> Database {
    Postgres::shared().new_database()
}

/// Runs the command to its end.
pub fn migrate(from: &Database, to: &Database) -> Ended {
    run(&["migrate-data", "--from", &from.url(), "--to", &to.url()])
}

/// [`migrate`], which must succeed and leave both databases the same.
#[track_caller]
pub fn migrate_all(from: &Database, to: &Database) -> Ended {
    let ended = migrate(from, to);
    assert!(ended.status.success(), "it failed: {}", ended.stderr);
    assert_same(from, to);
    assert!(is_complete(to));
    ended
}

/// [`migrate`], which must be refused in one sentence that says all of this, and leave the target as it was.
#[track_caller]
pub fn assert_refused(from: &Database, to: &Database, says: &[&str]) {
    let before = snapshot(to);
    let ended = migrate(from, to);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let sentence = ended.stderr.lines().last().unwrap_or_default();
    assert!(sentence.starts_with("yanshu: "), "{}", ended.stderr);
    for part in says {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(snapshot(to), before, "a refusal changed the target");
}

/// Fails unless each row of each table is the same in both.
#[track_caller]
pub fn assert_same(from: &Database, to: &Database) {
    for (table, columns) in TABLES {
        let query = format!("SELECT {columns} FROM {table}");
        let [ours, theirs] = [from, to].map(|database| {
            let mut rows = database.query(&query);
            rows.sort_unstable();
            rows
        });
        let different = ours.iter().zip(&theirs).find(|(a, b)| a != b);
        assert_eq!(different, None, "a row of {table}");
        assert_eq!(ours.len(), theirs.len(), "the number of rows of {table}");
    }
    let next = "SELECT next FROM id_allocation";
    assert!(to.query_i64(next) >= from.query_i64(next), "issued twice");
}

/// All of a target: its rows, and what it says of itself. Empty without tables.
pub fn snapshot(to: &Database) -> Vec<Vec<String>> {
    if !has_tables(to) {
        return Vec::new();
    }
    let more = [
        ("id_allocation", "next || '|' || probes"),
        (
            "deployment",
            "cluster || '|' || coalesce(migrated_from, '') || '|' || migrated",
        ),
    ];
    let tables = TABLES.iter().chain(&more);
    tables
        .map(|(table, columns)| {
            let mut rows = to.query(&format!("SELECT {columns} FROM {table}"));
            rows.sort_unstable();
            rows
        })
        .collect()
}

/// Whether the target's tables are there.
pub fn has_tables(to: &Database) -> bool {
    to.query("SELECT to_regclass('deployment') IS NOT NULL") == ["true"]
}

/// Whether servers may start on the target.
pub fn is_complete(to: &Database) -> bool {
    to.query("SELECT migrated FROM deployment") == ["true"]
}

/// How many rows a table of the target has; none where it is not there.
pub fn rows(to: &Database, table: &str) -> i64 {
    if !has_tables(to) {
        return 0;
    }
    to.query_i64(&format!("SELECT count(*) FROM {table}"))
}

/// Starts a server on a database, which must refuse to, and returns its sentence.
pub fn refuses_to_start(database: &Database) -> String {
    let url = database.url();
    let ended = run(&[
        "serve",
        "--listen=127.0.0.1:0",
        "--store-timeout=500ms",
        "--database-url",
        &url,
    ]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    ended.stderr.lines().last().unwrap_or_default().to_owned()
}

/// Keeps the command from finishing, from when the target's tables are there until this is dropped: it copies,
/// and then waits for whoever has written to a table before it compares.
pub fn hold(to: &Database) -> PgConnection {
    let mut connection = PgConnection::establish(&to.url()).expect("it can be connected to");
    connection
        .batch_execute("BEGIN; LOCK TABLE contacts IN ROW EXCLUSIVE MODE")
        .expect("the table is there");
    connection
}

/// The command, while it runs. It is killed when this is dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it.
    pub fn start(from: &Database, to: &Database) -> Running {
        let child = shielded(Command::new(BINARY))
            .args(["migrate-data", "--from", &from.url(), "--to", &to.url()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        Running { child }
    }

    /// Waits until the target is at a certain point, which it must be at before the command ends.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, is_there: impl Fn() -> bool) {
        let deadline = Instant::now() + 3 * DEADLINE;
        while !is_there() {
            let ended = self.child.try_wait().expect("it can be waited for");
            assert_eq!(ended, None, "it ended before {what}");
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it as `kill -9` does; it must not have ended by itself.
    pub fn kill9(mut self) {
        self.child.kill().expect("it can be killed");
        let status = self.child.wait().expect("it can be waited for");
        assert_eq!(status.code(), None, "it had ended by itself: {status}");
    }

    /// Sends it a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(status.expect("kill can be run").success());
    }

    /// Waits until it has ended by itself: how, and its last sentence.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + 6 * DEADLINE;
        while self
            .child
            .try_wait()
            .expect("it can be waited for")
            .is_none()
        {
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait().expect("it can be waited for");
        let stderr = self.child.stderr.take().expect("stderr is piped");
        let lines = BufReader::new(stderr).lines().map_while(Result::ok);
        (status, lines.last().unwrap_or_default())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
