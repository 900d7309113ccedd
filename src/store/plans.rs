//! Every statement of the store, held against SQLite's own plan for it.
//!
//! Without ANALYZE, which the server never runs, the planner looks at the schema alone: a plan on
//! an empty database is the plan at any size.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::connection::{Connection, InstrumentationEvent};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::batch::{self, NewMessage, Outcome, Write};
use super::connection::{Lane, Link, Pool};
use super::history::{self, PageQuery};
use super::timeline::{self, Fetch};
use super::{
    Admitted, DatabaseUrl, FILE_OVERHEAD, FileInfo, FileSweep, StoreOptions, Sweep, connection,
    contacts, files, leftovers, optimistic, provision, recall, retention, rules,
};
use crate::protocol::{FileId, MessageId, MessageKind, UserId};

#[derive(QueryableByName)]
struct PlanRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn write(connection: &mut SqliteConnection, writes: &[Write]) -> Vec<Outcome> {
    write_over(&mut Link::Sqlite(connection), writes)
}

fn write_over(link: &mut Link<'_>, writes: &[Write]) -> Vec<Outcome> {
    batch::apply(
        link,
        writes,
        &recall::Recall::default(),
        &optimistic::Hopes::default(),
        rules::Policy { strangers: true },
    )
    .unwrap()
}

/// The SQL of what is done, in order.
fn observed(
    connection: &mut SqliteConnection,
    done: impl FnOnce(&mut SqliteConnection),
) -> Vec<String> {
    observed_and_kept(connection, done).0
}

/// The SQL of what is done, in order, and of the statements that stay prepared from now on.
fn observed_and_kept(
    connection: &mut SqliteConnection,
    done: impl FnOnce(&mut SqliteConnection),
) -> (Vec<String>, HashSet<String>) {
    let seen: Arc<Mutex<(Vec<String>, HashSet<String>)>> = Arc::default();
    let log = Arc::clone(&seen);
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| match event {
        InstrumentationEvent::StartQuery { query, .. } => {
            let text = query.to_string();
            let sql = text.split(" -- binds").next().unwrap_or_default();
            log.lock().unwrap().0.push(sql.to_owned());
        }
        InstrumentationEvent::CacheQuery { sql, .. } => {
            log.lock().unwrap().1.insert(sql.to_owned());
        }
        _ => {}
    });
    done(connection);
    std::mem::take(&mut *seen.lock().unwrap())
}

/// Whether it is one that has a plan; not `BEGIN` or `COMMIT`.
fn is_query(sql: &str) -> bool {
    let verbs = ["SELECT", "UPDATE", "INSERT", "DELETE"];
    verbs.iter().any(|verb| sql.starts_with(verb))
}

fn message(id: i64, from: &str, to: &str) -> NewMessage {
    NewMessage {
        id: MessageId::new(id),
        from: user(from),
        to: user(to),
        kind: MessageKind::Text,
        text: "x".into(),
        time: "2021-12-14 12:00:00".into(),
        origin: 7,
    }
}

/// Does everything once.
fn everything(connection: &mut SqliteConnection) {
    chatting(connection);
    provisioning(connection);
    with_files(connection);
}

/// Does once what those who are connected do.
fn chatting(connection: &mut SqliteConnection) {
    let (a, b) = (user("A"), user("B"));
    let message = message(1, "A", "B");
    write(connection, &[Write::Connect(a.clone()), Write::Lease(10)]);
    write(connection, &[Write::Grant(a.clone(), MessageId::new(1))]);
    write(
        connection,
        &[Write::Message(message.clone()), Write::Message(message)],
    );
    let read = Write::Read {
        reader: b.clone(),
        sender: a.clone(),
        message: MessageId::new(1),
        origin: 8,
    };
    write(
        connection,
        &[
            read,
            Write::Told(a.clone(), 2),
            Write::Probe,
            Write::Connect(a.clone()),
        ],
    );
    for fetch in [
        Fetch::Unread {
            user: b.clone(),
            after: 0,
            upto: 9,
        },
        Fetch::Receipts {
            user: a.clone(),
            after: 0,
            upto: 9,
        },
        Fetch::Timeline {
            user: a.clone(),
            after: 0,
        },
    ] {
        timeline::fetch(&mut Link::Sqlite(connection), &fetch).unwrap();
    }
    for (with, before) in [(None, None), (Some("B"), Some(MessageId::new(1)))] {
        let query = PageQuery {
            user: "A".into(),
            with: with.map(str::to_owned),
            before,
            limit: 50,
            bytes: 1024,
        };
        history::page(&mut Link::Sqlite(connection), &query).unwrap();
    }
    contacts::list(&mut Link::Sqlite(connection), "A").unwrap();
}

