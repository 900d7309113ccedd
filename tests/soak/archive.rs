//! What the server shows in the end of a stretch, read through its histories.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::Value;

use super::ledger::{Ledger, Message};
use super::letter;
use super::settle::Settled;
use super::support::{Client, Node};

/// How many messages are asked for at once: the most there is.
const PAGE: i64 = 100;

/// How many users' histories are read at the same time.
const READERS: usize = 8;

/// How long a page may take, beside everything else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub id: u32,
    pub from: u16,
    pub to: u16,
    pub status: u64,
    /// Whether its content is what its sender wrote.
    pub is_whole: bool,
}

impl Kept {
    /// Whether it is this message.
    pub fn is_of(&self, message: &Message) -> bool {
        self.is_whole && (self.from, self.to) == (message.from, message.to)
    }

    fn read(seed: u64, message: &Value) -> Kept {
        let content = &message["chatMsg"];
        let id = content["id"].as_str().and_then(letter::number);
        let user = |field: &str| message[field].as_str().and_then(letter::user);
        let (Some(id), Some(from), Some(to)) = (id, user("fromId"), user("toId")) else {
            panic!("a history shows {message}, which is of no user of the soak");
        };
        let is_whole = content["message"] == letter::text(seed, id) && content["type"] == 0;
        Kept {
            id,
            from,
            to,
            status: content["status"].as_u64().unwrap_or_default(),
            is_whole,
        }
    }
}

/// What all users are shown of the time since the last stretch.
#[derive(Debug, Default)]
pub struct Shown {
    /// By user, oldest first.
    pub timelines: Vec<Vec<Kept>>,
    /// What is wrong with it at first sight.
    pub wrong: Vec<String>,
}

/// Asks for the histories since the last stretch. Neighbours ask different nodes.
pub async fn shown(nodes: &[Node], seed: u64, settled: &[Settled]) -> Shown {
    let reading = (0..).zip(settled).map(|(user, settled)| {
        let node = &nodes[usize::from(user) % nodes.len()];
        async move {
            let mut client = connect(node, user).await;
            let mut timeline = Vec::new();
            walk(&mut client, seed, |kept| {
                let is_new = Some(kept.id) != settled.last;
                if is_new {
                    timeline.push(kept);
                }
                is_new
            })
            .await;
            timeline.reverse();
            let wrong = other_conversation(&mut client, user, &timeline).await;
            client.close().await;
            (timeline, wrong)
        }
    });
    let read: Vec<_> = iter(reading).buffered(READERS).collect().await;
    let mut shown = Shown::default();
    for (timeline, wrong) in read {
        shown.timelines.push(timeline);
        shown.wrong.extend(wrong);
    }
    shown
}

async fn connect(node: &Node, user: u16) -> Client {
    let mut client = Client::connect(node, &letter::name(user)).await;
    client.set_patience(PATIENCE);
    client
}

/// What is wrong with the histories as a whole.
pub async fn differences(nodes: &[Node], seed: u64, ledger: &Ledger) -> Vec<String> {
    let reading = (0..).zip(&ledger.settled).map(|(user, settled)| {
        let node = &nodes[usize::from(user + 1) % nodes.len()];
        async move {
            let mut client = connect(node, user).await;
            let mut ids = Vec::new();
            walk(&mut client, seed, |kept| {
                ids.push(kept.id);
                true
            })
            .await;
            client.close().await;
            let mut whole = Settled::default();
            ids.iter().rev().for_each(|id| whole.add(*id));
            let (now, then) = (whole.count, settled.count);
            (whole != *settled).then(|| {
                format!("the history of user {user} became another: {then} messages were seen in it, and {now} are there")
            })
        }
    });
    let found: Vec<Option<String>> = iter(reading).buffered(READERS).collect().await;
    found.into_iter().flatten().collect()
}

/// Goes through the history of all conversations, newest first, to its beginning or as long as it is told.
async fn walk(client: &mut Client, seed: u64, mut take: impl FnMut(Kept) -> bool) {
    let mut base: Option<String> = None;
    loop {
        let page = client.history(None, base.as_deref(), Some(PAGE)).await;
        let Some(oldest) = page.first() else {
            return;
        };
        base = oldest["chatMsg"]["id"].as_str().map(str::to_owned);
        let mut kept = page.iter().rev().map(|message| Kept::read(seed, message));
        if !kept.all(&mut take) {
            return;
        }
    }
}

/// Where the history with one partner, the one of the newest message, is not what the history of all shows of it.
async fn other_conversation(client: &mut Client, user: u16, timeline: &[Kept]) -> Option<String> {
    let partner_of = |kept: &Kept| {
        if kept.from == user {
            kept.to
        } else {
            kept.from
        }
    };
    let partner = timeline.last().map(partner_of)?;
    let with = letter::name(partner);
    let page = client.history(Some(&with), None, Some(PAGE)).await;
    let ids = page.iter().rev().map(|message| &message["chatMsg"]["id"]);
    let theirs = timeline.iter().rev();
    let theirs = theirs.filter(|kept| partner_of(kept) == partner);
    let mut pairs = ids.zip(theirs);
    let (other, kept) = pairs.find(|(shown, kept)| **shown != letter::id(kept.id))?;
    let id = kept.id;
    Some(format!(
        "user {user}'s history with {partner} shows {other} where the one of all shows {id}"
    ))
}
