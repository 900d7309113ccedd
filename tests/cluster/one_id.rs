//! One message ID, used through both nodes at the same moment.

use serde_json::Value;

use super::ground::{Ground, TWO_NODES};
use super::rounds;
use super::support::client::message_ids;
use super::support::{Client, frames};

const ANN: &str = "ann";
const BOB: &str = "bob";
const EVE: &str = "eve";

/// How often each race is run.
const RACES: u64 = 15;

/// What a node answered to a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Stored,
    Refused(String),
}

/// Two devices, each on a node of its own.
struct Racers([Client; 2]);

impl Racers {
    async fn new(ground: &Ground, users: [&str; 2]) -> Racers {
        let [first, second] = users;
        Racers([
            Client::connect(ground.node(0), first).await,
            Client::connect(ground.node(1), second).await,
        ])
    }

    /// Both send at once. Returns what each was answered; whatever else comes is passed over.
    async fn race(&mut self, id: &str, texts: [&str; 2]) -> [Answer; 2] {
        let [one, other] = &mut self.0;
        for (client, text) in [&mut *one, &mut *other].into_iter().zip(texts) {
            client.message(id, BOB, text).await;
        }
        let (first, second) = tokio::join!(answer(one, id), answer(other, id));
        [first, second]
    }
}

/// The answer to the message of this ID. A status is an answer only where no message has come before it: that would
/// be the other device's, and its own status follows.
async fn answer(client: &mut Client, id: &str) -> Answer {
    let mut announced = 0;
    loop {
        let frame = client.next().await;
        if frame["chatMsg"]["id"] != id {
            continue;
        }
        match frame["action"].as_str() {
            Some("3") => announced += 1,
            Some("4") if announced == 0 => return Answer::Stored,
            Some("4") => announced -= 1,
            Some("0") => return Answer::Refused(code(&frame)),
            _ => panic!("{}: unexpected {frame}", client.user()),
        }
    }
}

fn code(frame: &Value) -> String {
    frame["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The recipient gets exactly these, once each, and history holds the same.
async fn assert_got(bob: &mut Client, expected: &[String]) {
    for id in expected {
        let frame = bob.next().await;
        assert_eq!(
            (&frame["action"], &frame["chatMsg"]["id"]),
            (&"3".into(), &id.as_str().into())
        );
    }
    bob.assert_timeline_silent().await;
    let mut kept = Vec::new();
    loop {
        let page = bob
            .history(Some(ANN), kept.first().map(String::as_str), Some(100))
            .await;
        if page.is_empty() {
            break;
        }
        kept.splice(0..0, message_ids(&page));
    }
    assert_eq!(kept, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_message_through_both_nodes_is_stored_once_and_acked_twice() {
    let ground = Ground::new(TWO_NODES);
    let mut bob = Client::connect(ground.node(0), BOB).await;
    let mut ann = Racers::new(&ground, [ANN, ANN]).await;
    let mut stored = Vec::new();
    for _ in 0..RACES * rounds() {
        for id in ann.0[0].ids().await {
            let answers = ann.race(&id, ["hello", "hello"]).await;
            assert_eq!(answers, [Answer::Stored, Answer::Stored]);
            stored.push(id);
        }
    }
    assert_got(&mut bob, &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_messages_under_one_id_through_both_nodes_one_wins() {
    let ground = Ground::new(TWO_NODES);
    let mut bob = Client::connect(ground.node(1), BOB).await;
    let mut ann = Racers::new(&ground, [ANN, ANN]).await;
    let mut stored = Vec::new();
    let mut wins = [0, 0];
    for _ in 0..RACES * rounds() {
        for id in ann.0[0].ids().await {
            let answers = ann.race(&id, ["one", "other"]).await;
            let lost = Answer::Refused("id_conflict".to_owned());
            let winner = match answers {
                [Answer::Stored, ref second] if *second == lost => 0,
                [ref first, Answer::Stored] if *first == lost => 1,
                answers => panic!("{id}: {answers:?}"),
            };
            wins[winner] += 1;
            stored.push(id);
        }
    }
    eprintln!("won through each node: {wins:?}");
    assert_got(&mut bob, &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_id_is_refused_however_fast_it_is_used() {
    let ground = Ground::new(TWO_NODES);
    let mut bob = Client::connect(ground.node(1), BOB).await;
    let mut both = Racers::new(&ground, [ANN, EVE]).await;
    let mut stored = Vec::new();
    for _ in 0..RACES * rounds() {
        for id in both.0[0].ids().await {
            let answers = both.race(&id, ["hello", "hello"]).await;
            let refused = Answer::Refused("id_not_granted".to_owned());
            assert_eq!(answers, [Answer::Stored, refused]);
            stored.push(id);
        }
    }
    assert_got(&mut bob, &stored).await;
    both.0[1].send(frames::history(EVE, None, None, None)).await;
    let nothing = r#"{"action":"12","fromId":"eve","historyMsgs":[]}"#;
    both.0[1].expect(nothing).await;
}
