//! The verification notices what it is there for: a record in which one thing went wrong.

use super::record::{Heard, Kept};
use super::story::{ANN, BOB, Story};
use super::verify::{Findings, verify};

fn findings_of(wrong: impl FnOnce(&mut Story)) -> Findings {
    let mut story = Story::tell();
    wrong(&mut story);
    verify(&story.record, &story.archive)
}

/// Fails unless this makes the record broken, and one of the findings says so with these words.
#[track_caller]
fn assert_broken(words: &str, wrong: impl FnOnce(&mut Story)) {
    let findings = findings_of(wrong);
    let said = findings
        .broken
        .iter()
        .any(|finding| finding.contains(words));
    assert!(said, "none of these says {words:?}: {findings:#?}");
}

/// Fails unless this leaves something missing and breaks nothing.
#[track_caller]
fn assert_missing(words: &str, wrong: impl FnOnce(&mut Story)) {
    let findings = findings_of(wrong);
    assert!(findings.broken.is_empty(), "{findings:#?}");
    let said = findings
        .missing
        .iter()
        .any(|finding| finding.contains(words));
    assert!(said, "none of these says {words:?}: {findings:#?}");
}

fn is(id: &str) -> impl Fn(&Kept) -> bool {
    move |kept| kept.letter.id == id
}

fn forget(id: &str) -> impl Fn(&mut Vec<Kept>) {
    move |history| history.retain(|kept| !is(id)(kept))
}

fn swap(first: &str, second: &str) -> impl Fn(&mut Vec<Kept>) {
    move |history| {
        let first = history.iter().position(is(first)).expect("it is kept");
        let second = history.iter().position(is(second)).expect("it is kept");
        history.swap(first, second);
    }
}

fn is_message(heard: &Heard, id: &str) -> bool {
    matches!(heard, Heard::Message(letter) if letter.id == id)
}

fn is_status(heard: &Heard, id: &str, wanted: u64) -> bool {
    matches!(heard, Heard::Status { id: found, status, .. } if found == id && *status == wanted)
}

fn place(heard: &[Heard], id: &str) -> usize {
    let place = heard.iter().position(|heard| is_message(heard, id));
    place.expect("it was heard")
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(findings_of(|_| {}), Findings::default());
}

#[test]
fn an_acked_message_that_is_lost() {
    assert_broken("acknowledged and is lost", |story| {
        story.everywhere(forget("MSG000002"));
    });
    assert_broken("different conversations", |story| {
        forget("MSG000002")(story.conversation(BOB));
    });
    assert_broken("not as in their history of all", |story| {
        forget("MSG000002")(story.timeline(BOB));
    });
}

#[test]
fn a_message_that_is_kept_twice() {
    assert_broken("is twice in ann's history", |story| {
        story.everywhere(|history| {
            let first = history[0].clone();
            history.push(first);
        });
    });
}

#[test]
fn a_message_that_is_kept_otherwise_than_it_was_sent() {
    assert_broken("nobody sent", |story| {
        story.everywhere(|history| {
            history[0].letter.text = "something else".to_owned();
        });
    });
}

#[test]
fn a_message_that_is_not_acknowledged() {
    assert_missing("is not acknowledged", |story| {
        let ann = story.record.users.get_mut(ANN).expect("a known user");
        ann.sent[0].acked = false;
    });
}

#[test]
fn a_message_that_comes_twice_on_a_connection() {
    assert_broken("got messages twice", |story| {
        let heard = &mut story.connection(BOB, 0).heard;
        heard.push(heard[place(heard, "MSG000005")].clone());
    });
}

#[test]
fn two_messages_that_come_in_another_order_than_history_shows() {
    assert_broken("in another order than history", |story| {
        let heard = &mut story.connection(BOB, 0).heard;
        let (first, second) = (place(heard, "MSG000005"), place(heard, "MSG000006"));
        heard.swap(first, second);
    });
}

