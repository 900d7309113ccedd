//! Who asks: whoever a token says, and on an open server whoever the query says.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::asker::{Asker, kept};
use super::ground::{assert_nothing, rows};
use super::support::{Client, Server};
use super::wire::Reply;

const SECRET: &str = "a secret of thirty-two bytes or more";

fn with_secret() -> String {
    format!("--jwt-secret={SECRET}")
}

/// A token for this user that ends so many seconds from now.
fn signed(secret: &str, user: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.expect("it is after 1970").as_secs()).unwrap();
    let claims = json!({"sub": user, "exp": now + seconds});
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::default(), &claims, &key).expect("it can be signed")
}

fn token(user: &str) -> String {
    signed(SECRET, user, 3600)
}

fn assert_unauthorized(reply: Reply) {
    let reply = reply.assert_is(401, "unauthorized");
    let asked = reply.header("www-authenticate");
    assert!(
        asked.is_some_and(|asked| asked.starts_with("Bearer")),
        "{}",
        reply.head
    );
    assert_eq!(reply.json()["retryable"], false);
}

#[tokio::test]
async fn without_a_good_token_nothing_goes_up_or_comes_down() {
    let server = Server::with(&[&with_secret()]);
    let node = server.node(0);
    let ann = Asker::nobody(node).showing(token("ann"));
    let wrong = [
        None,
        Some("nonsense".to_owned()),
        Some(String::new()),
        Some(signed("another secret of thirty-two bytes", "ann", 3600)),
        Some(signed(SECRET, "ann", -3600)),
        Some(signed(SECRET, "not a user!", 3600)),
    ];
    for token in &wrong {
        for asker in [Asker::nobody(node), Asker::at(node, "ann")] {
            let asker = match token {
                Some(token) => asker.showing(token.clone()),
                None => asker,
            };
            assert_unauthorized(asker.upload("a", b"bytes").await);
        }
    }
    assert_nothing(&server);
    let file = ann.keep("a", b"bytes").await;
    for token in wrong {
        for asker in [Asker::nobody(node), Asker::at(node, "ann")] {
            let asker = match &token {
                Some(token) => asker.showing(token.clone()),
                None => asker,
            };
            for path in [file.url(), &file.thumbnail(), "/files/x"] {
                assert_unauthorized(asker.get(path).await);
            }
        }
    }
    ann.reads(file.url(), b"bytes").await;
}

#[tokio::test]
async fn a_token_speaks_for_its_user_and_for_nobody_else() {
    let server = Server::with(&[&with_secret()]);
    let node = server.node(0);
    let ann = Asker::nobody(node).showing(token("ann"));
    let as_ann = Asker::at(node, "ann").showing(token("ann"));
    let as_bob = Asker::at(node, "bob").showing(token("ann"));
    let refused = as_bob.upload("a", b"bytes").await;
    refused.assert_is(403, "forbidden");
    assert_nothing(&server);
    let file = ann.keep("a", b"bytes").await;
    for asker in [&ann, &as_ann] {
        asker.reads(file.url(), b"bytes").await;
    }
    let refused = as_bob.get(file.url()).await;
    refused.assert_is(403, "forbidden");
    // Bob's own token does not make it his.
    let bob = Asker::at(node, "bob").showing(token("bob"));
    bob.cannot_read(file.url()).await;
    let refused = Asker::at(node, "ann").showing(token("bob"));
    let refused = refused.get(file.url()).await;
    refused.assert_is(403, "forbidden");
}

#[tokio::test]
async fn who_has_never_connected_may_send_up_and_is_who_connects_later() {
    let server = Server::with(&[&with_secret()]);
    let ann = Asker::nobody(server.node(1)).showing(token("ann"));
    let file = ann.keep("a", b"bytes").await;
    ann.reads(file.url(), b"bytes").await;
    let connect = async |user: &str| {
        let bearer = format!("Bearer {}", token(user));
        let headers = [("Authorization", &*bearer)];
        let opened = Client::open_with(server.node(0), &headers).await;
        let mut client = opened.expect("it is upgraded").0;
        client.connect_as(user).await;
        client
    };
    let mut bob = connect("bob").await;
    let mut client = connect("ann").await;
    let id = super::chat::send_file(&mut client, "bob", &file).await;
    super::chat::expect_text(&mut bob, "ann", &id, &file.text).await;
    let bob = Asker::nobody(server.node(0)).showing(token("bob"));
    bob.reads(file.url(), b"bytes").await;
    // Who has a good token and is not known at all may ask, and gets nothing.
    let new = Asker::nobody(server.node(0)).showing(token("new"));
    new.cannot_read(file.url()).await;
}

#[tokio::test]
async fn an_open_server_has_to_be_told_who_asks() {
    let server = Server::start();
    let nobody = Asker::nobody(server.node(0));
    let file = Asker::at(server.node(0), "ann").keep("a", b"bytes").await;
    let long = format!("fromId={}", "a".repeat(65));
    for query in [
        "",
        "fromId=",
        "fromId=a%20b",
        "fromId=%ff",
        "from=ann",
        &long,
    ] {
        let refused = nobody
            .ask(("POST", &format!("/files?{query}")), &[], Some(b"x"))
            .await;
        refused.assert_is(400, "bad_request");
        let path = format!("{}?{query}", file.url());
        let refused = nobody.ask(("GET", &path), &[], None).await;
        refused.assert_is(400, "bad_request");
    }
    assert_eq!(rows(&server), 1);
    // A token that nobody asked for says nothing here.
    let eve = Asker::at(server.node(0), "eve").showing(token("ann"));
    eve.cannot_read(file.url()).await;
    let twice = nobody
        .ask(("POST", "/files?fromId=ann&fromId=eve"), &[], Some(b"x"))
        .await;
    if twice.status != 400 {
        let file = kept(twice);
        let readers = [
            Asker::at(server.node(0), "ann")
                .get(file.url())
                .await
                .status,
            Asker::at(server.node(0), "eve")
                .get(file.url())
                .await
                .status,
        ];
        assert!(readers.contains(&404), "it is one user's: {readers:?}");
    }
}
