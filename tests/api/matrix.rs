//! Every action and every request, as nobody, as another user, as the user, as whoever runs the server.

use serde_json::{Value, json};

use super::admin::{Admin, TOKEN, raw, server_with};
use super::support::command::run;
use super::support::{Client, Server, frames, http};

const SECRET: &str = "a-secret-of-thirty-two-characters";
/// In a message from Ann to Cid, and in the names of both for each other.
const MARKER: &str = "only-for-the-two-of-them";

fn token(user: &str) -> String {
    run(&["token", user, "--jwt-secret", SECRET])
        .stdout
        .trim()
        .to_owned()
}

async fn connected(server: &Server, user: &str) -> Client {
    let bearer = format!("Bearer {}", token(user));
    let opened = Client::open_with(server.node(0), &[("Authorization", &bearer)]).await;
    let mut client = opened.unwrap().0;
    client.connect_as(user).await;
    client
}

/// Ann and Cid, who have written to each other, and Bob, who has to do with neither.
struct Story {
    server: Server,
    ann: Client,
    bob: Client,
    /// From Ann to Cid, unread.
    message: String,
    /// Granted to Ann and not used.
    granted: String,
}

impl Story {
    async fn begin() -> Self {
        let server = server_with(&[&format!("--jwt-secret={SECRET}"), "--limits=off"]);
        let admin = Admin::of(&server);
        admin.create(&["cid"]).await;
        let mut ann = connected(&server, "ann").await;
        let bob = connected(&server, "bob").await;
        let ids = ann.ids().await;
        ann.message(&ids[0], "cid", MARKER).await;
        ann.expect_status("cid", "ann", &ids[0], 1).await;
        let alias = json!({"alias": MARKER});
        admin
            .put("/users/ann/contacts/cid", &alias)
            .await
            .assert_status(200);
        Self {
            server,
            ann,
            bob,
            message: ids[0].clone(),
            granted: ids[1].clone(),
        }
    }

    /// Each action, as a frame of Ann's.
    fn frames_of_ann(&self) -> Vec<Value> {
        vec![
            frames::connect("ann"),
            frames::get_ids("ann"),
            frames::message("ann", "cid", &self.granted, "forged"),
            frames::read("ann", "cid", &self.message),
            frames::heartbeat("ann"),
            frames::contacts("ann"),
            frames::history("ann", Some("cid"), None, None),
            frames::history("ann", None, Some(&self.message), None),
        ]
    }

    /// What Bob may try in his own name, and what he is told.
    fn frames_of_bob(&self) -> Vec<(Value, &'static str)> {
        let (message, granted) = (&*self.message, &*self.granted);
        vec![
            (
                frames::message("bob", "cid", message, MARKER),
                "id_not_granted",
            ),
            (
                frames::message("bob", "cid", granted, "forged"),
                "id_not_granted",
            ),
            (
                frames::message("bob", "nobody", granted, "forged"),
                "id_not_granted",
            ),
            (frames::read("bob", "ann", message), "unknown_message"),
            (frames::read("bob", "cid", message), "unknown_message"),
            (
                frames::history("bob", None, Some(message), None),
                "unknown_message",
            ),
            (
                frames::history("bob", Some("cid"), Some(message), None),
                "unknown_message",
            ),
            (
                frames::history("bob", Some("ann"), Some(message), None),
                "unknown_message",
            ),
        ]
    }

    /// The same about what is not there: what he is told must not differ.
    fn frames_of_bob_about_nothing(&self) -> Vec<Value> {
        let frames = self.frames_of_bob().into_iter();
        let frames = frames.map(|(frame, _)| frame.to_string());
        let nothing = |frame: String| {
            frame
                .replace(&self.message, "MSG900001")
                .replace(&self.granted, "MSG900002")
        };
        frames
            .map(|frame| serde_json::from_str(&nothing(frame)).unwrap())
            .collect()
    }
}

fn assert_tells_nothing(text: &str, what: &str) {
    assert!(!text.contains(MARKER), "{what} tells it: {text}");
}

#[tokio::test]
async fn nobody_does_anything_and_is_told_nothing() {
    let story = Story::begin().await;
    for frame in story.frames_of_ann() {
        let mut nobody = Client::open(&story.server).await;
        nobody.send(frame.clone()).await;
        if frame["action"] == "1" {
            assert_eq!(nobody.expect_close().await, 4401, "{frame}");
        } else {
            let error = nobody.expect_error("not_connected").await;
            assert_tells_nothing(&error.to_string(), "an error");
        }
    }
    // Nor does whoever runs the server, over the WebSocket.
    let bearer = format!("Bearer {TOKEN}");
    let opened = Client::open_with(story.server.node(0), &[("Authorization", &bearer)]).await;
    assert_eq!(opened.unwrap().0.expect_close().await, 4401);
}

