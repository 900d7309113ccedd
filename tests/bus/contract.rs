//! What every bus promises, whatever carries it.

use std::collections::HashSet;

use yanshu::bus::{Event, Note, Which};

use super::node::{Ground, at_once, letter, user, within};

/// Another node's letter arrives as it was sent, and one's own does not.
pub async fn a_letter_reaches_the_other_nodes_only(ground: Ground) {
    let (mut here, mut there) = (ground.join().await, ground.join().await);
    here.subscribe("ann").await;
    there.subscribe("ann").await;
    here.publish("ann", 1);
    let expected = Event::Delivery(user("ann"), letter(1));
    assert_eq!(there.next().await, expected);
    // What would come back has come by now.
    there.publish("ann", 2);
    assert_eq!(here.next_letter().await, ("ann".to_owned(), 2));
}

/// A word about a user reaches those who listen for them, and between letters of theirs its place.
pub async fn a_note_reaches_the_other_nodes_only_and_in_its_place(ground: Ground) {
    let (mut here, mut there) = (ground.join().await, ground.join().await);
    here.subscribe("ann").await;
    there.subscribe("ann").await;
    let note = Note::Close(Which::Before(7), 4401);
    here.publish("ann", 1);
    here.bus.note(&user("ann"), &note);
    here.publish("ann", 2);
    assert_eq!(there.next_letter().await, ("ann".to_owned(), 1));
    assert_eq!(there.next().await, Event::Note(user("ann"), note));
    assert_eq!(there.next_letter().await, ("ann".to_owned(), 2));
    there.publish("ann", 3);
    assert_eq!(here.next_letter().await, ("ann".to_owned(), 3));
}

/// Letters for nobody's user go nowhere, and no longer where somebody left.
pub async fn only_who_is_subscribed_for_gets_letters(ground: Ground) {
    let (mut here, there) = (ground.join().await, ground.join().await);
    here.subscribe("ann").await;
    there.publish("bob", 1);
    there.publish("ann", 2);
    assert_eq!(here.next_letter().await, ("ann".to_owned(), 2));
    here.unsubscribe("ann");
    here.unsubscribe("nobody");
    here.subscribe("bob").await;
    there.publish("ann", 3);
    there.publish("bob", 4);
    assert_eq!(here.next_letter().await, ("bob".to_owned(), 4));
}

/// What a node has not taken for a user when it leaves them is not shown to it any more.
pub async fn what_waits_for_a_user_goes_with_the_subscription(ground: Ground) {
    let (mut here, mut there) = (ground.join().await, ground.join().await);
    here.subscribe("ann").await;
    there.subscribe("ann").await;
    there.publish("ann", 1);
    here.publish("ann", 1);
    there.next_letter().await;
    here.unsubscribe("ann");
    here.subscribe("bob").await;
    there.publish("bob", 2);
    assert_eq!(here.next_letter().await, ("bob".to_owned(), 2));
}

/// The strangest IDs are users of their own.
pub async fn users_are_kept_apart(ground: Ground) {
    let (mut here, there) = (ground.join().await, ground.join().await);
    let longest = "a.".repeat(32);
    let names = [
        "a",
        "A",
        "a.b",
        "a-b",
        "a_b",
        "a@b",
        ".",
        "..",
        "a.",
        ".a",
        "bus",
        "bus.doubt",
        "probe",
        &longest,
    ];
    for name in names {
        here.subscribe(name).await;
    }
    for (name, seq) in names.iter().zip(1..) {
        there.publish(name, seq);
    }
    let mut got = HashSet::new();
    for _ in names {
        got.insert(here.next_letter().await);
    }
    let expected = names
        .iter()
        .zip(1..)
        .map(|(name, seq)| ((*name).to_owned(), seq));
    assert_eq!(got, expected.collect());
}

/// Who is told to be subscribed misses nothing that is published from then on.
pub async fn what_follows_a_confirmation_arrives(ground: Ground) {
    let (mut here, there) = (ground.join().await, ground.join().await);
    for seq in 1..=200 {
        let name = format!("user{seq}");
        here.subscribe(&name).await;
        there.publish(&name, seq);
        assert_eq!(here.next_letter().await, (name, seq));
    }
}

/// Many at once are all confirmed, and in force.
pub async fn a_storm_of_subscriptions_is_confirmed(ground: Ground) {
    let (mut here, there) = (ground.join().await, ground.join().await);
    let names: HashSet<String> = (0..2000).map(|n| format!("user{n}")).collect();
    at_once(|| {
        names
            .iter()
            .for_each(|name| here.bus.subscribe(&user(name)))
    });
    let mut confirmed = HashSet::new();
    while confirmed.len() < names.len() {
        match here.next().await {
            Event::Subscribed(user) => assert!(confirmed.insert(user.to_string())),
            other => panic!("unexpected: {other:?}"),
        }
    }
    names.iter().for_each(|name| there.publish(name, 1));
    let mut reached = HashSet::new();
    while reached.len() < names.len() {
        reached.insert(here.next_letter().await.0);
    }
    assert_eq!(reached, names);
}

/// Whatever comes before, the last word counts.
pub async fn leaving_and_coming_back_ends_subscribed(ground: Ground) {
    let (mut here, there) = (ground.join().await, ground.join().await);
    for seq in 1..=50 {
        here.bus.subscribe(&user("ann"));
        here.unsubscribe("ann");
        here.unsubscribe("ann");
        // Answered anew: an answer to the subscription before would be too early.
        here.subscribe("ann").await;
        here.subscribe("ann").await;
        there.publish("ann", seq);
        there.publish("ann", seq);
        assert_eq!(here.next_letter().await.1, seq, "it arrives");
        assert_eq!(
            here.next_letter().await.1,
            seq,
            "once for each time it was sent"
        );
    }
}

/// A node that does not read loses letters, hears of it, and holds nobody up.
pub async fn an_overrun_is_a_doubt(ground: Ground) {
    let (mut slow, mut quick) = (ground.join_with(8).await, ground.join_with(4000).await);
    let there = ground.join().await;
    for node in [&mut slow, &mut quick] {
        node.subscribe("ann").await;
    }
    at_once(|| (1..=2000).for_each(|seq| there.publish("ann", seq)));
    for seq in 1..=2000 {
        assert_eq!(quick.next_letter().await.1, seq);
    }
    slow.next_doubt().await;
    slow.subscribe("bob").await;
    there.publish("bob", 1);
    let mut read = 0;
    while slow.next_letter().await.0 != "bob" {
        read += 1;
    }
    assert!(read <= 8, "{read} letters of a user waited");
}

/// Whoever waits for it leaves nothing unsaid: a node that ends right after.
pub async fn what_was_published_has_left_once_it_is_flushed(ground: Ground) {
    let mut here = ground.join().await;
    here.subscribe("ann").await;
    for round in 0..20 {
        let there = ground.join().await;
        for number in 1..=100 {
            there.publish("ann", round * 100 + number);
        }
        within("the letters to leave", there.bus.flushed()).await;
        drop(there);
        for number in 1..=100 {
            let expected = ("ann".to_owned(), round * 100 + number);
            assert_eq!(here.next_letter().await, expected);
        }
    }
}
