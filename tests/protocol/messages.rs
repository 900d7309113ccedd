//! Action 3: who gets a message, in which order, and who gets its acknowledgement.

use crate::common::{all_until_now, many_ids, send_all};
use crate::support::client::message_ids;
use crate::support::{Client, Server, frames};

#[tokio::test]
async fn every_device_of_both_gets_the_message_and_the_senders_devices_its_acknowledgement() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let mut readers = [
        Client::connect(&server, "HK0002").await,
        Client::connect(&server, "HK0002").await,
        Client::connect(&server, "HK0002").await,
    ];
    let ids = phone.ids().await;
    // The second message shows that the first brought nothing more than what is taken here.
    for id in &ids[..2] {
        phone.message(id, "HK0002", "hello").await;
        phone.expect_status("HK0002", "HK0001", id, 1).await;
        tablet.expect_message("HK0001", "HK0002", id, "hello").await;
        tablet.expect_status("HK0002", "HK0001", id, 1).await;
        for reader in &mut readers {
            reader.expect_message("HK0001", "HK0002", id, "hello").await;
        }
    }
    readers[2].assert_timeline_silent().await;
    phone.assert_silent().await;
    tablet.assert_silent().await;
}

#[tokio::test]
async fn nobody_else_sees_anything_of_a_message() {
    let server = Server::start();
    let mut stranger = Client::connect(&server, "HK0003").await;
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = sender.deliver("HK0002", "between two").await;
    reader
        .expect_message("HK0001", "HK0002", &id, "between two")
        .await;
    reader.read(&id, "HK0001").await;
    sender.expect_status("HK0002", "HK0001", &id, 2).await;
    stranger.assert_timeline_silent().await;
    assert_eq!(
        stranger.contacts().await.len(),
        1,
        "only the stranger itself"
    );
}

#[tokio::test]
async fn a_message_to_oneself_comes_once_to_every_device_and_is_acknowledged_on_all() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let ids = phone.ids().await;
    for id in &ids[..3] {
        phone.message(id, "HK0001", "note to self").await;
        for device in [&mut phone, &mut tablet] {
            device
                .expect_message("HK0001", "HK0001", id, "note to self")
                .await;
            device.expect_status("HK0001", "HK0001", id, 1).await;
        }
    }
    let page = phone.history(Some("HK0001"), None, None).await;
    assert_eq!(message_ids(&page), ids[..3], "history shows each once");
    let page = tablet.history(None, None, None).await;
    assert_eq!(
        message_ids(&page),
        ids[..3],
        "and so does that of all conversations"
    );
    assert_eq!(
        phone.contacts().await,
        [("HK0001".to_owned(), "HK0001".to_owned())]
    );
}

#[tokio::test]
async fn a_user_who_never_connected_can_be_written_to_and_gets_it_later() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.deliver("newcomer", "welcome").await;
    let mut newcomer = Client::connect(&server, "newcomer").await;
    newcomer
        .expect_message("HK0001", "newcomer", &id, "welcome")
        .await;
}

#[tokio::test]
async fn messages_sent_in_one_go_are_acknowledged_and_delivered_in_that_order() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let mut ids = many_ids(&mut sender, 200).await;
    // IDs are no order: the last one is sent first.
    ids.reverse();
    send_all(&mut sender, "HK0002", &ids).await;
    for id in &ids {
        reader.expect_message("HK0001", "HK0002", id, id).await;
    }
}

#[tokio::test]
async fn requests_of_one_action_are_answered_in_their_order() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, 30).await;
    send_all(&mut client, "HK0002", &ids).await;
    for id in &ids {
        client
            .send(frames::history("HK0001", Some("HK0002"), Some(id), Some(1)))
            .await;
    }
    for (index, _) in ids.iter().enumerate() {
        let page = client.next().await;
        let expected = index.checked_sub(1).map(|before| ids[before].as_str());
        assert_eq!(
            page["historyMsgs"][0]["chatMsg"]["id"].as_str(),
            expected,
            "request {index}"
        );
    }
}

#[tokio::test]
async fn a_request_sees_what_its_connection_was_answered_before() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for round in 0..50 {
        let to = format!("partner-{round}");
        let id = client.deliver(&to, "hello").await;
        let page = client.history(Some(&to), None, None).await;
        assert_eq!(
            message_ids(&page),
            [id],
            "the message was acknowledged, so history has it"
        );
        let contacts = client.contacts().await;
        assert!(
            contacts.contains(&(to.clone(), to.clone())),
            "{to} is a contact by now"
        );
    }
}

#[tokio::test]
async fn all_devices_see_a_conversation_in_the_order_that_history_shows() {
    const EACH: usize = 60;
    let server = Server::start();
    let mut first = Client::connect(&server, "HK0001").await;
    let mut second = Client::connect(&server, "HK0002").await;
    let mut first_watcher = Client::connect(&server, "HK0001").await;
    let mut second_watcher = Client::connect(&server, "HK0002").await;
    let first_ids = many_ids(&mut first, EACH).await;
    let second_ids = many_ids(&mut second, EACH).await;

    // Both write at once; the watchers, who write nothing, get every message as a frame.
    let write = async |client: &mut Client, to: &str, ids: &[String]| {
        for id in ids {
            client.message(id, to, id).await;
        }
    };
    let watch = async |client: &mut Client| {
        let mut seen = Vec::new();
        while seen.len() < 2 * EACH {
            let frame = client.next().await;
            if frame["action"] == "3" {
                seen.push(frame["chatMsg"]["id"].as_str().unwrap().to_owned());
            }
        }
        seen
    };
    let (_, _, at_first, at_second) = tokio::join!(
        write(&mut first, "HK0002", &first_ids),
        write(&mut second, "HK0001", &second_ids),
        watch(&mut first_watcher),
        watch(&mut second_watcher),
    );
    assert_eq!(at_first, at_second, "both sides see one order");

    let newest = first_watcher.history(Some("HK0002"), None, Some(100)).await;
    let newest = message_ids(&newest);
    let older = first_watcher
        .history(Some("HK0002"), Some(&newest[0]), Some(100))
        .await;
    assert_eq!(
        [message_ids(&older), newest].concat(),
        at_first,
        "and it is that of history"
    );
}

#[tokio::test]
async fn a_senders_other_device_gets_each_message_before_its_acknowledgement() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut phone, 100).await;
    send_all(&mut phone, "HK0002", &ids).await;
    let mut delivered = Vec::new();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < ids.len() {
        let frame = tablet.next().await;
        let id = frame["chatMsg"]["id"].as_str().unwrap().to_owned();
        if frame["action"] == "3" {
            delivered.push(id);
        } else {
            assert_eq!(frame["chatMsg"]["status"], 1, "{frame}");
            assert!(
                delivered.contains(&id),
                "status 1 of {id} came before its frame"
            );
            acknowledged.push(id);
        }
    }
    assert_eq!(delivered, ids);
    assert_eq!(acknowledged, ids);
}

#[tokio::test]
async fn two_users_who_write_to_a_third_are_both_delivered_once() {
    let server = Server::start();
    let mut reader = Client::connect(&server, "HK0003").await;
    let mut writers = [
        Client::connect(&server, "HK0001").await,
        Client::connect(&server, "HK0002").await,
    ];
    let mut sent = Vec::new();
    for _ in 0..10 {
        for writer in &mut writers {
            let id = writer.deliver("HK0003", "text").await;
            sent.push(frames::message_text(writer.user(), "HK0003", &id, "text"));
        }
    }
    assert_eq!(all_until_now(&mut reader, &mut writers[0]).await, sent);
}
