//! Every statement of the store, held against SQLite's own plan for it.
//!
//! Without ANALYZE, which the server never runs, the planner looks at the schema alone: a plan on
//! an empty database is the plan at any size.

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, InstrumentationEvent};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::batch::{self, NewMessage, Outcome, Write};
use super::connection::{Lane, Link, Pool};
use super::history::{self, PageQuery};
use super::timeline::{self, Fetch};
use super::{DatabaseUrl, StoreOptions, connection, contacts, optimistic, recall, rules};
use crate::protocol::{MessageId, MessageKind, UserId};

#[derive(QueryableByName)]
struct PlanRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn write(connection: &mut SqliteConnection, writes: &[Write]) -> Vec<Outcome> {
    batch::apply(
        &mut Link::Sqlite(connection),
        writes,
        &recall::Recall::default(),
        &optimistic::Hopes::default(),
        rules::Policy { strangers: true },
    )
    .unwrap()
}

/// Does everything once, and returns the SQL of it.
fn statements(connection: &mut SqliteConnection) -> Vec<String> {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            let sql = text.split(" -- binds").next().unwrap_or_default();
            log.lock().unwrap().push(sql.to_owned());
        }
    });
    let (a, b) = (user("A"), user("B"));
    let message = NewMessage {
        id: MessageId::new(1),
        from: a.clone(),
        to: b.clone(),
        kind: MessageKind::Text,
        text: "x".into(),
        time: "2021-12-14 12:00:00".into(),
        origin: 7,
    };
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
    let mut all = std::mem::take(&mut *seen.lock().unwrap());
    all.sort();
    all.dedup();
    all
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plans.db");
    let options = StoreOptions {
        url: DatabaseUrl::Sqlite(path.to_str().unwrap().to_owned()),
        writers: 1,
        readers: 1,
        timeout: std::time::Duration::from_secs(1),
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
    let statements = statements(connection);
    let mut searched = 0;
    for sql in &statements {
        let is_query = ["SELECT", "UPDATE", "INSERT"]
            .iter()
            .any(|verb| sql.starts_with(verb));
        if !is_query {
            continue; // BEGIN, COMMIT
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
        searched >= 15,
        "too few statements were seen: {statements:#?}"
    );
}
