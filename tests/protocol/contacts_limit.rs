//! How many contacts messages make by themselves.

use std::fmt::Write;

use crate::imports::import_all;
use crate::support::{Client, Server};

/// So many contacts a user has at most by messages alone.
const LIMIT: usize = 5_000;

fn has(list: &[(String, String)], user: &str) -> bool {
    list.iter().any(|(id, _)| id == user)
}

#[tokio::test]
async fn beyond_five_thousand_contacts_only_an_import_adds_one_and_messages_still_arrive() {
    let server = Server::start();
    let mut csv = "owner,contact,name\n".to_owned();
    for number in 1..LIMIT {
        writeln!(csv, "HK0001,contact-{number},").expect("a string takes anything");
    }
    import_all(&server, "contacts", &csv);
    let mut owner = Client::connect(&server, "HK0001").await;
    assert_eq!(owner.contacts().await.len(), LIMIT - 1);

    // There is room for one more, and not for two.
    let mut last = Client::connect(&server, "last").await;
    let mut late = Client::connect(&server, "late").await;
    for (partner, user) in [(&mut last, "last"), (&mut late, "late")] {
        let id = owner.deliver(user, "hello").await;
        partner.expect_message("HK0001", user, &id, "hello").await;
        assert!(has(&partner.contacts().await, "HK0001"), "{user} has room");
    }
    let list = owner.contacts().await;
    assert_eq!(list.len(), LIMIT);
    assert!(has(&list, "last") && !has(&list, "late"));

    // Nor does it help to write first, or again.
    let id = late.deliver("HK0001", "an answer").await;
    owner
        .expect_message("late", "HK0001", &id, "an answer")
        .await;
    owner.deliver("late", "again").await;
    assert!(!has(&owner.contacts().await, "late"));

    import_all(
        &server,
        "contacts",
        "owner,contact,name\nHK0001,late,Late\n",
    );
    let list = owner.contacts().await;
    assert_eq!(list.len(), LIMIT + 1);
    assert!(list.contains(&("late".to_owned(), "Late".to_owned())));
}
