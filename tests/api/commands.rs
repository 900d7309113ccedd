//! The commands of the binary that do the same acts.

use serde_json::{Value, json};

use super::admin::{Admin, TOKEN, server};
use super::support::command::{Ended, run, run_with_env};
use super::support::{Client, Server};

/// A command against this server, and the lines that it prints.
fn command(server: &Server, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let url = server.url();
    let variables = [
        ("YANSHU_API_URL", url.as_str()),
        ("YANSHU_ADMIN_TOKEN", TOKEN),
    ];
    let Ended {
        status,
        stdout,
        stderr,
    } = run_with_env(arguments, &variables);
    if !status.success() {
        assert_eq!(
            (status.code(), stdout.as_str()),
            (Some(1), ""),
            "{arguments:?}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        return Err(stderr);
    }
    let lines = stdout.lines();
    Ok(lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_api_does_a_command_does_and_prints_lines_of_json() {
    let server = server();
    let done = |arguments: &[&str]| command(&server, arguments).unwrap();
    assert_eq!(
        done(&["users", "put", "ann", "--name", "安"]),
        [json!({"id": "ann", "name": "安"})]
    );
    assert_eq!(
        done(&["users", "put", "bob"]),
        [json!({"id": "bob", "name": null})]
    );
    assert_eq!(done(&["users", "show", "ann"])[0]["name"], "安");
    assert_eq!(done(&["users", "list"]).len(), 2);
    let put = done(&["contacts", "put", "ann", "bob", "--alias", "小张"]);
    assert_eq!(put, [json!({"id": "bob", "alias": "小张"})]);
    assert_eq!(done(&["contacts", "list", "ann"]), put);
    assert_eq!(
        done(&["contacts", "delete", "ann", "bob"]),
        [] as [Value; 0]
    );
    assert_eq!(
        done(&["blocks", "put", "ann", "bob"]),
        [json!({"id": "bob"})]
    );
    assert_eq!(done(&["blocks", "list", "ann"]).len(), 1);
    let blocked = command(&server, &["messages", "send", "bob", "ann", "hello"]);
    assert!(blocked.unwrap_err().contains("does not take messages"));
    assert!(done(&["blocks", "delete", "ann", "bob"]).is_empty());

    let mut ann = Client::connect(&server, "ann").await;
    let send = ["messages", "send", "bob", "ann", "hello", "--key", "k"];
    let sent = done(&send);
    let id = sent[0]["id"].as_str().unwrap();
    let frame: Value = serde_json::from_str(&ann.next_text().await).unwrap();
    assert_eq!(
        (&frame["chatMsg"]["id"], &frame["chatMsg"]["message"]),
        (&id.into(), &"hello".into())
    );
    assert_eq!(done(&send), sent);
    // Without a key each is a new one.
    let again = done(&["messages", "send", "bob", "ann", "hello"]);
    assert_ne!(again[0]["id"], id);
    let _ = ann.next().await;

    let sessions = done(&["sessions", "list", "ann"]);
    let session = sessions[0]["id"].as_str().unwrap();
    assert!(done(&["sessions", "close", "ann", "--session", session]).is_empty());
    assert_eq!(ann.expect_close().await, 1001);
    assert!(done(&["sessions", "close", "ann"]).is_empty());
    assert!(done(&["users", "delete", "ann"]).is_empty());
    let gone = command(&server, &["users", "show", "ann"]).unwrap_err();
    assert_eq!(gone, "yanshu: no such user\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_thousands_is_printed_to_its_end() {
    let server = server();
    let users: Vec<Value> = (0..2_500)
        .map(|n| json!({"id": format!("u{n:04}")}))
        .collect();
    let users = json!({"users": users});
    Admin::of(&server)
        .post("/import/users", &users)
        .await
        .assert_status(200);
    let listed = command(&server, &["users", "list"]).unwrap();
    assert_eq!(listed.len(), 2_500);
    assert_eq!(listed[2_499]["id"], "u2499");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_one_sentence_without_the_token() {
    let server = server();
    let url = server.url();
    let wrong = run(&[
        "users",
        "list",
        "--url",
        &url,
        "--admin-token",
        "not-the-token",
    ]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        wrong.stderr.contains("--admin-token is needed"),
        "{}",
        wrong.stderr
    );
    assert!(!wrong.stderr.contains("not-the-token"), "{}", wrong.stderr);
    let open = Server::start();
    let none = run(&[
        "users",
        "list",
        "--url",
        &open.url(),
        "--admin-token",
        TOKEN,
    ]);
    assert!(
        none.stderr.contains("has no provisioning API"),
        "{}",
        none.stderr
    );
    let missing = run(&["users", "list", "--url", &url]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        missing.stderr.contains("--admin-token"),
        "{}",
        missing.stderr
    );
    for url in ["ftp://host", "http://127.0.0.1:1"] {
        let gone = run(&["users", "list", "--url", url, "--admin-token", TOKEN]);
        assert_eq!(
            (gone.status.code(), gone.stderr.lines().count()),
            (Some(1), 1),
            "{gone:?}"
        );
        assert!(!gone.stderr.contains(TOKEN));
    }
    let bad = run(&[
        "users",
        "show",
        "a b",
        "--url",
        &url,
        "--admin-token",
        TOKEN,
    ]);
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    let header = "x\r\nX-Evil: 1";
    let bad = run(&["users", "list", "--url", &url, "--admin-token", header]);
    assert_eq!(bad.status.code(), Some(1), "{bad:?}");
}
