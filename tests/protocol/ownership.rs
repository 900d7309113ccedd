//! Action 2: IDs are issued once, ever, and belong to the user they were granted to.

use std::collections::HashSet;

use serde_json::json;

use crate::common::refused;
use crate::support::{Client, Server, frames};

/// Sends a message under `id`, which must not be this client's to use.
async fn assert_not_granted(client: &mut Client, id: &str) {
    let frame = frames::message(client.user(), "HK0009", id, "text");
    let error = refused(client, frame, "id_not_granted", "3").await;
    assert_eq!(error["chatMsg"], json!({"id": id}));
    assert_eq!(error["error"]["retryable"], false);
}

#[tokio::test]
async fn an_id_that_was_never_granted_is_refused() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    assert_not_granted(&mut client, "MSG000001").await;
    client.ids().await;
    assert_not_granted(&mut client, "MSG000011").await;
    assert!(
        client.history(None, None, None).await.is_empty(),
        "nothing was stored"
    );
    assert!(client.contacts().await.is_empty(), "and no contact made");
}

#[tokio::test]
async fn an_id_of_another_user_is_refused_whether_spent_or_not() {
    let mut server = Server::start();
    let mut owner = Client::connect(&server, "HK0001").await;
    let mut thief = Client::connect(&server, "HK0002").await;
    let ids = owner.ids().await;
    owner.message(&ids[0], "HK0009", "text").await;
    owner.expect_status("HK0009", "HK0001", &ids[0], 1).await;
    assert_not_granted(&mut thief, &ids[0]).await;
    assert_not_granted(&mut thief, &ids[1]).await;

    server.restart();
    let mut thief = Client::connect(&server, "HK0002").await;
    assert_not_granted(&mut thief, &ids[0]).await;
    assert_not_granted(&mut thief, &ids[1]).await;
    let mut owner = Client::connect(&server, "HK0001").await;
    owner.message(&ids[1], "HK0009", "still mine").await;
    owner.expect_status("HK0009", "HK0001", &ids[1], 1).await;
}

#[tokio::test]
async fn the_recipient_of_a_message_cannot_send_under_its_id() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    let id = sender.deliver("HK0002", "text").await;
    reader.expect_message("HK0001", "HK0002", &id, "text").await;
    assert_not_granted(&mut reader, &id).await;
}

#[tokio::test]
async fn a_granted_id_is_good_on_every_connection_of_its_user_and_after_all_have_gone() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let ids = phone.ids().await;
    tablet.message(&ids[0], "HK0002", "from the tablet").await;
    tablet.expect_status("HK0002", "HK0001", &ids[0], 1).await;
    phone.close().await;
    tablet.close().await;
    let mut later = Client::connect(&server, "HK0001").await;
    later.message(&ids[1], "HK0002", "later").await;
    later.expect_status("HK0002", "HK0001", &ids[1], 1).await;
}

#[tokio::test]
async fn ids_are_never_issued_twice_by_a_server_that_is_killed_again_and_again() {
    let mut server = Server::start();
    let mut issued = HashSet::new();
    for life in 0..5 {
        let mut clients = [
            Client::connect(&server, "HK0001").await,
            Client::connect(&server, "HK0002").await,
        ];
        for _ in 0..15 {
            for client in &mut clients {
                for id in client.ids().await {
                    assert!(
                        issued.insert(id.clone()),
                        "{id} was issued again in life {life}"
                    );
                }
            }
        }
        server.kill9();
        server.restart();
    }
    assert_eq!(issued.len(), 5 * 15 * 2 * 10);
}

#[tokio::test]
async fn ids_asked_for_by_many_at_once_are_all_different() {
    let server = Server::start();
    let mut asking = tokio::task::JoinSet::new();
    for index in 0..8 {
        let mut client = Client::connect(&server, &format!("user-{index}")).await;
        asking.spawn(async move {
            for _ in 0..10 {
                client.send(frames::get_ids(client.user())).await;
            }
            let mut ids = Vec::new();
            for _ in 0..10 {
                ids.extend(crate::support::client::split_ids(&client.next().await));
            }
            ids
        });
    }
    let all: Vec<String> = asking.join_all().await.concat();
    let different: HashSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (800, 800));
}
