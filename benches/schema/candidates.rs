//! The schemas: tables, indexes, and how each answers the four questions.

use diesel::prelude::*;

use crate::statements::{Value, run};
use crate::world::{Message, name};

const BY_SENDER: &str = "CREATE INDEX by_sender ON messages (sender, sender_seq)";
const BY_STATUS: &str = "CREATE INDEX by_recipient ON messages (recipient, status, recipient_seq)";
const CONVERSATION: &str = "CREATE INDEX by_conversation ON messages (lo, hi, lo_seq)";
const UNREAD: &str = "CREATE INDEX unread ON messages (recipient, recipient_seq) WHERE status = 1";
/// The place of a message in its conversation: the timeline number of the lower of the two users.
const PLACE: &str = "CASE WHEN sender < recipient THEN sender_seq ELSE recipient_seq END";
const COLUMNS: &str = "id, sender, recipient, kind, body, sent_at, status";

const INSERT: &str = "INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, \
     kind, body, sent_at, status, origin, stored_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10)";
const INSERT_PLACED: &str = "INSERT INTO messages (id, sender, recipient, sender_seq, \
     recipient_seq, kind, body, sent_at, status, origin, stored_at, lo, hi, lo_seq) \
     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

const BODIES: [&str; 4] = [
    "好的，明天上午十点在公司见，see you at the office then! 🙂",
    "Could you send me the file again? The link has expired, I think.",
    "收到。我先看一下，有问题再联系你，谢谢！order no. 20211214-0042",
    "On my way, the train is ten minutes late as always; start without me.",
];

/// A schema: how it differs from the others.
pub struct Candidate {
    pub name: &'static str,
    pub what: &'static str,
    indexes: Vec<String>,
    /// Users are named by their text ID everywhere, not by a row number.
    pub text_keys: bool,
    /// The conversation stands in columns of its own (`lo`, `hi`, `lo_seq`).
    conversation_columns: bool,
    /// A table `timeline` holds two rows a message.
    timeline_table: bool,
    /// Timelines are put together from one seek for each peer, and sorted.
    pub per_peer: bool,
    /// Q1 to Q4. Parameters: user, peer, timeline position, lower user, higher user, place.
    pub queries: [String; 4],
}

/// Which way a page goes from its position.
#[derive(Clone, Copy)]
enum Way {
    Back,
    Forth,
}

impl Way {
    fn order(self) -> &'static str {
        match self {
            Self::Back => "DESC",
            Self::Forth => "ASC",
        }
    }

    fn beyond(self) -> &'static str {
        match self {
            Self::Back => "<",
            Self::Forth => ">",
        }
    }

    /// The next 150 numbers of a timeline, which hold its next page of messages.
    fn window(self, seq: &str) -> String {
        match self {
            Self::Back => format!("{seq} < ?3 AND {seq} >= ?3 - 150"),
            Self::Forth => format!("{seq} > ?3 AND {seq} <= ?3 + 150"),
        }
    }
}

