//! Paging through history: how long a page is, where it ends, and that a walk meets every message.

use crate::common::{many_ids, send_all, with};
use crate::support::client::message_ids;
use crate::support::{Client, Server, frames};

/// Where a page ends, however few messages it holds.
const PAGE_BYTES: usize = 512 * 1024;

#[tokio::test]
async fn a_page_holds_10_messages_unless_asked_otherwise_and_1_to_100_whatever_is_asked() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, 120).await;
    send_all(&mut client, "HK0002", &ids).await;
    let sizes = [
        (None, 10),
        (Some(1), 1),
        (Some(2), 2),
        (Some(99), 99),
        (Some(100), 100),
        (Some(101), 100),
        (Some(1_000_000), 100),
        (Some(i64::MAX), 100),
        (Some(0), 1),
        (Some(-5), 1),
        (Some(i64::MIN), 1),
    ];
    for (asked, given) in sizes {
        for partner in [Some("HK0002"), None] {
            let page = client.history(partner, None, asked).await;
            assert_eq!(
                message_ids(&page),
                ids[120 - given..],
                "a page of {asked:?}"
            );
        }
    }
    let null = with(
        frames::history("HK0001", None, None, None),
        "/pageSize",
        serde_json::Value::Null,
    );
    client.send(null).await;
    let page = client.next().await;
    assert_eq!(
        page["historyMsgs"].as_array().map(Vec::len),
        Some(10),
        "null is no size"
    );
}

#[tokio::test]
async fn a_page_ends_just_before_its_base() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, 30).await;
    send_all(&mut client, "HK0002", &ids).await;
    for (base, size, expected) in [
        (29, 5, 24..29),
        (15, 10, 5..15),
        (10, 10, 0..10),
        (7, 10, 0..7),
        (1, 10, 0..1),
        (0, 10, 0..0),
    ] {
        let page = client
            .history(Some("HK0002"), Some(&ids[base]), Some(size))
            .await;
        assert_eq!(
            message_ids(&page),
            ids[expected],
            "{size} before number {base}"
        );
    }
}

#[tokio::test]
async fn a_page_before_a_base_does_not_change_when_newer_messages_come() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, 40).await;
    send_all(&mut client, "HK0002", &ids[..20]).await;
    let before = client
        .history(Some("HK0002"), Some(&ids[15]), Some(10))
        .await;
    send_all(&mut client, "HK0002", &ids[20..]).await;
    assert_eq!(
        client
            .history(Some("HK0002"), Some(&ids[15]), Some(10))
            .await,
        before
    );
}

#[tokio::test]
async fn a_thousand_messages_sent_out_of_the_order_of_their_ids_are_each_met_once() {
    const MESSAGES: usize = 1000;
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, MESSAGES).await;
    // A step that shares no factor with 1000 meets every ID once, far out of order.
    let sent: Vec<String> = (0..MESSAGES)
        .map(|n| ids[n * 617 % MESSAGES].clone())
        .collect();
    send_all(&mut client, "HK0002", &sent).await;

    assert_eq!(walk(&mut client, Some("HK0002"), 37).await, sent);
    assert_eq!(walk(&mut client, None, 100).await, sent);
    let mut other_side = Client::connect(&server, "HK0002").await;
    assert_eq!(walk(&mut other_side, Some("HK0001"), 64).await, sent);
}

#[tokio::test]
async fn a_walk_of_all_conversations_meets_every_message_of_many_partners_once() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let mut ids = many_ids(&mut client, 200).await;
    ids.reverse();
    for (index, id) in ids.iter().enumerate() {
        let to = format!("partner-{}", index % 7);
        client.message(id, &to, "text").await;
        client.expect_status(&to, "HK0001", id, 1).await;
    }
    assert_eq!(walk(&mut client, None, 11).await, ids);
    let of_third: Vec<_> = ids.iter().skip(3).step_by(7).cloned().collect();
    assert_eq!(walk(&mut client, Some("partner-3"), 4).await, of_third);
}

#[tokio::test]
async fn a_page_of_large_messages_ends_at_512_kib_and_the_walk_goes_on_from_there() {
    const MESSAGES: usize = 40;
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, MESSAGES).await;
    let large = "x".repeat(32 * 1024);
    for id in &ids {
        client.message(id, "HK0002", &large).await;
        client.expect_status("HK0002", "HK0001", id, 1).await;
    }

    client
        .send(frames::history("HK0001", Some("HK0002"), None, Some(100)))
        .await;
    let page = client.next_text().await;
    assert!(
        page.len() <= PAGE_BYTES + 1024,
        "a page of {} bytes",
        page.len()
    );
    assert!(
        page.len() >= PAGE_BYTES - 34 * 1024,
        "one more would have fitted into {}",
        page.len()
    );

    assert_eq!(walk(&mut client, Some("HK0002"), 100).await, ids);
    assert_eq!(walk(&mut client, None, 100).await, ids);
}

/// The IDs of all messages, oldest first, found by paging back from the newest until a page is empty.
async fn walk(client: &mut Client, partner: Option<&str>, page_size: i64) -> Vec<String> {
    let mut pages: Vec<Vec<String>> = Vec::new();
    loop {
        let base = pages.last().map(|page| page[0].as_str());
        let page = client.history(partner, base, Some(page_size)).await;
        if page.is_empty() {
            pages.reverse();
            return pages.concat();
        }
        pages.push(message_ids(&page));
    }
}
