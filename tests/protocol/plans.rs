//! Every statement of the server, held against PostgreSQL's own plan for it. (SQLite's plans are
//! looked at in `src/store/plans.rs`.)

use crate::support::mode::{Mode, only_on};
use crate::support::postgres::{Durability, Postgres};
use crate::support::server::run;
use crate::support::{Client, Server, http};

const TOKEN: &str = "an-admin-token-for-tests";

/// Tables of one row, and what migrating asks of its own table and of the catalogue.
const MAY_BE_SCANNED: [&str; 4] = ["id_allocation", "deployment", "__diesel_schema", "pg_"];

#[tokio::test]
async fn every_statement_on_postgresql_finds_its_rows_by_an_index() {
    if !only_on(&[Mode::Postgres], "it is about PostgreSQL alone") {
        return;
    }
    let postgres = Postgres::with(Durability::Fast);
    let database = postgres.new_database();
    let name = database.query("SELECT current_database()").remove(0);
    postgres.execute(&format!(
        "ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain';
         ALTER DATABASE {name} SET auto_explain.log_min_duration = 0;"
    ));
    // A plan is kept whatever becomes of the table: also one for a table of which PostgreSQL knows that it
    // has no row, or one, or a few.
    let users = [
        ["A", "B", "C"],
        ["D", "E", "F"],
        ["G", "H", "I"],
        ["J", "K", "L"],
    ];
    let flags: &[&str] = &[&format!("--admin-token={TOKEN}"), "--retain=31d"];
    let server = Server::on(&database, &[flags]);
    drop(Client::connect(&server, "alone").await);
    drop(server);
    for users in users {
        database.execute("ANALYZE");
        let server = Server::on(&database, &[flags]);
        do_everything(&server, users).await;
        provide(&server, users).await;
        drop(server);
        database.execute(
            "SET auto_explain.log_min_duration = -1; UPDATE messages SET stored_at = 1, status = 2",
        );
    }

    let log = postgres.log();
    let lines: Vec<&str> = log.lines().map(str::trim).collect();
    let (mut searched, mut statement) = (0, "");
    for (line, next) in lines.iter().zip(&lines[1..]) {
        if line.starts_with("Query Text:") {
            statement = line;
        }
        let of_one = |name: &&str| line.contains(&format!(" on {name}"));
        if MAY_BE_SCANNED.iter().any(of_one) {
            continue;
        }
        assert!(
            !line.contains("Seq Scan on"),
            "read from end to end: {line}\n{statement}"
        );
        // An index can be read from end to end, too.
        if line.contains("Index Scan") || line.contains("Index Only Scan") {
            assert!(
                next.starts_with("Index Cond:"),
                "{line}\n{next}\n{statement}"
            );
            searched += 1;
        }
    }
    assert!(searched >= 30, "only {searched} searches were seen");
    for index in [
        "users_login_key",
        "users_pkey",
        "messages_pkey",
        "messages_by_sender",
        "messages_by_recipient",
        "messages_by_conversation",
        "receipts_pkey",
        "grants_pkey",
        "contacts_pkey",
        "blocks_pkey",
        "sent_by_key_sender_key_key",
    ] {
        assert!(log.contains(index), "nothing was found by {index}");
    }
}

/// What whoever runs the server does.
async fn provide(server: &Server, [a, b, c]: [&str; 3]) {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "key"),
    ];
    let text = format!(r#"{{"to":"{b}","message":"notice"}}"#);
    for (request, body, status) in [
        (("PUT", format!("/users/{a}")), r#"{"name":"Name"}"#, 200),
        (("GET", format!("/users/{a}")), "", 200),
        (("GET", format!("/users?cursor={a}&limit=2")), "", 200),
        (("PUT", format!("/users/{a}/contacts/{b}")), "{}", 200),
        (("GET", format!("/users/{a}/contacts?limit=1")), "", 200),
        (("PUT", format!("/users/{b}/blocks/{c}")), "", 201),
        (("GET", format!("/users/{b}/blocks?limit=1")), "", 200),
        (("POST", format!("/users/{a}/messages")), &text, 201),
        (("POST", format!("/users/{a}/messages")), &text, 200),
        (("POST", format!("/users/{c}/messages")), &text, 403),
        (("DELETE", format!("/users/{b}/blocks/{c}")), "", 204),
        (("DELETE", format!("/users/{a}/contacts/{b}")), "", 204),
        (("DELETE", format!("/users/{a}")), "", 204),
    ] {
        let (method, path) = request;
        let path = format!("/api/v1{path}");
        let answer = http::send_at(server.port(), (method, &path), &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    }
    // Who was deleted comes back, and writes to who once blocked somebody.
    let mut again = Client::connect(server, a).await;
    again.deliver(b, "text").await;
    again.deliver(b, "and again").await;
}

async fn do_everything(server: &Server, [a, b, c]: [&str; 3]) {
    let mut sender = Client::connect(server, a).await;
    let mut phone = Client::connect(server, a).await;
    let id = sender.deliver(b, "text").await;
    phone.expect_message(a, b, &id, "text").await;
    phone.expect_status(b, a, &id, 1).await;
    // Their second message, and the third, of which is known all but itself.
    for text in ["again", "and again"] {
        let id = sender.deliver(b, text).await;
        phone.expect_message(a, b, &id, text).await;
        phone.expect_status(b, a, &id, 1).await;
    }
    // A resend, what was left unread, a reading, and a receipt that nobody was told of.
    sender.message(&id, b, "text").await;
    sender.expect_status(b, a, &id, 1).await;
    drop((sender, phone));
    let mut reader = Client::connect(server, b).await;
    reader.expect_message(a, b, &id, "text").await;
    reader.read(&id, a).await;
    let mut sender = Client::connect(server, a).await;
    sender.expect_status(b, a, &id, 2).await;
    sender.contacts().await;
    for partner in [None, Some(b)] {
        sender.history(partner, Some(&id), None).await;
        sender.history(partner, None, None).await;
    }
    let file = server.directory().join("contacts.csv");
    std::fs::write(&file, format!("{a},{b},name\n{a},{c},\n")).unwrap();
    let file = file.to_str().unwrap();
    let url = server.database_url();
    let ended = run(&["contacts", "import", file, "--database-url", &url]);
    assert!(ended.status.success(), "{}", ended.stderr);
}
