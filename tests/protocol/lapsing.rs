//! Grants of message IDs that grow old.

use crate::common::refused;
use crate::support::{Client, Server, frames};

const DAY: i64 = 24 * 60 * 60;
const HOUR: i64 = 60 * 60;

/// Makes all grants older by so many seconds, in the database of a server that does not run.
fn age_grants(server: &Server, seconds: i64) {
    let age = format!("UPDATE grants SET granted_at = granted_at - {seconds}");
    server.database().execute(&age);
}

#[tokio::test]
async fn a_grant_not_spent_in_thirty_days_lapses_and_what_was_spent_stays_acknowledged() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let ids = sender.ids().await;
    sender.message(&ids[0], "HK0002", "in time").await;
    sender.expect_status("HK0002", "HK0001", &ids[0], 1).await;

    server.kill9();
    age_grants(&server, 30 * DAY - HOUR);
    server.restart();
    let mut sender = Client::connect(&server, "HK0001").await;
    sender.message(&ids[1], "HK0002", "just in time").await;
    sender.expect_status("HK0002", "HK0001", &ids[1], 1).await;

    server.kill9();
    age_grants(&server, 2 * HOUR);
    server.restart();
    let mut sender = Client::connect(&server, "HK0001").await;
    let late = frames::message("HK0001", "HK0002", &ids[2], "too late");
    let error = refused(&mut sender, late, "id_not_granted", "3").await;
    assert_eq!(error["chatMsg"]["id"], *ids[2], "{error}");
    assert_eq!(error["error"]["retryable"], false, "{error}");
    for (id, text) in [(&ids[0], "in time"), (&ids[1], "just in time")] {
        sender.message(id, "HK0002", text).await;
        sender.expect_status("HK0002", "HK0001", id, 1).await;
    }
    let fresh = sender.ids().await;
    assert!(fresh.iter().all(|id| !ids.contains(id)), "{fresh:?}");
    sender.message(&fresh[0], "HK0002", "anew").await;
    sender.expect_status("HK0002", "HK0001", &fresh[0], 1).await;
    let page = sender.history(Some("HK0002"), None, None).await;
    assert_eq!(page.len(), 3, "each message once: {page:?}");
}