/// One range of messages: the expression it is ordered by, and what follows `FROM`.
type Arm = (&'static str, String);

fn sent(from_where: impl Into<String>) -> Arm {
    ("sender_seq", from_where.into())
}

fn received(from_where: impl Into<String>) -> Arm {
    ("recipient_seq", from_where.into())
}

/// A page of messages with the names of both users: its arms, merged by SQLite.
fn page(text_keys: bool, way: Way, arms: &[Arm]) -> String {
    let select =
        |(position, rest): &Arm| format!("SELECT {COLUMNS}, {position} AS position FROM {rest}");
    let name = |key: &str| match text_keys {
        true => key.to_owned(),
        false => format!("(SELECT name FROM users WHERE users.id = page.{key})"),
    };
    format!(
        "SELECT id, {}, {}, kind, body, sent_at, status \
         FROM ({} ORDER BY position {} LIMIT 50) AS page",
        name("sender"),
        name("recipient"),
        arms.iter()
            .map(select)
            .collect::<Vec<_>>()
            .join(" UNION ALL "),
        way.order(),
    )
}

/// Q1 by the columns of the conversation.
fn conversation(text_keys: bool) -> String {
    let rest = "messages WHERE lo = ?4 AND hi = ?5 AND lo_seq < ?6";
    page(text_keys, Way::Back, &[("lo_seq", rest.into())])
}

/// Q4 by an index that leads to a user's unread messages.
fn unread(text_keys: bool) -> String {
    let rest = "messages WHERE recipient = ?1 AND status = 1 AND recipient_seq > ?3";
    page(text_keys, Way::Forth, &[received(rest)])
}

/// What a user sent. A message to oneself belongs to this arm of a timeline only.
fn timeline_sent(way: Way) -> Arm {
    sent(format!(
        "messages WHERE sender = ?1 AND sender_seq {} ?3",
        way.beyond()
    ))
}

/// What a user received, or the part of it that has a certain status.
fn timeline_received(way: Way, and_status: &str) -> Arm {
    received(format!(
        "messages WHERE recipient = ?1 {and_status} AND sender <> ?1 AND recipient_seq {} ?3",
        way.beyond()
    ))
}

/// Q2 or Q3 where the recipient's index holds the status: a range for each status.
fn timeline_by_status(text_keys: bool, way: Way) -> String {
    let [unread, read] = ["AND status = 1", "AND status = 2"];
    let arms = [
        timeline_sent(way),
        timeline_received(way, unread),
        timeline_received(way, read),
    ];
    page(text_keys, way, &arms)
}

/// Every schema that is measured.
pub fn candidates() -> Vec<Candidate> {
    vec![
        partial_unread("X", "sender, recipient, conversation, partial unread"),
        status_in_index("Y", "sender, recipient with status, conversation", false),
        by_peer("Z", "two indexes by peer"),
        timeline_table("W", "timeline table, conversation, partial unread"),
        conversation_expressions("V", "Y, conversation by expressions"),
        status_in_index("U", "Y, text user keys", true),
    ]
}

/// Four indexes, each for one question.
fn partial_unread(name: &'static str, what: &'static str) -> Candidate {
    let by_recipient = "CREATE INDEX by_recipient ON messages (recipient, recipient_seq)";
    let timeline = |way| {
        page(
            false,
            way,
            &[timeline_sent(way), timeline_received(way, "")],
        )
    };
    Candidate {
        indexes: [BY_SENDER, by_recipient, CONVERSATION, UNREAD]
            .map(String::from)
            .into(),
        queries: [
            conversation(false),
            timeline(Way::Back),
            timeline(Way::Forth),
            unread(false),
        ],
        ..status_in_index(name, what, false)
    }
}

/// Three indexes: the recipient's serves the unread as well, and the timeline as two ranges.
fn status_in_index(name: &'static str, what: &'static str, text_keys: bool) -> Candidate {
    Candidate {
        name,
        what,
        text_keys,
        indexes: [BY_SENDER, BY_STATUS, CONVERSATION]
            .map(String::from)
            .into(),
        conversation_columns: true,
        timeline_table: false,
        per_peer: false,
        queries: [
            conversation(text_keys),
            timeline_by_status(text_keys, Way::Back),
            timeline_by_status(text_keys, Way::Forth),
            unread(text_keys),
        ],
    }
}

/// Two indexes that lead with both users: all that spans conversations takes a seek for each peer.
fn by_peer(name: &'static str, what: &'static str) -> Candidate {
    let of_two = |status| {
        received(format!(
            "messages WHERE recipient = ?1 AND sender = ?2 AND sender <> ?1 \
             AND status = {status} AND recipient_seq < ?3"
        ))
    };
    let with_peer = "messages WHERE sender = ?1 AND recipient = ?2 AND sender_seq < ?3";
    let peers = "contacts CROSS JOIN messages WHERE owner = ?1 AND";
    let unread =
        format!("{peers} recipient = ?1 AND sender = peer AND status = 1 AND recipient_seq > ?3");
    let timeline = |way: Way| {
        let arms = [
            sent(format!(
                "{peers} sender = ?1 AND recipient = peer AND {}",
                way.window("sender_seq")
            )),
            received(format!(
                "{peers} recipient = ?1 AND sender = peer AND sender <> ?1 \
                 AND status IN (1, 2) AND {}",
                way.window("recipient_seq")
            )),
        ];
        page(false, way, &arms)
    };
    Candidate {
        indexes: vec![
            "CREATE INDEX by_sender ON messages (sender, recipient, sender_seq)".into(),
            "CREATE INDEX by_recipient ON messages (recipient, sender, status, recipient_seq)"
                .into(),
        ],
        conversation_columns: false,
        per_peer: true,
        queries: [
            page(false, Way::Back, &[sent(with_peer), of_two(1), of_two(2)]),
            timeline(Way::Back),
            timeline(Way::Forth),
            page(false, Way::Forth, &[received(unread)]),
        ],
        ..status_in_index(name, what, false)
    }
}

/// A table whose key is the timeline: two more rows a message, and no merging.
fn timeline_table(name: &'static str, what: &'static str) -> Candidate {
    let timeline = |way: Way| {
        let rest = format!(
            "timeline CROSS JOIN messages ON id = message WHERE user = ?1 AND seq {} ?3",
            way.beyond()
        );
        page(false, way, &[("seq", rest)])
    };
    Candidate {
        indexes: [CONVERSATION, UNREAD].map(String::from).into(),
        timeline_table: true,
        queries: [
            conversation(false),
            timeline(Way::Back),
            timeline(Way::Forth),
            unread(false),
        ],
        ..status_in_index(name, what, false)
    }
}

/// The conversation as an index on expressions, which saves its columns.
fn conversation_expressions(name: &'static str, what: &'static str) -> Candidate {
    let [lo, hi] = ["min(sender, recipient)", "max(sender, recipient)"];
    let conversation = format!("messages WHERE {lo} = ?4 AND {hi} = ?5 AND {PLACE} < ?6");
    let by_conversation = format!("CREATE INDEX by_conversation ON messages ({lo}, {hi}, {PLACE})");
    Candidate {
        indexes: vec![BY_SENDER.into(), BY_STATUS.into(), by_conversation],
        conversation_columns: false,
        queries: [
            page(false, Way::Back, &[(PLACE, conversation)]),
            timeline_by_status(false, Way::Back),
            timeline_by_status(false, Way::Forth),
            unread(false),
        ],
        ..status_in_index(name, what, false)
    }
}

impl Candidate {
    /// The name of this candidate's database in some state.
    pub fn file(&self, state: &str) -> String {
        format!("{}-{state}.db", self.name)
    }

    /// The tables and indexes.
    pub fn tables(&self) -> String {
        let key = if self.text_keys { "TEXT" } else { "INTEGER" };
        let users = match self.text_keys {
            true => "name TEXT PRIMARY KEY NOT NULL, timeline BIGINT NOT NULL) WITHOUT ROWID",
            false => "id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, timeline BIGINT NOT NULL)",
        };
        let conversation = match self.conversation_columns {
            true => format!(", lo {key} NOT NULL, hi {key} NOT NULL, lo_seq BIGINT NOT NULL"),
            false => String::new(),
        };
        format!(
            "CREATE TABLE users ({users};
             CREATE TABLE grants (
                 block INTEGER PRIMARY KEY, user {key} NOT NULL, granted_at BIGINT NOT NULL);
             CREATE TABLE contacts (
                 owner {key}, peer {key}, PRIMARY KEY (owner, peer)) WITHOUT ROWID;
             CREATE TABLE receipts (
                 user {key}, seq BIGINT, message BIGINT NOT NULL,
                 PRIMARY KEY (user, seq)) WITHOUT ROWID;
             CREATE TABLE timeline (
                 user {key}, seq BIGINT, message BIGINT NOT NULL, peer {key} NOT NULL,
                 PRIMARY KEY (user, seq)) WITHOUT ROWID;
             CREATE TABLE messages (
                 id INTEGER PRIMARY KEY, sender {key} NOT NULL, recipient {key} NOT NULL,
                 sender_seq BIGINT NOT NULL, recipient_seq BIGINT NOT NULL, kind SMALLINT NOT NULL,
                 body TEXT NOT NULL, sent_at TEXT NOT NULL, status SMALLINT NOT NULL,
                 origin BIGINT NOT NULL, stored_at BIGINT NOT NULL{conversation});
             {};",
            self.indexes.join(";"),
        )
    }

    /// How a user is named in the rows.
    pub fn key(&self, user: usize) -> Value {
        if self.text_keys {
            Value::Text(name(user))
        } else {
            Value::Int(user as i64 + 1)
        }
    }

    /// The users of a message in order, and its place in their conversation.
    pub fn place(&self, m: &Message) -> [Value; 3] {
        let (sender, recipient) = (self.key(m.sender), self.key(m.recipient));
        if sender < recipient {
            [sender, recipient, Value::Int(m.sender_seq)]
        } else {
            [recipient, sender, Value::Int(m.recipient_seq)]
        }
    }

    /// Stores a message whose timeline numbers are drawn.
    pub fn insert(&self, conn: &mut SqliteConnection, m: &Message) -> QueryResult<()> {
        let (sender, recipient) = (self.key(m.sender), self.key(m.recipient));
        let [id, sender_seq, recipient_seq] = [m.id, m.sender_seq, m.recipient_seq].map(Value::Int);
        if self.timeline_table {
            let [sender, recipient, id] = [&sender, &recipient, &id].map(Value::clone);
            let sent = [sender, sender_seq.clone(), id, recipient];
            let [sender, _, id, recipient] = sent.clone();
            let received = [recipient, recipient_seq.clone(), id, sender];
            let sql = "INSERT INTO timeline (user, seq, message, peer) VALUES (?1, ?2, ?3, ?4)";
            run(conn, sql, &sent)?;
            run(conn, sql, &received)?;
        }
        let body = Value::Text(BODIES[m.id as usize % BODIES.len()].into());
        let sent_at = Value::Text("2021-12-14 12:00:00".into());
        let stored_at = Value::Int(1_700_000_000_000 + m.id);
        let [status, origin] = [m.status, m.id / 7].map(Value::Int);
        let mut values = vec![id, sender, recipient, sender_seq, recipient_seq];
        values.extend([body, sent_at, status, origin, stored_at]);
        let sql = match self.conversation_columns {
            true => INSERT_PLACED,
            false => INSERT,
        };
        if self.conversation_columns {
            values.extend(self.place(m));
        }
        run(conn, sql, &values).map(|_| ())
    }
}