#[test]
fn two_sides_that_are_shown_different_orders() {
    assert_broken("different conversations", |story| {
        swap("MSG000001", "MSG000002")(story.conversation(ANN));
        swap("MSG000001", "MSG000002")(story.timeline(ANN));
    });
    assert_broken("not as in their history of all", |story| {
        swap("MSG000001", "MSG000002")(story.timeline(ANN));
    });
}

#[test]
fn messages_that_are_kept_in_another_order_than_they_were_sent() {
    assert_broken("is stored in another order", |story| {
        story.everywhere(swap("MSG000001", "MSG000002"));
    });
}

#[test]
fn a_message_that_reaches_nobody() {
    assert_missing("reached no device of bob", |story| {
        let heard = &mut story.connection(BOB, 0).heard;
        heard.retain(|heard| !is_message(heard, "MSG000005"));
    });
}

#[test]
fn an_unread_message_that_is_not_redelivered() {
    assert_missing("has not got", |story| {
        story.connect(BOB, 0);
        story.connection(BOB, 0).heard.clear();
    });
    assert_broken("skipped unread messages", |story| {
        let heard = &mut story.connection(ANN, 0).heard;
        heard.retain(|heard| !is_message(heard, "MSG000012"));
    });
}

#[test]
fn a_gap_in_what_a_device_follows() {
    assert_broken("has a gap", |story| {
        let heard = &mut story.connection(ANN, 1).heard;
        heard.retain(|heard| !is_message(heard, "MSG000005") && !is_status(heard, "MSG000005", 1));
    });
    assert_missing("has not got", |story| {
        let heard = &mut story.connection(ANN, 1).heard;
        let end = place(heard, "MSG000007");
        heard.truncate(end);
    });
}

#[test]
fn a_status_that_is_not_what_the_reader_said() {
    assert_missing("is not read", |story| {
        story.everywhere(|history| history[0].status = 1);
    });
    assert_broken("has the status 2", |story| {
        story.everywhere(|history| {
            let unread = history.iter_mut().find(|kept| kept.status == 1);
            unread.expect("one is unread").status = 2;
        });
    });
}

#[test]
fn a_reading_of_which_the_sender_never_hears() {
    assert_missing("was not told that", |story| {
        for device in 0..2 {
            let heard = &mut story.connection(ANN, device).heard;
            heard.retain(|heard| !is_status(heard, "MSG000005", 2));
        }
    });
}

#[test]
fn a_status_that_other_devices_miss_or_hear_twice_or_too_early() {
    for status in [1, 2] {
        assert_missing(&format!("lacks status {status} of MSG000005"), |story| {
            let heard = &mut story.connection(ANN, 1).heard;
            heard.retain(|heard| !is_status(heard, "MSG000005", status));
        });
        assert_broken("heard twice", |story| {
            let heard = &mut story.connection(ANN, 1).heard;
            let told = heard
                .iter()
                .find(|heard| is_status(heard, "MSG000005", status));
            let told = told.expect("it was told").clone();
            heard.push(told);
        });
    }
    assert_broken("heard too early", |story| {
        let heard = &mut story.connection(ANN, 1).heard;
        let frame = place(heard, "MSG000005");
        heard.swap(frame, frame + 1);
    });
}

#[test]
fn a_frame_that_was_for_somebody_else() {
    assert_broken("heard Message", |story| {
        let mut stray = story.archive.timelines[ANN][0].letter.clone();
        stray.id = "MSG000099".to_owned();
        stray.from = "eve".to_owned();
        stray.to = "mallory".to_owned();
        let kept = Kept {
            letter: stray.clone(),
            status: 2,
        };
        story.timeline(BOB).push(kept);
        story.connection(BOB, 0).heard.push(Heard::Message(stray));
    });
}

#[test]
fn an_id_that_is_granted_twice() {
    assert_broken("MSG000001 was granted to ann and to bob", |story| {
        let bob = story.record.users.get_mut(BOB).expect("a known user");
        bob.granted.push("MSG000001".to_owned());
    });
}
