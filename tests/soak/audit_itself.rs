//! The audit notices what it is there for: a ledger in which one thing went wrong.

use super::archive::Kept;
use super::audit::Findings;
use super::ledger::{Heard, What};
use super::settle::Settled;
use super::story::{ANN, ANN_LISTENS, ANN_SENDS, BOB, BOB_SENDS, Story};

/// Fails unless this makes the story broken, and one of the findings says so with these words.
#[track_caller]
fn assert_broken(mut story: Story, words: &str, wrong: impl FnOnce(&mut Story)) {
    wrong(&mut story);
    let findings = story.audit();
    let said = findings.broken.iter().any(|said| said.contains(words));
    assert!(said, "none of these says {words:?}: {findings:#?}");
}

/// Fails unless this leaves something missing and breaks nothing.
#[track_caller]
fn assert_missing(mut story: Story, words: &str, wrong: impl FnOnce(&mut Story)) {
    wrong(&mut story);
    let findings = story.audit();
    assert!(findings.broken.is_empty(), "{findings:#?}");
    let said = findings.missing.iter().any(|said| said.contains(words));
    assert!(said, "none of these says {words:?}: {findings:#?}");
}

fn swap(one: u32, other: u32) -> impl Fn(&mut Vec<Kept>) {
    move |timeline| {
        let place = |id| timeline.iter().position(|kept| kept.id == id);
        let (one, other) = (place(one).expect("kept"), place(other).expect("kept"));
        timeline.swap(one, other);
    }
}

fn place(heard: &[Heard], id: u32, what: What) -> usize {
    let place = heard
        .iter()
        .position(|heard| (heard.id, heard.what) == (id, what));
    place.expect("it was heard")
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(Story::tell().audit(), Findings::default());
    assert_eq!(Story::tell_on().audit(), Findings::default());
}

#[test]
fn an_acked_message_that_is_lost() {
    assert_broken(Story::tell(), "acknowledged and is lost", |story| {
        story.everywhere(|timeline| timeline.retain(|kept| kept.id != 5));
    });
    assert_broken(Story::tell(), "different conversations", |story| {
        story.timelines[usize::from(BOB)].retain(|kept| kept.id != 5);
    });
}

#[test]
fn a_message_that_is_kept_twice() {
    assert_broken(Story::tell(), "is twice in the history", |story| {
        story.everywhere(|timeline| timeline.push(timeline[0]));
    });
}

#[test]
fn a_message_that_is_kept_again_in_a_later_stretch() {
    for id in [2, 4] {
        assert_broken(Story::tell_on(), &format!("{id}"), |story| {
            let kept = Kept {
                id,
                from: BOB,
                to: ANN,
                status: 2,
                is_whole: true,
            };
            story.everywhere(|timeline| timeline.push(kept));
        });
    }
}

#[test]
fn a_message_that_is_kept_otherwise_than_it_was_sent() {
    assert_broken(Story::tell(), "otherwise than it was sent", |story| {
        story.everywhere(|timeline| timeline[3].is_whole = false);
    });
    assert_broken(Story::tell(), "nobody sent", |story| {
        story.everywhere(|timeline| timeline[3].id = 20);
    });
}

#[test]
fn messages_of_one_connection_that_are_stored_in_another_order() {
    assert_broken(Story::tell(), "stored in another order", |story| {
        story.everywhere(swap(3, 5));
    });
    assert_broken(Story::tell(), "different conversations", |story| {
        swap(3, 4)(&mut story.timelines[usize::from(ANN)]);
    });
}

#[test]
fn a_message_that_is_not_acknowledged() {
    assert_missing(Story::tell(), "is not acknowledged", |story| {
        story.ledger.messages.get_mut(&5).expect("sent").acked = 0;
    });
}

#[test]
fn a_message_that_comes_twice_on_a_connection() {
    assert_broken(Story::tell(), "which came twice", |story| {
        story.ledger.hear_message(BOB_SENDS, 5, ANN, BOB);
    });
}

#[test]
fn an_unread_message_of_an_earlier_stretch_that_comes_twice_on_a_connection() {
    assert_broken(Story::tell_on(), "which came twice", |story| {
        story.ledger.hear_message(ANN_LISTENS, 4, BOB, ANN);
    });
}

#[test]
fn a_message_that_was_read_in_an_earlier_stretch_and_comes_again() {
    assert_broken(Story::tell_on(), "or was read long ago", |story| {
        story.ledger.hear_message(ANN_LISTENS, 2, BOB, ANN);
    });
}

#[test]
fn messages_that_come_in_another_order_than_history_shows() {
    assert_broken(Story::tell(), "in another order than history", |story| {
        let heard = story.heard(BOB_SENDS);
        let (one, other) = (
            place(heard, 3, What::Message),
            place(heard, 5, What::Message),
        );
        heard.swap(one, other);
    });
}

