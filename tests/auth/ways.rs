//! Every way in, with every kind of token.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::support::node::Node;
use super::support::{Client, Server, frames};
use super::tokens::{
    SECRET, Signer, after, claims, claims_with, key_file, sign, sign_with, token, with_secret,
};

/// How a client shows its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `Authorization: Bearer`, as a mobile client does.
    Header,
    /// Among the subprotocols, as a page does.
    Subprotocol,
    /// In the connect frame.
    Frame,
}

const WAYS: [Way; 3] = [Way::Header, Way::Subprotocol, Way::Frame];

/// Comes in as HK0001 and sends the connect frame.
async fn come(node: &Node, way: Way, token: &str) -> Client {
    let bearer = format!("Bearer {token}");
    let offered = format!("yanshu.v1, bearer.{token}");
    let (headers, frame) = match way {
        Way::Header => (
            vec![("Authorization", bearer.as_str())],
            frames::connect("HK0001"),
        ),
        Way::Subprotocol => (
            vec![("Sec-WebSocket-Protocol", offered.as_str())],
            frames::connect("HK0001"),
        ),
        Way::Frame => {
            let mut frame = frames::connect("HK0001");
            frame["token"] = json!(token);
            (vec![], frame)
        }
    };
    let opened = Client::open_with(node, &headers).await;
    let (mut client, chosen) = opened.expect("a browser is not told of a refused upgrade");
    let echoed = (way == Way::Subprotocol).then_some("yanshu.v1");
    assert_eq!(chosen.as_deref(), echoed, "the token is not echoed");
    client.try_send(frame).await;
    client
}

async fn assert_taken(node: &Node, way: Way, token: &str, what: &str) {
    let mut client = come(node, way, token).await;
    let answer = client.next_text().await;
    assert_eq!(
        answer,
        frames::connected_text("HK0001"),
        "{what} by {way:?}"
    );
}

