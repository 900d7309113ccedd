//! The commands, and servers that are none of ours.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::admin::TOKEN;
use super::support::command::run;

/// Answers every request with these bytes, and ends the connection; without bytes it says nothing.
async fn impostor(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            if answer.is_empty() {
                silent.push(stream);
            }
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_whole_or_not_of_the_api_is_no_success() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"items\":[]",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK",
        "nonsense\r\n\r\n",
    ] {
        let url = impostor(answer).await;
        for act in ["list", "show", "delete"] {
            let mut arguments = vec!["users", act, "--url", &url, "--admin-token", TOKEN];
            if act != "list" {
                arguments.push("ann");
            }
            let ended = run(&arguments);
            assert_eq!(
                (ended.status.code(), ended.stdout.as_str()),
                (Some(1), ""),
                "{answer}"
            );
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_not_waited_for_by_the_health_check_longer_than_its_time() {
    let url = impostor("").await;
    let begin = Instant::now();
    let ended = run(&["health", "--url", &url]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        begin.elapsed() < Duration::from_secs(6),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_with_a_path_is_refused_rather_than_asked_at_the_root_of_its_host() {
    let ended = run(&["health", "--url", "http://127.0.0.1:1/yanshu"]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("no path"), "{}", ended.stderr);
}
