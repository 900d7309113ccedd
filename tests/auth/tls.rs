//! TLS by the server itself: all that works on a plain connection works on an encrypted one.

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Error;

use super::certificates::{self, Files, NAME, Pair, connect, handshake, trusting, trusting_with};
use super::support::raw::{CLOSE, frame};
use super::support::server::{run, run_with_env};
use super::support::{Node, RawClient, http, within};
use super::tokens::with_secret;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_over_tls_1_2_and_1_3() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&[&with_secret()]);
    for (version, ann_id, bob_id) in [
        (&rustls::version::TLS12, "ann-1.2", "bob-1.2"),
        (&rustls::version::TLS13, "ann-1.3", "bob-1.3"),
    ] {
        let trust = trusting_with(&[&pair], &[version]);
        let stream = handshake(server.node(0), &trust).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let mut ann = connect(server.node(0), &trust, ann_id).await;
        let mut bob = connect(server.node(1), &trust, bob_id).await;
        let id = ann.deliver(bob_id, "over TLS").await;
        bob.expect_message(ann_id, bob_id, &id, "over TLS").await;
        bob.read(&id, ann_id).await;
        ann.expect_status(bob_id, ann_id, &id, 2).await;
        let text = "雁".repeat(10_000);
        let id = ann.deliver(bob_id, &text).await;
        bob.expect_message(ann_id, bob_id, &id, &text).await;
        bob.read(&id, ann_id).await;
        ann.expect_status(bob_id, ann_id, &id, 2).await;
        assert!(!ann.history(Some(bob_id), None, Some(100)).await.is_empty());
        ann.close().await;
        bob.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_up_and_comes_down_over_it() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&[]);
    let trust = trusting(&[&pair]);
    // More than anything on the way holds.
    let bytes: Vec<u8> = (0..=250).cycle().take(5_000_000).collect();
    let up = format!(
        "POST /files?fromId=ann&name=a HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    let up = [up.as_bytes(), &bytes].concat();
    let (head, body) = ask(server.node(0), &trust, &up).await;
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    let file: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(file["size"], bytes.len());
    let down = format!(
        "GET {}?fromId=ann HTTP/1.1\r\n",
        file["url"].as_str().unwrap()
    );
    let down = down + "Host: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let (head, body) = ask(server.node(1), &trust, down.as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(body == bytes, "the same bytes");
}

