//! Reads everything that the server has kept, as the users are shown it: page by page.

use futures_util::future::join_all;
use serde_json::Value;

use super::ground::Ground;
use super::record::{Archive, Kept, Letter, Record};
use super::support::Client;

/// How many messages are asked for at once: the most there is.
const PAGE: i64 = 100;

/// The histories of all users of a record. The two sides of a conversation ask different nodes.
pub async fn read(ground: &Ground, record: &Record) -> Archive {
    let names: Vec<&String> = record.users.keys().collect();
    let reading = names.iter().zip(0..).map(|(name, number)| {
        let names = &names;
        async move {
            let mut client = Client::connect(ground.node(number), name).await;
            let mut conversations = Vec::new();
            for partner in names {
                let conversation = history(&mut client, Some(partner)).await;
                conversations.push((((*name).clone(), (*partner).clone()), conversation));
            }
            let timeline = history(&mut client, None).await;
            client.close().await;
            (conversations, ((*name).clone(), timeline))
        }
    });
    let mut archive = Archive::default();
    for (conversations, timeline) in join_all(reading).await {
        archive.conversations.extend(conversations);
        archive.timelines.extend([timeline]);
    }
    archive
}

/// A whole conversation, or all of them, oldest first.
async fn history(client: &mut Client, partner: Option<&str>) -> Vec<Kept> {
    let mut newest_first: Vec<Kept> = Vec::new();
    loop {
        let base = newest_first.last().map(|kept| kept.letter.id.clone());
        let page = client.history(partner, base.as_deref(), Some(PAGE)).await;
        if page.is_empty() {
            newest_first.reverse();
            return newest_first;
        }
        newest_first.extend(page.iter().rev().map(kept));
    }
}

fn kept(message: &Value) -> Kept {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let content = &message["chatMsg"];
    Kept {
        letter: Letter {
            id: text(&content["id"]),
            from: text(&message["fromId"]),
            to: text(&message["toId"]),
            text: text(&content["message"]),
        },
        status: content["status"].as_u64().unwrap_or_default(),
    }
}