#[test]
fn a_message_that_is_left_out_on_a_connection() {
    for connection in [ANN_LISTENS, BOB_SENDS] {
        assert_broken(Story::tell(), "5: Message", |story| {
            story.unhear(connection, 5, What::Message);
        });
    }
    assert_missing(Story::tell(), "8: Message", |story| {
        story.unhear(ANN_LISTENS, 8, What::Message);
    });
}

#[test]
fn an_unread_message_that_does_not_come_at_the_next_connect() {
    for (id, words) in [
        (4, "was left out"),
        (8, "was left out"),
        (12, "has not come"),
    ] {
        let mut story = Story::tell_on();
        let again = story.connect(ANN, 1);
        assert_eq!(story.audit(), Findings::default());
        story.unhear(again, id, What::Message);
        let findings = story.audit();
        let said = findings.broken.iter().chain(&findings.missing);
        let said: Vec<_> = said.filter(|said| said.contains(words)).collect();
        assert_eq!(said.len(), 1, "{findings:#?}");
    }
}

#[test]
fn what_had_not_come_when_a_connection_ended_is_no_matter() {
    let mut story = Story::tell();
    story.unhear(ANN_LISTENS, 8, What::Message);
    story.ledger.ended(ANN_LISTENS);
    assert_eq!(story.audit(), Findings::default());
}

#[test]
fn a_message_that_was_read_and_comes_at_the_next_connect() {
    assert_broken(Story::tell(), "which was read before", |story| {
        let again = story.ledger.connect(ANN, 1);
        story.ledger.connected(again);
        story.ledger.hear_message(again, 2, BOB, ANN);
    });
}

#[test]
fn a_message_that_comes_back_to_the_connection_that_sent_it() {
    assert_broken(Story::tell(), "which it sent itself", |story| {
        story.ledger.hear_message(ANN_SENDS, 7, ANN, BOB);
    });
}

#[test]
fn a_status_that_falls() {
    assert_broken(Story::tell(), "fell from 2 to 1", |story| {
        story.ledger.hear_status(ANN_SENDS, 5, 1);
    });
    assert_broken(Story::tell_on(), "fell to 1", |story| {
        story.ledger.hear_status(ANN_SENDS, 5, 1);
    });
}

#[test]
fn a_status_that_comes_twice_or_too_early_or_to_others() {
    assert_broken(Story::tell(), "of 5 came twice", |story| {
        story.ledger.hear_status(ANN_LISTENS, 5, 2);
    });
    assert_broken(Story::tell(), "came before the message", |story| {
        let heard = story.heard(ANN_LISTENS);
        let (one, other) = (
            place(heard, 5, What::Message),
            place(heard, 5, What::Stored),
        );
        heard.swap(one, other);
    });
    assert_broken(Story::tell(), "was told to its recipient", |story| {
        story.ledger.hear_status(BOB_SENDS, 5, 1);
    });
}

#[test]
fn a_status_that_rises_by_itself() {
    assert_broken(Story::tell(), "nobody reported it", |story| {
        story.everywhere(|timeline| timeline[7].status = 2);
    });
    assert_broken(Story::tell(), "rose though nobody", |story| {
        story.ledger.hear_status(BOB_SENDS, 8, 2);
    });
}

#[test]
fn a_status_that_does_not_come() {
    for (connection, id, what) in [
        (ANN_LISTENS, 5, What::Stored),
        (ANN_LISTENS, 5, What::Read),
        (ANN_LISTENS, 6, What::Read),
        (BOB_SENDS, 6, What::Read),
    ] {
        assert_missing(Story::tell(), "has not heard of status", |story| {
            story.unhear(connection, id, what);
        });
    }
    assert_missing(Story::tell(), "was reported as read", |story| {
        story.ledger.report(ANN_SENDS, 8);
    });
    assert_missing(Story::tell(), "nobody was told", |story| {
        story.ledger.messages.get_mut(&6).expect("sent").told = 0;
    });
}

#[test]
fn an_id_that_is_granted_twice() {
    assert_broken(Story::tell(), "the ID 20 was granted twice", |story| {
        story.ledger.granted(&[20, 21]);
    });
}

#[test]
fn a_history_that_became_another_one() {
    let number = |ids: &[u32]| {
        let mut settled = Settled::default();
        ids.iter().for_each(|id| settled.add(*id));
        settled
    };
    let whole = number(&[1, 2, 3, 4]);
    assert_eq!(whole, number(&[1, 2, 3, 4]));
    for other in [
        &[1, 3, 2, 4][..],
        &[1, 2, 4],
        &[1, 2, 2, 4],
        &[1, 2, 3, 3, 4],
    ] {
        assert_ne!(whole, number(other), "{other:?}");
    }
}
