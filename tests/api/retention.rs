//! What is old goes, and nothing else, beside the traffic.

use super::admin::server_with;
use super::support::client::message_ids;
use super::support::command::run;
use super::support::{Client, Server, http, within};

const DAY: i64 = 24 * 3600;

/// Makes the messages with these IDs, and all grants, older.
fn age(server: &Server, ids: &[&String], days: i64) {
    let numbers: Vec<String> = ids
        .iter()
        .map(|id| id[3..].trim_start_matches('0').to_owned())
        .collect();
    let (numbers, seconds) = (numbers.join(", "), days * DAY);
    server.database().execute(&format!(
        "UPDATE messages SET stored_at = stored_at - {seconds} WHERE id IN ({numbers})"
    ));
    server.database().execute(&format!(
        "UPDATE grants SET granted_at = granted_at - {seconds}"
    ));
}

async fn removed(server: &Server, count: i64) {
    let what = format!("{count} messages to be removed");
    within(&what, async {
        loop {
            let mut sum = 0;
            for node in server.nodes() {
                let metrics = http::get_at(node.port(), "/metrics").await.body;
                let line = metrics
                    .lines()
                    .find_map(|line| line.strip_prefix("yanshu_removed_messages_total "));
                sum += line.map_or(0, |number| number.parse::<i64>().unwrap());
            }
            if sum >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn read_messages_go_when_they_are_old_with_their_receipts_and_all_else_stays() {
    let mut server = server_with(&["--retain=90d"]);
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let mut ids = Vec::new();
    for text in ["old and read", "old and unread", "new and read", "younger"] {
        let id = ann.deliver("bob", text).await;
        bob.expect_message("ann", "bob", &id, text).await;
        if text != "old and unread" {
            bob.read(&id, "ann").await;
            ann.expect_status("bob", "ann", &id, 2).await;
        }
        ids.push(id);
    }
    server.kill9();
    age(&server, &[&ids[0], &ids[1]], 91);
    age(&server, &[&ids[3]], 89);
    server.restart();
    removed(&server, 1).await;
    let left = || server.database().query_i64("SELECT count(*) FROM messages");
    assert_eq!(left(), 3);
    let grants = "SELECT count(*) FROM grants";
    within("lapsed grants to go", async {
        while server.database().query_i64(grants) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut ann = Client::connect(&server, "ann").await;
    // No device of hers has shown that it was told, and of the one that is gone nobody is.
    for id in [&ids[2], &ids[3]] {
        ann.expect_status("bob", "ann", id, 2).await;
    }
    let page = ann.history(Some("bob"), None, None).await;
    assert_eq!(message_ids(&page), ids[1..]);
    // Sent again it is not taken for a new one, and nobody can act on it.
    ann.message(&ids[0], "bob", "old and read").await;
    ann.expect_error("id_not_granted").await;
    let mut bob = Client::connect(&server, "bob").await;
    bob.expect_message("ann", "bob", &ids[1], "old and unread")
        .await;
    bob.read(&ids[0], "ann").await;
    bob.expect_error("unknown_message").await;
    bob.assert_silent().await;
    let again = ann.deliver("bob", "and on").await;
    bob.expect_message("ann", "bob", &again, "and on").await;
}

#[tokio::test]
async fn thousands_go_while_others_write() {
    let mut server = server_with(&["--retain=31d"]);
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    ann.deliver("bob", "hello").await;
    let _ = bob.next().await;
    server.kill9();
    let rows = "SELECT 100000 + i AS id FROM n";
    server.database().execute(&format!(
        "INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, lo, hi, lo_seq, kind,
             body, sent_at, status, origin, stored_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         SELECT id, 7001, 7002, id, id, 7001, 7002, id, 0, 'old', '2021-12-14 12:00:00', 2, 7, 1600000000
         FROM ({rows}) AS old"
    ));
    server.database().execute(
        "INSERT INTO receipts (user_id, seq, message_id, origin)
         SELECT sender, sender_seq, id, 0 FROM messages WHERE sender = 7001 AND id < 104999",
    );
    server.restart();
    let mut ann = Client::connect(&server, "ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let _ = bob.next().await;
    let writing = async {
        let mut sent = 0;
        loop {
            let id = ann.deliver("bob", "text").await;
            bob.expect_message("ann", "bob", &id, "text").await;
            sent += 1;
            if server
                .database()
                .query_i64("SELECT count(*) FROM messages WHERE sender = 7001")
                == 0
            {
                return sent;
            }
        }
    };
    let sent = within("all old messages to go", writing).await;
    removed(&server, 5_000).await;
    let kept = server.database().query_i64("SELECT count(*) FROM messages");
    assert_eq!(kept, sent + 1);
    assert_eq!(
        server.database().query_i64("SELECT count(*) FROM receipts"),
        0
    );
}

#[tokio::test]
async fn a_time_in_which_an_id_could_be_spent_twice_is_refused() {
    for wrong in ["30d", "1s", "x"] {
        let ended = run(&["serve", "--listen=127.0.0.1:0", "--retain", wrong]);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains("--retain"), "{}", ended.stderr);
    }
}
