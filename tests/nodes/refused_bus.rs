//! What can be wrong with the bus when a node starts: what no waiting can cure stops the start, and anything else
//! does not.

use serde_json::{Value, json};

use super::common::{assert_all_serve, empty_database, spawn_node};
use super::refused::{SECRET, refusal};
use super::support::{Nats, Node, http, within};

/// Until `/health` is green, and says this of the bus.
async fn until_health_is(node: &Node, healthy: bool) {
    let expected = if healthy {
        json!({"status": "ok"})
    } else {
        json!({"status": "ok", "degraded": ["bus"]})
    };
    within(&format!("/health to be {expected}"), async {
        loop {
            let response = http::get(node, "/health").await;
            assert_eq!(response.status, 200, "{response:?}");
            let body: Value = serde_json::from_str(&response.body).expect("it is JSON");
            if body == expected {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[test]
fn a_bus_beside_a_database_that_is_not_shared_is_refused() {
    let secret = format!("nats://goose:{SECRET}@127.0.0.1");
    let sentence = refusal(&["--nats-url", &secret, "--database-url", "sqlite://pond.db"]);
    for part in ["--nats-url", "sqlite://pond.db", "postgres://"] {
        assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
    }
}

#[test]
fn a_url_of_nats_that_is_none_is_refused() {
    let database = empty_database();
    for wrong in [
        "",
        "nats://",
        "http://127.0.0.1",
        &format!("nats://goose:{SECRET}@127.0.0.1:port"),
        &format!("nats://goose:{SECRET}@127.0.0.1/pond"),
        &format!("nats://goose:{SECRET}@one,nats://goose:not-{SECRET}@two"),
    ] {
        let sentence = refusal(&["--nats-url", wrong, "--database-url", &database.url()]);
        assert!(sentence.contains("NATS URL"), "{wrong}: {sentence:?}");
    }
}

#[tokio::test]
async fn a_password_that_nats_does_not_take_is_refused_and_never_shown() {
    let nats = Nats::with_password("goose", &format!("{SECRET}!"));
    let database = empty_database();
    let strangers = [
        nats.url_as("goose", &format!("{SECRET}-not")),
        nats.url_as("duck", &format!("{SECRET}!")),
        nats.url(),
    ];
    for url in strangers {
        let sentence = refusal(&["--nats-url", &url, "--database-url", &database.url()]);
        let port = nats.port().to_string();
        for part in ["NATS", &port, "refuses"] {
            assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
        }
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let right = format!("--nats-url={}", nats.url_as("goose", &format!("{SECRET}!")));
    let nodes = [(); 2].map(|()| spawn_node(directory.path(), &database, &[&right]));
    for node in &nodes {
        node.wait_until_ready();
        until_health_is(node, true).await;
    }
    assert_all_serve(&[&nodes[0], &nodes[1]], "with-a-password").await;
    for node in &nodes {
        assert!(!node.log().contains(SECRET), "{}", node.log());
    }
}

/// Two nodes of which each serves its own, and which find each other once `heal` is done.
async fn start_degraded(nats: &Nats, heal: impl FnOnce(&Nats)) {
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let bus = format!("--nats-url={}", nats.url());
    let nodes = [(); 2].map(|()| spawn_node(directory.path(), &database, &[&bus]));
    for (number, node) in nodes.iter().enumerate() {
        node.wait_until_ready();
        until_health_is(node, false).await;
        let log = node.log();
        assert!(log.contains(&nats.port().to_string()), "{log}");
        assert_all_serve(&[node], &format!("alone-{number}")).await;
    }
    heal(nats);
    for node in &nodes {
        until_health_is(node, true).await;
    }
    assert_all_serve(&[&nodes[0], &nodes[1]], "together").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_start_without_nats_and_find_each_other_once_it_is_there() {
    let nats = Nats::start();
    nats.kill9();
    start_degraded(&nats, Nats::restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_start_although_nats_hangs_and_find_each_other_once_it_goes_on() {
    let nats = Nats::start();
    nats.pause();
    start_degraded(&nats, Nats::resume).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_forbids_a_node_to_listen_is_degraded_and_the_node_serves_its_own() {
    let nats = Nats::with(&format!(
        "authorization {{ users: [ {{ user: goose, password: {SECRET:?},
             permissions: {{ publish: \">\", subscribe: \"_INBOX.>\" }} }} ] }}"
    ));
    let database = empty_database();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let bus = format!("--nats-url={}", nats.url_as("goose", SECRET));
    let node = spawn_node(directory.path(), &database, &[&bus]);
    node.wait_until_ready();
    until_health_is(&node, false).await;
    assert_all_serve(&[&node], "unheard").await;
    until_health_is(&node, false).await;
    let log = node.log().to_ascii_lowercase();
    assert!(log.contains("permissions violation"), "{log}");
}
