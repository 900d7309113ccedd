//! `--demo`: three people and a short conversation, all of it read, in an empty database.

use std::collections::HashMap;

use crate::protocol::{IDS_PER_GRANT, MessageId, MessageKind, Timestamp, UserId};
use crate::store::{NewMessage, Outcome, Store, StoreError, UserRow, Write};

/// A connection number that no session gets: these messages came over none.
const NO_CONNECTION: i64 = 0;

const PEOPLE: [(&str, Option<&str>); 3] = [
    ("HK0001", None),
    ("HK0002", Some("张三")),
    ("HK0003", Some("李四")),
];

const CONVERSATION: [(&str, &str, &str); 5] = [
    ("HK0002", "HK0001", "你好！雁书跑起来了吗？"),
    ("HK0001", "HK0002", "跑起来了，一条命令。"),
    ("HK0002", "HK0001", "那就从这里开始吧。"),
    ("HK0003", "HK0001", "晚上一起吃饭？"),
    ("HK0001", "HK0003", "好，七点见。"),
];

/// Fills the database where it holds no user yet.
pub fn fill(store: &Store) -> Result<(), StoreError> {
    if !store.is_empty()? {
        log::info!("--demo: the database is not empty and stays as it is");
        return Ok(());
    }
    let people: Vec<UserRow> = PEOPLE
        .iter()
        .filter_map(|(id, name)| {
            let id = UserId::parse(id).ok()?;
            Some(UserRow {
                id,
                name: name.map(str::to_owned),
            })
        })
        .collect();
    // Of nodes that start at once, one creates them all, and it alone has them talk.
    if store.import_users(&people, |_| {})?.added < people.len() {
        log::info!("--demo: another node fills the database");
        return Ok(());
    }
    converse(store)
}

/// Has them say what they say, each with IDs granted to them, and all of it be read and known to
/// be read.
fn converse(store: &Store) -> Result<(), StoreError> {
    let mut ids: HashMap<&str, i64> = HashMap::new();
    for (name, _) in PEOPLE {
        let leased = store.write(&[Write::Lease(IDS_PER_GRANT)])?;
        if let (Some(Outcome::Leased(first)), Ok(person)) = (leased.first(), UserId::parse(name)) {
            store.write(&[Write::Grant(person, *first)])?;
            ids.insert(name, first.number());
        }
    }
    for (from, to, text) in CONVERSATION {
        let (Ok(sender), Ok(reader)) = (UserId::parse(from), UserId::parse(to)) else {
            continue;
        };
        let next = ids.entry(from).or_default();
        let message = MessageId::new(*next);
        *next += 1;
        say(store, message, &sender, &reader, text)?;
    }
    Ok(())
}

fn say(
    store: &Store,
    id: MessageId,
    sender: &UserId,
    reader: &UserId,
    text: &str,
) -> Result<(), StoreError> {
    let message = Write::Message(NewMessage {
        id,
        from: sender.clone(),
        to: reader.clone(),
        kind: MessageKind::Text,
        text: text.to_owned(),
        time: Timestamp::now().into_string(),
        origin: NO_CONNECTION,
    });
    let read = Write::Read {
        reader: reader.clone(),
        sender: sender.clone(),
        message: id,
        origin: NO_CONNECTION,
    };
    let outcomes = store.write(&[message, read])?;
    if let Some(Outcome::Read { sender_seq, .. }) = outcomes.last() {
        store.write(&[Write::Told(sender.clone(), *sender_seq)])?;
    }
    Ok(())
}
