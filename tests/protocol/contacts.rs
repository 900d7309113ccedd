//! Action 11: who is on whose list, in which order, and when.

use crate::support::{Client, Server};

/// A contact nobody has named.
fn unnamed(id: &str) -> (String, String) {
    (id.to_owned(), id.to_owned())
}

#[tokio::test]
async fn a_new_user_has_no_contacts() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    client
        .send(crate::support::frames::contacts("HK0001"))
        .await;
    client
        .expect(r#"{"action":"11","toId":"HK0001","contacts":[]}"#)
        .await;
}

#[tokio::test]
async fn writing_to_somebody_makes_each_a_contact_of_the_other() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut reader = Client::connect(&server, "HK0002").await;
    sender.deliver("HK0002", "text").await;
    assert_eq!(sender.contacts().await, [unnamed("HK0002")]);
    assert_eq!(reader.contacts().await, [unnamed("HK0001")]);
    // An answer makes nobody a contact twice.
    reader.next().await;
    reader.deliver("HK0001", "back").await;
    assert_eq!(sender.contacts().await, [unnamed("HK0002")]);
    assert_eq!(reader.contacts().await, [unnamed("HK0001")]);

    server.restart();
    let mut sender = Client::connect(&server, "HK0001").await;
    assert_eq!(sender.contacts().await, [unnamed("HK0002")]);
}

#[tokio::test]
async fn connecting_and_asking_make_no_contacts() {
    let server = Server::start();
    let mut first = Client::connect(&server, "HK0001").await;
    Client::connect(&server, "HK0002").await;
    first.history(Some("HK0002"), None, None).await;
    assert!(first.contacts().await.is_empty());
}

#[tokio::test]
async fn the_list_is_whole_and_ordered_by_id() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let mut partners: Vec<String> = (0..250).map(|n| format!("user-{}", n * 83 % 250)).collect();
    partners.extend(["B", "a", "_", "@", "0", "-", "."].map(str::to_owned));
    for partner in &partners {
        client.deliver(partner, "text").await;
    }
    partners.sort();
    let expected: Vec<_> = partners.iter().map(|id| unnamed(id)).collect();
    assert_eq!(client.contacts().await, expected);
}

#[tokio::test]
async fn the_demo_data_are_three_users_who_know_each_other_by_name() {
    let mut server = Server::with(&["--demo"]);
    let name = |id: &str, name: &str| (id.to_owned(), name.to_owned());
    // Starting with the demo data once more changes nothing.
    for _ in 0..2 {
        let mut client = Client::connect(&server, "HK0001").await;
        assert_eq!(
            client.contacts().await,
            [name("HK0002", "张三"), name("HK0003", "李四")]
        );
        server.restart();
    }
    let mut client = Client::connect(&server, "HK0009").await;
    client.deliver("HK0003", "I saw you in the demo").await;
    assert_eq!(client.contacts().await, [name("HK0003", "李四")]);
}

#[tokio::test]
async fn without_the_demo_flag_there_are_no_demo_data() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    assert!(client.contacts().await.is_empty());
}
