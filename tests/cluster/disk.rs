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

/// Under load, again and again: while the store fails, everybody is told so, and the health check and the log say it;
/// afterwards everybody goes on, and nothing acknowledged is lost.
async fn everybody_goes_through(says: &str, begin: impl Fn(&Ground), end: impl Fn(&Ground)) {
    let ground = Ground::new(ON_A_FILE);
    let node = ground.node(0);
    let load = Load::start(&ground).await;
    for _ in 0..rounds() {
        begin(&ground);
        health::becomes(node, Health::Red).await;
        newcomer_is_refused(node).await;
        load.is_refused_at(0).await;
        health::becomes(node, Health::Red).await;
        end(&ground);
        health::becomes(node, Health::Green).await;
        load.goes_on().await;
    }
    load.settle(&ground).await;
    let log = node.log();
    assert!(log.contains(says), "{says:?} is not in the log:\n{log}");
    let check = "SELECT integrity_check FROM pragma_integrity_check";
    assert_eq!(ground.database().query(check), ["ok"]);
}

async fn the_disk_fails(error: DiskError, says: &str) {
    let begin = |ground: &Ground| ground.shim().order_disk_error(Some(error));
    let end = |ground: &Ground| ground.shim().order_disk_error(None);
    everybody_goes_through(says, begin, end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full() {
    the_disk_fails(
        DiskError::Full,
        "the store fails: the database failed: database or disk is full",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_can_only_be_read() {
    the_disk_fails(
        DiskError::ReadOnly,
        "the store fails: the database failed: disk I/O error",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_breaks() {
    the_disk_fails(
        DiskError::Broken,
        "the store fails: the database failed: disk I/O error",
    )
    .await;
}

/// The files of the database that are there, and where they are put when they are taken away.
fn moves(database: &Path) -> Vec<(PathBuf, PathBuf)> {
    let away = |ending: &str| {
        let name = format!("{}{ending}", database.display());
        (PathBuf::from(&name), PathBuf::from(format!("{name}.away")))
    };
    ["", "-wal"].map(away).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_moved_away_and_back() {
    let begin = |ground: &Ground| {
        for (here, away) in moves(ground.database().path()) {
            fs::rename(here, away).expect("a file can be moved");
        }
    };
    let end = |ground: &Ground| {
        for (here, away) in moves(ground.database().path()) {
            fs::rename(away, here).expect("a file can be moved");
        }
    };
    everybody_goes_through("is not where it was", begin, end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_the_database_is_moved_away_and_back() {
    let begin = |ground: &Ground| {
        let (here, away) = &moves(ground.database().path())[1];
        fs::rename(here, away).expect("a file can be moved");
    };
    let end = |ground: &Ground| {
        let (here, away) = &moves(ground.database().path())[1];
        fs::rename(away, here).expect("a file can be moved");
    };
    everybody_goes_through("is not where it was", begin, end).await;
}

/// A node without load notices, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_file_is_put_in_the_place_of_the_database() {
    let ground = Ground::new(ON_A_FILE);
    let node = ground.node(0);
    let (here, away) = &moves(ground.database().path())[0];
    health::becomes(node, Health::Green).await;
    fs::rename(here, away).expect("a file can be moved");
    fs::copy(away, here).expect("a file can be copied");
    health::becomes(node, Health::Red).await;
    newcomer_is_refused(node).await;
    fs::rename(away, here).expect("a file can be moved");
    health::becomes(node, Health::Green).await;
    let mut client = Client::connect(node, "newcomer").await;
    assert_eq!(client.ids().await.len(), 10);
}