#[tokio::test]
async fn another_user_does_nothing_for_her_and_learns_nothing_of_hers() {
    let mut story = Story::begin().await;
    for frame in story.frames_of_ann() {
        story.bob.send(frame.clone()).await;
        let error = story.bob.expect_error("forbidden").await;
        assert_eq!(error["error"]["action"], frame["action"], "{error}");
        assert_tells_nothing(&error.to_string(), "an error");
    }
    let nothing = story.frames_of_bob_about_nothing();
    for ((frame, code), about_nothing) in story.frames_of_bob().into_iter().zip(nothing) {
        story.bob.send(frame.clone()).await;
        let error = story.bob.expect_error(code).await;
        assert_tells_nothing(
            &error.to_string().replace(&frame.to_string(), ""),
            "an error",
        );
        story.bob.send(about_nothing.clone()).await;
        let other = story.bob.expect_error(code).await;
        assert_eq!(
            error["error"], other["error"],
            "{frame} and {about_nothing}"
        );
    }
    assert!(story.bob.contacts().await.is_empty());
    for with in [None, Some("ann"), Some("cid")] {
        assert!(story.bob.history(with, None, None).await.is_empty());
    }
    story.bob.assert_timeline_silent().await;
    // Nothing of it has done anything.
    story.ann.assert_silent().await;
    let page = story.ann.history(Some("cid"), None, None).await;
    assert_eq!(page.len(), 1, "{page:?}");
    assert_eq!(page[0]["chatMsg"]["status"], 1, "{page:?}");
}

#[tokio::test]
async fn she_herself_does_all_of_it() {
    let mut story = Story::begin().await;
    for frame in story.frames_of_ann() {
        story.ann.send(frame.clone()).await;
        match frame["action"].as_str().unwrap() {
            "5" => story.ann.assert_silent().await,
            // She wrote it: only Cid can have read it.
            "4" => drop(story.ann.expect_error("forbidden").await),
            "3" => {
                story
                    .ann
                    .expect_status("cid", "ann", &story.granted, 1)
                    .await
            }
            action => assert_eq!(story.ann.next().await["action"], action, "{frame}"),
        }
    }
}

#[tokio::test]
async fn only_whoever_runs_the_server_is_answered_by_the_api_and_all_others_alike() {
    let mut story = Story::begin().await;
    let port = story.server.port();
    let document = raw(port, ("GET", "/openapi.json"), &[], &Value::Null)
        .await
        .body;
    let bearers = [
        String::new(),
        format!("Bearer {}", token("bob")),
        format!("Bearer {}", token("ann")),
    ];
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            operations += 1;
            let mut told = Vec::new();
            for bearer in &bearers {
                for user in ["ann", "nobody"] {
                    let path = path.replace("{user}", user);
                    let path = path.replace("{contact}", "cid").replace("{blocked}", "cid");
                    let path = path.replace("{session}", "1");
                    let headers = [("Authorization", bearer.as_str())];
                    let answer = raw(port, (&method, &path), &headers, &Value::Null).await;
                    let answer = answer.assert_is(401, "unauthorized");
                    told.push(answer.body);
                }
            }
            told.dedup();
            assert_eq!(told.len(), 1, "{method} {path}: {told:?}");
        }
    }
    assert!(operations >= 16, "{operations}");
    // Nothing of it has done anything.
    let admin = Admin::of(&story.server);
    assert_eq!(admin.get("/users").await.each("id"), ["ann", "bob", "cid"]);
    assert_eq!(
        admin.get("/users/ann/contacts").await.items()[0]["alias"],
        MARKER
    );
    assert!(admin.get("/users/ann/blocks").await.items().is_empty());
    story.ann.assert_silent().await;
}

#[tokio::test]
async fn neither_the_log_nor_the_metrics_tell_who_wrote_what_to_whom() {
    let mut story = Story::begin().await;
    for (frame, code) in story.frames_of_bob() {
        story.bob.send(frame).await;
        story.bob.expect_error(code).await;
    }
    let admin = Admin::of(&story.server);
    admin
        .send("key", ("ann", "cid"), MARKER)
        .await
        .assert_status(201);
    admin.get("/users/ann/sessions").await.assert_status(200);
    for node in story.server.nodes() {
        let metrics = http::get_at(node.port(), "/metrics").await.body;
        assert_tells_nothing(&metrics, "a metric");
        for user in ["ann", "bob", "cid"] {
            assert!(
                !metrics.contains(&format!("\"{user}\"")),
                "{user} in {metrics}"
            );
        }
    }
    drop((story.ann, story.bob));
    let log = story.server.terminate().await.stderr;
    assert_tells_nothing(&log, "the log");
    for secret in [SECRET, TOKEN, &token("ann")[..20]] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
