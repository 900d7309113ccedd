//! `--demo`: three people and a short conversation in an empty database.

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
    store.import_users(&people, || {})?;
    for person in &people {
        converse(store, &person.id)?;
    }
    Ok(())
}

/// Has one person say what they say, with IDs granted to them.
fn converse(store: &Store, person: &UserId) -> Result<(), StoreError> {
    let leased = store.write(&[Write::Lease(IDS_PER_GRANT)])?;
    let Some(Outcome::Leased(first)) = leased.first().cloned() else {
        return Ok(());
    };
    let mut batch = vec![Write::Grant(person.clone(), first)];
    let said = CONVERSATION
        .iter()
        .filter(|(from, _, _)| *from == person.as_str());
    for (number, (_, to, text)) in said.enumerate() {
        let (Ok(to), Ok(number)) = (UserId::parse(to), i64::try_from(number)) else {
            continue;
        };
        batch.push(Write::Message(NewMessage {
            id: MessageId::new(first.number() + number),
            from: person.clone(),
            to,
            kind: MessageKind::Text,
            text: (*text).to_owned(),
            time: Timestamp::now().into_string(),
            origin: NO_CONNECTION,
        }));
    }
    store.write(&batch)?;
    Ok(())
}
