//! Action 12: whose messages a page shows, and with which status.

use serde_json::{Value, json};

use crate::common::{refused, refused_for_field, send_all, with};
use crate::support::client::message_ids;
use crate::support::{Client, Server, frames};

#[tokio::test]
async fn a_conversation_holds_both_directions_and_nothing_else() {
    let server = Server::start();
    let mut first = Client::connect(&server, "HK0001").await;
    let mut second = Client::connect(&server, "HK0002").await;
    let mut third = Client::connect(&server, "HK0003").await;
    let mut conversation = Vec::new();
    for _ in 0..3 {
        let id = first.deliver("HK0002", "there").await;
        second
            .expect_message("HK0001", "HK0002", &id, "there")
            .await;
        conversation.push(id);
        let id = second.deliver("HK0001", "back").await;
        first.expect_message("HK0002", "HK0001", &id, "back").await;
        conversation.push(id);
        let id = third.deliver("HK0001", "aside").await;
        first.expect_message("HK0003", "HK0001", &id, "aside").await;
        let id = second.deliver("HK0003", "elsewhere").await;
        third
            .expect_message("HK0002", "HK0003", &id, "elsewhere")
            .await;
    }
    let of_first = first.history(Some("HK0002"), None, None).await;
    let of_second = second.history(Some("HK0001"), None, None).await;
    assert_eq!(message_ids(&of_first), conversation);
    assert_eq!(of_first, of_second, "both sides see the same page");
    let whole = json!({
        "fromId": "HK0002", "toId": "HK0001",
        "chatMsg": {"id": conversation[5], "type": 0, "message": "back", "status": 1, "time": frames::TIME},
    });
    assert_eq!(of_first[5], whole);
}

#[tokio::test]
async fn without_a_partner_the_page_holds_all_conversations_of_the_user_in_one_order() {
    let server = Server::start();
    let mut first = Client::connect(&server, "HK0001").await;
    let mut second = Client::connect(&server, "HK0002").await;
    let mut third = Client::connect(&server, "HK0003").await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(first.deliver("HK0002", "to the second").await);
        all.push(third.deliver("HK0001", "from the third").await);
        first.next().await;
        second.next().await;
        all.push(second.deliver("HK0001", "from the second").await);
        first.next().await;
        second.deliver("HK0003", "between others").await;
        third.next().await;
    }
    let page = first.history(None, None, Some(100)).await;
    assert_eq!(message_ids(&page), all);
    let page = first.history(None, Some(&all[5]), Some(4)).await;
    assert_eq!(
        message_ids(&page),
        all[1..5],
        "a base may be of any of one's conversations"
    );
}

#[tokio::test]
async fn history_shows_the_real_status_of_each_message() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let ids = sender.ids().await;
    send_all(&mut sender, "HK0002", &ids[..4]).await;
    for id in &ids[..4] {
        reader.expect_message("HK0001", "HK0002", id, id).await;
    }
    for id in [&ids[1], &ids[2]] {
        reader.read(id, "HK0001").await;
        sender.expect_status("HK0002", "HK0001", id, 2).await;
    }
    for (client, partner) in [(&mut sender, "HK0002"), (&mut reader, "HK0001")] {
        for partner in [Some(partner), None] {
            let page = client.history(partner, None, None).await;
            let statuses: Vec<_> = page.iter().map(|item| &item["chatMsg"]["status"]).collect();
            assert_eq!(statuses, [1, 2, 2, 1]);
        }
    }
}

#[tokio::test]
async fn nobody_sees_a_conversation_of_others() {
    let server = Server::start();
    let mut first = Client::connect(&server, "HK0001").await;
    first.deliver("HK0002", "private").await;
    let mut third = Client::connect(&server, "HK0003").await;
    for partner in [Some("HK0001"), Some("HK0002"), Some("HK0003"), None] {
        assert!(
            third.history(partner, None, None).await.is_empty(),
            "with {partner:?}"
        );
    }
}

#[tokio::test]
async fn a_partner_one_never_wrote_with_or_who_does_not_exist_gives_an_empty_page() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    client.deliver("HK0002", "text").await;
    Client::connect(&server, "HK0003").await;
    for partner in ["HK0003", "nobody", "HK0001"] {
        client
            .send(frames::history("HK0001", Some(partner), None, None))
            .await;
        client
            .expect(&format!(
                r#"{{"action":"12","fromId":"HK0001","toId":"{partner}","historyMsgs":[]}}"#
            ))
            .await;
    }
}

#[tokio::test]
async fn an_empty_or_null_partner_or_base_is_none() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let id = client.deliver("HK0002", "text").await;
    for nothing in [json!(""), Value::Null] {
        let frame = frames::history("HK0001", None, None, None);
        let frame = with(with(frame, "/toId", nothing.clone()), "/baseMsgId", nothing);
        client.send(frame).await;
        let page = client.next().await;
        assert_eq!(page.get("toId"), None, "no partner is mirrored: {page}");
        assert_eq!(page["historyMsgs"][0]["chatMsg"]["id"], id);
    }
}

#[tokio::test]
async fn a_base_outside_of_what_is_asked_for_is_an_unknown_message() {
    let server = Server::start();
    let mut first = Client::connect(&server, "HK0001").await;
    let mut second = Client::connect(&server, "HK0002").await;
    let with_second = first.deliver("HK0002", "text").await;
    second
        .expect_message("HK0001", "HK0002", &with_second, "text")
        .await;
    let with_third = first.deliver("HK0003", "text").await;
    let of_others = second.deliver("HK0003", "text").await;
    let unspent = first.id().await;

    let cases = [
        (Some("HK0002"), &with_third, "of another conversation"),
        (Some("HK0003"), &with_second, "of another conversation"),
        (
            Some("HK0001"),
            &with_second,
            "of another conversation than that with oneself",
        ),
        (
            Some("nobody"),
            &with_second,
            "of no conversation with nobody",
        ),
        (
            Some("HK0002"),
            &of_others,
            "of the partner, but with somebody else",
        ),
        (None, &of_others, "of somebody else"),
        (None, &unspent, "granted, but never sent"),
        (None, &"MSG900000".to_owned(), "never issued"),
    ];
    for (partner, base, what) in cases {
        let frame = frames::history("HK0001", partner, Some(base), None);
        let error = refused(&mut first, frame, "unknown_message", "12").await;
        assert_eq!(
            error["chatMsg"],
            json!({"id": base}),
            "a base {what}: {error}"
        );
        assert_eq!(error["error"]["retryable"], false);
    }
    // The same bases are good where they belong.
    for (partner, base) in [
        (Some("HK0002"), &with_second),
        (Some("HK0003"), &with_third),
        (None, &with_third),
    ] {
        first.history(partner, Some(base), None).await;
    }
}

#[tokio::test]
async fn a_page_size_that_is_no_whole_number_is_a_bad_frame() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for size in [json!("10"), json!(1.5), json!(true), json!([]), json!({})] {
        let frame = with(
            frames::history("HK0001", None, None, None),
            "/pageSize",
            size,
        );
        refused_for_field(&mut client, frame, "12", "pageSize").await;
    }
}

#[tokio::test]
async fn history_outlives_a_restart_and_is_the_same_after_it() {
    let mut server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = client.ids().await;
    send_all(&mut client, "HK0002", &ids).await;
    let before = client.history(Some("HK0002"), None, Some(100)).await;
    assert_eq!(message_ids(&before), ids);
    server.kill9();
    server.restart();
    let mut client = Client::connect(&server, "HK0001").await;
    assert_eq!(
        client.history(Some("HK0002"), None, Some(100)).await,
        before
    );
}
