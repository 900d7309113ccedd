//! `GET /metrics`: what it shows after what was done, and that the dashboard asks for nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Client, Server, frames, http};

/// What all nodes show together, of one metric with these labels.
pub async fn total(server: &Server, metric: &str) -> f64 {
    let mut sum = 0.0;
    for node in server.nodes() {
        let response = http::get_at(node.port(), "/metrics").await;
        assert_eq!(response.status, 200, "{response:?}");
        let line = |line: &&str| {
            line.strip_prefix(metric)
                .is_some_and(|rest| rest.starts_with(' '))
        };
        let value = response
            .body
            .lines()
            .find(line)
            .and_then(|line| line.rsplit(' ').next());
        sum += value.map_or(0.0, |value| value.parse::<f64>().expect("a number"));
    }
    sum
}

async fn assert_total(server: &Server, metric: &str, expected: f64) {
    let seen = total(server, metric).await;
    assert!(
        (seen - expected).abs() < 0.01,
        "{metric} is {seen}, not {expected}"
    );
}

#[tokio::test]
async fn the_metrics_show_what_was_done() {
    let server = Server::start();
    let mut ann = Client::connect(&server, "a-secret-name").await;
    let mut bob = Client::connect(&server, "bob").await;
    let ids = ann.ids().await;
    for id in &ids[..3] {
        ann.message(id, "bob", "text").await;
        ann.expect_status("bob", "a-secret-name", id, 1).await;
        bob.expect_message("a-secret-name", "bob", id, "text").await;
    }
    ann.message(&ids[0], "bob", "text").await; // again
    ann.expect_status("bob", "a-secret-name", &ids[0], 1).await;
    ann.message(&ids[0], "bob", "another").await;
    ann.expect_error("id_conflict").await;
    bob.read(&ids[0], "a-secret-name").await;
    ann.expect_status("bob", "a-secret-name", &ids[0], 2).await;
    ann.contacts().await;
    ann.history(None, None, None).await;
    ann.send(frames::history(
        "a-secret-name",
        None,
        Some("MSG999999"),
        None,
    ))
    .await;
    ann.expect_error("unknown_message").await;
    ann.send(frames::heartbeat("a-secret-name")).await;
    ann.send_raw("rubbish").await;
    ann.expect_error("bad_json").await;

    let frames =
        |action, result| format!("yanshu_frames_total{{action=\"{action}\",result=\"{result}\"}}");
    for (action, result, count) in [
        ("1", "ok", 2.0),
        ("2", "ok", 1.0),
        ("3", "ok", 4.0),
        ("3", "id_conflict", 1.0),
        ("4", "ok", 1.0),
        ("5", "ok", 1.0),
        ("11", "ok", 1.0),
        ("12", "ok", 1.0),
        ("12", "unknown_message", 1.0),
        ("none", "bad_json", 1.0),
    ] {
        assert_total(&server, &frames(action, result), count).await;
    }
    assert_total(&server, "yanshu_acks_total", 3.0).await;
    assert_total(&server, "yanshu_ack_seconds_count", 3.0).await;
    assert_total(&server, "yanshu_connections", 2.0).await;
    assert_total(&server, "yanshu_users", 2.0).await;
    assert_total(&server, "yanshu_requests_in_hand_bytes", 0.0).await;
    let nodes = server.nodes().len() as f64;
    assert_total(&server, "yanshu_bus_up", nodes).await;
    assert_total(&server, "yanshu_store_failing", 0.0).await;
    assert_total(&server, "yanshu_waiting_writes", 0.0).await;
    // Three messages and a reading. What answers a request is none.
    assert_total(&server, "yanshu_deliveries_total", 4.0).await;
    assert!(total(&server, "yanshu_batch_writes_sum").await >= 8.0);
    assert!(total(&server, "process_resident_memory_bytes").await > 1e6);
    let idle = "yanshu_store_connections{lane=\"reading\",state=\"idle\"}";
    assert!(total(&server, idle).await >= 1.0);
    for node in server.nodes() {
        let body = http::get_at(node.port(), "/metrics").await.body;
        assert!(!body.contains("a-secret-name"), "no user in a metric");
    }
    drop((ann, bob));
}

/// The names of all metrics that are there from the first moment.
fn names(text: &str) -> BTreeSet<&str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).collect()
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_there_are() {
    let server = Server::start();
    let mut ann = Client::connect(&server, "ann").await;
    ann.deliver("bob", "text").await;
    let shown = http::get(&server, "/metrics").await.body;
    let names = names(&shown);
    let dashboard: Value =
        serde_json::from_str(include_str!("../../docs/grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut asked = 0;
    for target in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
    {
        let query = target["expr"].as_str().expect("a query");
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("yanshu_") || word.starts_with("process_"))
        {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| word.strip_suffix(end));
            let known = names.contains(word) || base.is_some_and(|base| names.contains(base));
            assert!(known, "no metric {word}, which is asked for by {query}");
            asked += 1;
        }
    }
    assert!(asked >= 15, "{asked}");
}
