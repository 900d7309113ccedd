//! The order of things within one batch.

use super::*;
use crate::protocol::MessageKind;
use crate::store::batch::NewMessage;
use crate::store::messages::READ;
use crate::store::users::UserState;

const OPEN: Policy = Policy { strangers: true };

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn message(from: &str, to: &str) -> Write {
    Write::Message(NewMessage {
        id: MessageId::new(1),
        from: user(from),
        to: user(to),
        kind: MessageKind::Text,
        text: "text".into(),
        time: "2021-12-14 12:00:00".into(),
        origin: 7,
    })
}

/// A is user 1, at 5 of their timeline, and holds the first block of IDs.
fn facts() -> Facts {
    let a = UserState {
        id: 1,
        timeline: 5,
        told: 5,
        ..UserState::default()
    };
    Facts {
        working: Working::new([(user("A"), a)]),
        grants: [(0, (1, 1))].into_iter().collect(),
        ..Facts::default()
    }
}

#[test]
fn who_connects_behind_their_first_message_in_one_batch_is_told_that_it_is_unread() {
    let batch = [message("A", "NEW"), Write::Connect(user("NEW"))];
    let decided = decide(&batch, facts(), &Recall::default(), OPEN, 1);
    let expected = Outcome::Connected(Connected {
        head: 1,
        told: 0,
        unread: true,
        untold: false,
        tenure: 0,
    });
    assert_eq!(decided.outcomes[1], expected);
}

#[test]
fn who_connects_before_their_first_message_in_one_batch_follows_it() {
    let batch = [Write::Connect(user("NEW")), message("A", "NEW")];
    let decided = decide(&batch, facts(), &Recall::default(), OPEN, 1);
    let expected = Outcome::Connected(Connected {
        head: 0,
        told: 0,
        unread: false,
        untold: false,
        tenure: 0,
    });
    assert_eq!(decided.outcomes[0], expected);
    let stored = Outcome::Stored {
        sender_seq: 6,
        recipient_seq: 1,
    };
    assert_eq!(decided.outcomes[1], stored);
}

#[test]
fn a_message_read_in_its_own_batch_is_stored_as_read() {
    let read = Write::Read {
        reader: user("NEW"),
        sender: user("A"),
        message: MessageId::new(1),
        origin: 8,
    };
    let batch = [message("A", "NEW"), read.clone(), read];
    let decided = decide(&batch, facts(), &Recall::default(), OPEN, 1);
    assert_eq!(decided.effects.rows[0].status, READ);
    assert!(decided.effects.read.is_empty());
    assert_eq!(decided.effects.receipts.len(), 2);
    assert_eq!(decided.outcomes[2], Outcome::Done);
}

#[test]
fn where_strangers_are_unknown_a_message_makes_nobody() {
    let batch = [message("A", "NEW"), message("A", "A")];
    let policy = Policy { strangers: false };
    let decided = decide(&batch, facts(), &Recall::default(), policy, 1);
    let refused = Outcome::Refused(Refused::UnknownUser);
    assert_eq!(decided.outcomes[0], refused);
    assert!(matches!(decided.outcomes[1], Outcome::Stored { .. }));
    assert!(decided.working.created().is_empty());
}

#[test]
fn of_several_names_for_a_user_in_one_batch_the_last_counts() {
    let name = |name: &str| Write::Name(user("A"), name.to_owned());
    let batch = [name("first"), name("last")];
    let decided = decide(&batch, facts(), &Recall::default(), OPEN, 1);
    assert_eq!(decided.effects.names, [(1, "last")]);
}
