//! Pages of other sites, which browsers let open a WebSocket to anywhere.

use tokio_tungstenite::tungstenite::Error;

use super::support::{Client, Server};
use super::tokens::{token, with_secret};

/// The status of an upgrade for a page of this origin.
async fn status(server: &Server, origin: &str) -> u16 {
    let offered = format!("yanshu.v1, bearer.{}", token("ann"));
    let headers = [("Origin", origin), ("Sec-WebSocket-Protocol", &offered)];
    match Client::open_with(server.node(0), &headers).await {
        Ok((mut client, _)) => {
            client.connect_as("ann").await;
            client.close().await;
            101
        }
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("no answer: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tokens_only_pages_of_the_same_host_and_port_and_listed_ones_may_speak() {
    let server = Server::with(&[
        &with_secret(),
        "--allowed-origin=https://app.example,https://other.example:8443",
    ]);
    let own = server.url();
    for origin in [
        own.as_str(),
        "https://app.example",
        "https://other.example:8443",
    ] {
        assert_eq!(status(&server, origin).await, 101, "{origin}");
    }
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://other.example",
        "http://127.0.0.1:1",
        "http://localhost:3000",
        "null",
    ] {
        assert_eq!(status(&server, origin).await, 403, "{origin}");
    }
}