/// Does once what whoever runs the server does.
fn provisioning(connection: &mut SqliteConnection) {
    let (a, b, link) = (user("A"), user("B"), &mut Link::Sqlite(connection));
    provision::put_user(link, &b, Some("name")).unwrap();
    provision::put_contact(link, &a, &b, Some("alias")).unwrap();
    provision::block(link, &b, &a).unwrap();
    provision::profile(link, "A").unwrap();
    provision::profiles(link, "A", 10).unwrap();
    provision::contacts(link, "A", 0, 10).unwrap();
    provision::blocks(link, "B", 0, 10).unwrap();
    write_over(link, &[Write::Keyed(message(11, "A", "B"), "key".into())]);
    provision::unblock(link, &b, &a).unwrap();
    write_over(link, &[Write::Keyed(message(11, "A", "B"), "key".into())]);
    provision::remove_contact(link, &a, &b).unwrap();
    provision::delete_user(link, &b).unwrap();
    write_over(link, &[Write::Connect(b)]);
    link.bulk().remove_receipts(&[(1, 2)], 10).unwrap();
    let sweep = Sweep::new(Duration::ZERO);
    retention::step(link, sweep).unwrap();
}

/// Does once what files need.
fn with_files(connection: &mut SqliteConnection) {
    let (a, link) = (user("A"), &mut Link::Sqlite(connection));
    let id = FileId::new(7);
    let file = FileInfo {
        id,
        name: "a.txt".into(),
        mime: "text/plain".into(),
        size: 5,
        sha256: "00".into(),
        picture: None,
    };
    assert_eq!(
        files::admit(link, (&a, 0), &file, 10_000).unwrap(),
        Admitted::Yes
    );
    assert!(files::is_there(link, id).unwrap());
    write_over(link, &[Write::Grant(a, MessageId::new(21))]);
    let carries = NewMessage {
        kind: MessageKind::File,
        text: format!(r#"{{"id":"{id}","url":"{}"}}"#, id.url()),
        ..message(21, "A", "B")
    };
    // On to somebody else, by who did not send it up.
    let onward = NewMessage {
        text: carries.text.clone(),
        kind: MessageKind::File,
        ..message(31, "B", "C")
    };
    write_over(link, &[Write::Grant(user("B"), MessageId::new(31))]);
    write_over(link, &[Write::Message(carries)]);
    write_over(link, &[Write::Message(onward)]);
    for reader in ["B", "C"] {
        assert!(files::file_for(link, id, reader).unwrap().is_some());
    }
    assert!(files::file_for(link, id, "D").unwrap().is_none());
    let usage = files::usage_of(link, "A").unwrap();
    assert_eq!(usage.bytes, 5 + FILE_OVERHEAD);
    let sweep = FileSweep::new(Duration::ZERO);
    let seen = leftovers::look(link, sweep).unwrap();
    leftovers::mark(link, sweep, &seen).unwrap();
    files::drop_one(link, id, Duration::ZERO).unwrap();
    files::forget(link, id).unwrap();
}

fn with_connection(test: impl FnOnce(&mut SqliteConnection)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plans.db");
    let options = StoreOptions {
        url: DatabaseUrl::Sqlite(path.to_str().unwrap().to_owned()),
        writers: 1,
        readers: 1,
        timeout: Duration::from_secs(1),
        strangers: true,
    };
    let mut pooled = Pool::open(&options, Lane::Writing, &recall::Recall::default())
        .unwrap()
        .get()
        .unwrap();
    connection::migrate(&mut pooled.link()).unwrap();
    let Link::Sqlite(connection) = pooled.link() else {
        panic!("a SQLite URL opens SQLite");
    };
    test(connection);
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    with_connection(assert_by_an_index);
}

fn assert_by_an_index(connection: &mut SqliteConnection) {
    let mut statements = observed(connection, everything);
    statements.sort();
    statements.dedup();
    let mut searched = 0;
    for sql in &statements {
        if !is_query(sql) {
            continue;
        }
        let plan: Vec<PlanRow> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
            .load(connection)
            .unwrap();
        for row in &plan {
            // The allocation has one row; a contact list is sorted by names from another table.
            let allowed = sql.contains("id_allocation")
                || (sql.contains("contacts") && row.detail.contains("TEMP B-TREE FOR ORDER BY"));
            let scans = row.detail.starts_with("SCAN") && row.detail != "SCAN CONSTANT ROW";
            let bad = scans || row.detail.contains("TEMP B-TREE");
            assert!(allowed || !bad, "{}\n{sql}", row.detail);
            searched += usize::from(row.detail.starts_with("SEARCH"));
        }
    }
    assert!(
        searched >= 40,
        "too few statements were seen: {statements:#?}"
    );
}

/// To prepare a statement costs several times what it takes to run.
#[test]
fn every_statement_of_those_who_are_connected_stays_prepared() {
    with_connection(|connection| {
        let (statements, kept) = observed_and_kept(connection, |connection| {
            chatting(connection);
            write(connection, &[Write::Name(user("A"), "name".into())]);
        });
        assert!(kept.len() >= 20, "{kept:#?}");
        for sql in statements.iter().filter(|sql| is_query(sql)) {
            // Of the allocation so many IDs are taken that it is seldom.
            assert!(kept.contains(sql) || sql.contains("id_allocation"), "{sql}");
            // SQLite prepares that one anew for each number.
            assert!(!sql.ends_with("LIMIT ?"), "{sql}");
        }
    });
}

/// Whoever asks could take the time for it.
#[test]
fn what_is_somebody_elses_takes_the_same_statements_as_what_is_not_there() {
    with_connection(|connection| {
        let (a, b) = (user("A"), user("B"));
        write(connection, &[Write::Connect(a), Write::Connect(b)]);
        write(connection, &[Write::Connect(user("C"))]);
        write(connection, &[Write::Grant(user("A"), MessageId::new(1))]);
        write(connection, &[Write::Message(message(1, "A", "B"))]);
        let read = |id| Write::Read {
            reader: user("C"),
            sender: user("A"),
            message: MessageId::new(id),
            origin: 8,
        };
        let page = |id, with: Option<&str>| PageQuery {
            user: "C".into(),
            with: with.map(str::to_owned),
            before: Some(MessageId::new(id)),
            limit: 50,
            bytes: 1024,
        };
        let (theirs, nobodys) = (1, 100_001);
        let mut seen = [theirs, nobodys].map(|id| {
            observed(connection, |connection| {
                for write_this in [Write::Message(message(id, "C", "B")), read(id)] {
                    let outcomes = write(connection, &[write_this]);
                    assert!(matches!(outcomes[0], Outcome::Refused(_)), "{outcomes:?}");
                }
                for with in [None, Some("A"), Some("NOBODY")] {
                    let found = history::page(&mut Link::Sqlite(connection), &page(id, with));
                    assert_eq!(found.unwrap(), None);
                }
            })
        });
        let [theirs, nobodys] = &mut seen;
        assert!(theirs.len() > 10, "{theirs:?}");
        assert_eq!(theirs, nobodys);
    });
}