async fn assert_unauthorized(node: &Node, way: Way, token: &str, what: &str) {
    let mut client = come(node, way, token).await;
    let (frames, code) = client.read_until_close().await;
    assert_eq!((frames, code), (vec![], 4401), "{what} by {way:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_secret_is_taken_by_each_way_and_all_others_close_with_4401() {
    let server = Server::with(&[&with_secret(), "--jwt-audience=yanshu"]);
    let node = server.node(0);
    let good = json!({"aud": "yanshu"});
    let with = |more: serde_json::Value| {
        let mut all = good.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        sign(&claims_with("HK0001", &all))
    };
    let by = |signer| sign_with(&claims_with("HK0001", &good), signer);
    let right = [
        ("a good one", with(json!({}))),
        (
            "one audience of several",
            with(json!({"aud": ["other", "yanshu"]})),
        ),
        ("valid since a minute", with(json!({"nbf": after(-60)}))),
        ("a fraction of a second", with(json!({"exp": 1e10}))),
        ("a name that is none", with(json!({"name": 5}))),
    ];
    let wrong = [
        ("rubbish", "rubbish".to_owned()),
        ("three parts of rubbish", "a.b.c".to_owned()),
        ("too long", "a".repeat(10_000)),
        ("expired", with(json!({"exp": after(-10)}))),
        ("not valid yet", with(json!({"nbf": after(60)}))),
        (
            "without exp",
            sign(&json!({"sub": "HK0001", "aud": "yanshu"})),
        ),
        (
            "without sub",
            sign(&json!({"exp": after(60), "aud": "yanshu"})),
        ),
        ("exp as text", with(json!({"exp": "never"}))),
        ("nbf as text", with(json!({"nbf": "soon"}))),
        ("negative exp", with(json!({"exp": -1}))),
        ("no user ID", with(json!({"sub": "HK 0001"}))),
        ("another audience", with(json!({"aud": "other"}))),
        ("without an audience", token("HK0001")),
        (
            "another secret",
            by(Signer::Secret("another secret of enough bytes, too")),
        ),
        ("another algorithm", by(Signer::Hs512)),
        (
            "a public key's algorithm",
            by(Signer::Key(Algorithm::RS256, "rsa.pem")),
        ),
        ("signed by nobody", by(Signer::Nobody)),
        (
            "cut off",
            with(json!({})).rsplit_once('.').unwrap().0.to_owned(),
        ),
        ("changed", tampered(&with(json!({})))),
    ];
    for way in WAYS {
        for (what, token) in &right {
            assert_taken(node, way, token, what).await;
        }
        for (what, token) in &wrong {
            assert_unauthorized(node, way, token, what).await;
        }
    }
    // A header cannot be without a token, and a subprotocol is shorter than a frame may be.
    assert_unauthorized(node, Way::Frame, "", "an empty one").await;
    for secret in [SECRET, "HK0001 ", &with(json!({}))] {
        assert!(
            !server.node(0).log().contains(secret),
            "the log holds no token"
        );
    }
}

/// Claims of somebody else under the signature of the right ones.
fn tampered(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let other = sign(&claims_with(
        "HK0001",
        &json!({"aud": "yanshu", "exp": after(7200)}),
    ));
    let claims = other.split('.').nth(1).unwrap();
    format!("{}.{claims}.{}", parts[0], parts[2])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_token_is_closed_with_4401_at_the_connect_frame() {
    let server = Server::with(&[&with_secret()]);
    let mut client = Client::open(server.node(0)).await;
    // What comes before is what it always is.
    client.send(frames::get_ids("HK0001")).await;
    client.expect_error("not_connected").await;
    client.send(frames::connect("HK0001")).await;
    assert_eq!(client.expect_close().await, 4401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_somebody_else_is_forbidden_and_one_for_oneself_is_taken_afterwards() {
    let server = Server::with(&[&with_secret()]);
    for way in WAYS {
        let mut client = come(server.node(0), way, &token("HK0002")).await;
        let error = client.expect_error("forbidden").await;
        assert_eq!(error["error"]["action"], "1", "{way:?}");
        client.send(frames::get_ids("HK0001")).await;
        client.expect_error("not_connected").await;
        if way == Way::Frame {
            // A frame that is refused says nothing of who this is.
            client.send(frames::connect("HK0002")).await;
            assert_eq!(client.expect_close().await, 4401);
        } else {
            client.connect_as("HK0002").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_public_key_takes_its_own_tokens_and_no_others() {
    let signers = [
        ("rsa.pub.pem", Signer::Key(Algorithm::RS256, "rsa.pem")),
        ("ec.pub.pem", Signer::Key(Algorithm::ES256, "ec.pem")),
        ("ed.pub.pem", Signer::Key(Algorithm::EdDSA, "ed.pem")),
    ];
    for (file, _) in signers {
        let server = Server::with(&[&format!("--jwt-public-key={}", key_file(file))]);
        let node = server.node(0);
        for (other, signer) in signers {
            let token = sign_with(&claims("HK0001"), signer);
            if other == file {
                assert_taken(node, Way::Header, &token, file).await;
                let claims = claims_with("HK0001", &json!({"exp": after(-60)}));
                let expired = sign_with(&claims, signer);
                assert_unauthorized(node, Way::Header, &expired, file).await;
            } else {
                assert_unauthorized(node, Way::Header, &token, other).await;
            }
        }
        for signer in [
            Signer::Key(Algorithm::RS256, "other-rsa.pem"),
            Signer::Key(Algorithm::RS512, "rsa.pem"),
            Signer::Key(Algorithm::PS256, "rsa.pem"),
            Signer::PublicAsSecret(file),
            Signer::Secret(SECRET),
            Signer::Nobody,
        ] {
            let token = sign_with(&claims("HK0001"), signer);
            assert_unauthorized(node, Way::Header, &token, file).await;
        }
    }
}
