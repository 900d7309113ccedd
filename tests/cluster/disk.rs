//! The disk below a node on a file is full, cannot be written or breaks; or the file is not where it was.

use std::fs;
use std::path::{Path, PathBuf};

use super::ground::{Ground, Plan, TWO_NODES};
use super::health::{self, Health};
use super::load::Load;
use super::rounds;
use super::store_down::newcomer_is_refused;
use super::support::{Client, DiskError};

/// One node on a file.
pub const ON_A_FILE: Plan = Plan {
    nodes: 1,
    on_a_file: true,
    ..TWO_NODES
};

/// What can happen to the disk.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Error(DiskError),
    /// The files of the database with these endings are somewhere else.
    Moved(&'static [&'static str]),
}

impl Fault {
    fn begin(self, ground: &Ground) {
        match self {
            Fault::Error(error) => ground.shim().order_disk_error(Some(error)),
            Fault::Moved(endings) => {
                for ending in endings {
                    let (here, away) = places(ground.database().path(), ending);
                    fs::rename(here, away).expect("a file can be moved");
                }
            }
        }
    }

    fn end(self, ground: &Ground) {
        match self {
            Fault::Error(_) => ground.shim().order_disk_error(None),
            Fault::Moved(endings) => {
                for ending in endings {
                    let (here, away) = places(ground.database().path(), ending);
                    fs::rename(away, here).expect("a file can be moved");
                }
            }
        }
    }

    /// What the log says.
    fn said(self) -> &'static str {
        match self {
            Fault::Error(DiskError::Full) => "the database failed: database or disk is full",
            Fault::Error(_) => "the database failed: disk I/O error",
            Fault::Moved(_) => "the database is not where it was",
        }
    }
}

/// The place of such a file of the database, and where it is put when it is taken away.
fn places(database: &Path, ending: &str) -> (PathBuf, PathBuf) {
    let name = format!("{}{ending}", database.display());
    (PathBuf::from(&name), PathBuf::from(format!("{name}.away")))
}

/// Under load, one fault after the other: while it lasts everybody is told, and the health check says it; afterwards
/// everybody goes on, and nothing acknowledged is lost.
async fn everybody_goes_through(faults: &[Fault]) {
    let ground = Ground::new(ON_A_FILE);
    let node = ground.node(0);
    let load = Load::start(&ground).await;
    for fault in std::iter::repeat_n(faults, rounds() as usize).flatten() {
        fault.begin(&ground);
        health::becomes(node, Health::Red).await;
        newcomer_is_refused(node).await;
        load.is_refused_at(0).await;
        health::becomes(node, Health::Red).await;
        fault.end(&ground);
        health::becomes(node, Health::Green).await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
    let log = node.log();
    // A store that fails again and again is not logged each time.
    let said = faults[0].said();
    assert!(log.contains(said), "{said:?} is not in the log:\n{log}");
    let check = "SELECT integrity_check FROM pragma_integrity_check";
    assert_eq!(ground.database().query(check), ["ok"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full_and_then_breaks_and_then_can_only_be_read() {
    let errors = [DiskError::Full, DiskError::Broken, DiskError::ReadOnly];
    everybody_goes_through(&errors.map(Fault::Error)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_moved_away_and_back_and_then_its_log_alone() {
    everybody_goes_through(&[Fault::Moved(&["", "-wal"]), Fault::Moved(&["-wal"])]).await;
}

/// A node without load notices, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_file_is_put_in_the_place_of_the_database() {
    let ground = Ground::new(ON_A_FILE);
    let node = ground.node(0);
    let (here, away) = places(ground.database().path(), "");
    health::becomes(node, Health::Green).await;
    fs::rename(&here, &away).expect("a file can be moved");
    fs::copy(&away, &here).expect("a file can be copied");
    health::becomes(node, Health::Red).await;
    newcomer_is_refused(node).await;
    fs::rename(away, here).expect("a file can be moved");
    health::becomes(node, Health::Green).await;
    let mut client = Client::connect(node, "newcomer").await;
    assert_eq!(client.ids().await.len(), 10);
}

/// The deleted file whose name ended so, of which a process still has a descriptor.
fn deleted(process: u32, ending: &str) -> Vec<u8> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs");
    let mut paths = descriptors.map(|entry| entry.expect("they can be read").path());
    let is_it = |path: &PathBuf| {
        let link = fs::read_link(path).unwrap_or_default();
        let link = link.to_string_lossy().into_owned();
        link.ends_with(&format!("{ending} (deleted)"))
    };
    let path = paths.find(is_it).expect("it is open");
    fs::read(path).expect("it can be read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_database_is_copied_out_of_the_running_server() {
    let ground = Ground::new(ON_A_FILE);
    let node = ground.node(0);
    let mut ann = Client::connect(node, "ann").await;
    let sent = ann.deliver("bob", "before").await;
    let files = ["", "-wal"].map(|ending| places(ground.database().path(), ending).0);
    for file in &files {
        fs::remove_file(file).expect("it is there");
    }
    health::becomes(node, Health::Red).await;
    let saved = [".db", ".db-wal"].map(|ending| deleted(node.pid(), ending));
    ann.close().await;
    node.terminate().await;
    for (file, bytes) in files.iter().zip(saved) {
        fs::write(file, bytes).expect("it can be written");
    }
    node.restart();
    let mut bob = Client::connect(node, "bob").await;
    bob.expect_message("ann", "bob", &sent, "before").await;
}