/// Sends this, over a connection of its own. Returns the head and the body of the answer.
async fn ask(node: &Node, trust: &ClientConfig, request: &[u8]) -> (String, Vec<u8>) {
    let mut stream = handshake(node, trust).await.unwrap();
    within("the bytes to be taken", stream.write_all(request))
        .await
        .unwrap();
    let mut answer = Vec::new();
    within("the answer", stream.read_to_end(&mut answer))
        .await
        .unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.unwrap() + 4);
    (String::from_utf8(answer).unwrap(), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_1_is_all_that_is_spoken_over_it() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&[]);
    let mut trust = trusting(&[&pair]);
    trust.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = handshake(server.node(0), &trust).await.unwrap();
    let chosen = stream.get_ref().1.alpn_protocol();
    assert_eq!(chosen, Some(&b"http/1.1"[..]));
    trust.alpn_protocols = vec![b"h2".to_vec()];
    assert!(handshake(server.node(0), &trust).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_plain_http_is_told_that_it_takes_tls_and_who_speaks_neither_is_cut() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&[]);
    let answer = http::get(&server, "/health").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("TLS"), "{}", answer.body);
    for bytes in [&b"\x00\x01\x02"[..], &[22, 3, 1, 0xff, 0xff, 9]] {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port()));
        let mut stream = stream.await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut said = Vec::new();
        let _ = within("the end of it", stream.read_to_end(&mut said)).await;
        assert!(said.len() < 100, "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_closes_is_told_at_once_and_in_order_that_nothing_more_will_come() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&[]);
    let stream = handshake(server.node(0), &trusting(&[&pair]))
        .await
        .unwrap();
    let client = RawClient::over(stream, server.port()).await;
    let mut client = client.connected_as("ann").await;
    let close = frame(CLOSE, true, true, &1000_u16.to_be_bytes());
    client.send_bytes(&close).await;
    assert_eq!(client.close_code().await, 1000);
    // An end without a `close_notify` would be an error here.
    let rest = within("the end", client.stream().read(&mut [0; 16])).await;
    assert_eq!(rest.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_says_goodbye_over_tls_too() {
    let pair = Pair::new();
    let mut server = Files::of(&pair).serve(&[&with_secret()]);
    let trust = trusting(&[&pair]);
    let mut ann = connect(server.node(0), &trust, "ann").await;
    let mut bob = connect(server.node(1), &trust, "bob").await;
    let goodbyes = async {
        let codes = (ann.expect_close().await, bob.expect_close().await);
        ann.close().await;
        bob.close().await;
        codes
    };
    let (ended, codes) = tokio::join!(server.terminate(), goodbyes);
    assert_eq!(codes, (1001, 1001));
    assert!(ended.status.success(), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_came_without_tls_may_not_speak_for_its_visitor() {
    let pair = Pair::new();
    let server = Files::of(&pair).serve(&[&with_secret()]);
    let trust = trusting(&[&pair]);
    let own = server.url();
    assert!(own.starts_with("https://"), "{own}");
    let status = async |origin: &str| {
        let headers = [("Origin", origin)];
        match certificates::open_with(server.node(0), &trust, &headers).await {
            Ok(_) => 101,
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("no answer: {error}"),
        }
    };
    assert_eq!(status(&own).await, 101);
    assert_eq!(status(&own.replace("https:", "http:")).await, 403);
    assert_eq!(status("https://evil.example").await, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_its_address_over_tls_and_a_trusted_proxy_speaks_for_others() {
    let pair = Pair::new();
    let flags = [
        &with_secret(),
        "--max-address-connections=1",
        "--trusted-proxy=127.0.0.1",
    ];
    let server = Files::of(&pair).serve(&flags);
    let trust = trusting(&[&pair]);
    let open = async |address: &str| {
        let headers = [("X-Forwarded-For", address)];
        certificates::open_with(server.node(0), &trust, &headers).await
    };
    let _first = open("192.0.2.1").await.expect("one");
    let _other = open("192.0.2.2").await.expect("another address");
    let second = open("192.0.2.1").await.err();
    assert!(
        matches!(&second, Some(Error::Http(response)) if response.status() == 429),
        "{second:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_command_asks_over_tls() {
    let pair = Pair::new();
    let files = Files::of(&pair);
    let server = files.serve(&[]);
    let listen = format!("127.0.0.1:{}", server.port());
    let certificate = files.certificate();
    let certificate = certificate.to_str().unwrap();
    let own = [
        ("YANSHU_LISTEN", &*listen),
        ("YANSHU_TLS_CERT", certificate),
    ];
    // As in a container: the variables of the server are those of the check.
    let asked = run_with_env(&["health"], &own);
    assert!(asked.status.success(), "{asked:?}");
    assert!(asked.stdout.contains("ok"), "{asked:?}");

    // A URL is somebody's: its certificate must be good for its name, or be the one that is given.
    let url = format!("https://{listen}");
    let asked = run_with_env(&["health", "--url", &url], &own[1..]);
    assert!(asked.status.success(), "{asked:?}");
    let asked = run(&["health", "--url", &url]);
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(asked.stderr.contains("UnknownIssuer"), "{asked:?}");
    let root = server.directory().join("root.pem");
    std::fs::write(&root, &pair.root_pem).unwrap();
    let authorities = [("SSL_CERT_FILE", root.to_str().unwrap())];
    let asked = run_with_env(&["health", "--url", &url], &authorities);
    assert!(asked.stderr.contains("not valid for name"), "{asked:?}");
    let plain = format!("http://{listen}");
    let asked = run(&["health", "--url", &plain]);
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(asked.stderr.contains("400"), "{asked:?}");

    // That the files were replaced a moment ago, or are being replaced, says nothing of the server.
    for text in [&Pair::new().chain, "rubbish"] {
        std::fs::write(files.certificate(), text).unwrap();
        let asked = run_with_env(&["health"], &own);
        assert!(asked.status.success(), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_command_takes_what_an_authority_of_the_system_vouches_for() {
    let pair = Pair::for_name("localhost");
    let server = Files::of(&pair).serve(&[]);
    let root = server.directory().join("root.pem");
    std::fs::write(&root, &pair.root_pem).unwrap();
    let url = format!("https://localhost:{}", server.port());
    let authorities = [("SSL_CERT_FILE", root.to_str().unwrap())];
    let asked = run_with_env(&["health", "--url", &url], &authorities);
    assert!(asked.status.success(), "{asked:?}");
    assert_ne!(NAME, "localhost");
}
