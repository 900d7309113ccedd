//! Action 1: what may come before it, how often, as whom, and from where.

use serde_json::{Value, json};

use crate::common::{all_until_now, refused};
use crate::support::{Client, Mode, Server, frames, http, only_on};

/// A good frame of `user` for each action but connect.
fn frames_after_connect(user: &str) -> [(&'static str, Value); 6] {
    [
        ("2", frames::get_ids(user)),
        ("3", frames::message(user, "HK0002", "MSG000001", "text")),
        ("4", frames::read(user, "HK0002", "MSG000001")),
        ("5", frames::heartbeat(user)),
        ("11", frames::contacts(user)),
        ("12", frames::history(user, None, None, None)),
    ]
}

#[tokio::test]
async fn nothing_is_taken_before_connect_and_the_socket_stays_open_for_it() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    for (action, frame) in frames_after_connect("HK0001") {
        let error = refused(&mut client, frame, "not_connected", action).await;
        assert_eq!(error["toId"], "", "nobody is connected: {error}");
        let meant = ["3", "4"]
            .contains(&action)
            .then(|| json!({"id": "MSG000001"}));
        assert_eq!(error.get("chatMsg"), meant.as_ref(), "{error}");
    }
    client.connect_as("HK0001").await;
    client.assert_silent().await;
}

#[tokio::test]
async fn broken_frames_before_connect_are_refused_and_addressed_to_nobody() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    for (text, code) in [("{", "bad_json"), ("[]", "bad_frame"), ("{}", "bad_frame")] {
        client.send_raw(text).await;
        let error = client.expect_error(code).await;
        assert_eq!(error["toId"], "", "{error}");
        assert_eq!(error["error"]["action"], "", "{error}");
    }
    client.connect_as("HK0001").await;
}

#[tokio::test]
async fn the_same_user_is_answered_again_on_the_same_socket_and_nothing_comes_twice() {
    let server = Server::start();
    let mut writer = Client::connect(&server, "HK0002").await;
    let id = writer.deliver("HK0001", "unread").await;
    let mut client = Client::connect(&server, "HK0001").await;
    client
        .expect_message("HK0002", "HK0001", &id, "unread")
        .await;
    for _ in 0..3 {
        client.connect_as("HK0001").await;
    }
    let more = all_until_now(&mut client, &mut writer).await;
    assert!(
        more.is_empty(),
        "connecting again must bring nothing again: {more:?}"
    );
}

#[tokio::test]
async fn another_user_on_the_same_socket_is_forbidden() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let error = refused(&mut client, frames::connect("HK0002"), "forbidden", "1").await;
    assert_eq!(error["error"]["retryable"], false);
    // The socket still speaks for its first user, and only for that one.
    client.connect_as("HK0001").await;
    let mut writer = Client::connect(&server, "HK0003").await;
    writer.deliver("HK0002", "not for HK0001").await;
    let others = all_until_now(&mut client, &mut writer).await;
    assert!(
        others.is_empty(),
        "HK0001 must see nothing of HK0002: {others:?}"
    );
}

#[tokio::test]
async fn a_from_id_of_somebody_else_is_forbidden_in_every_action() {
    let server = Server::start();
    let mut victim = Client::connect(&server, "HK0003").await;
    let victims_id = victim.id().await;
    let mut client = Client::connect(&server, "HK0001").await;
    let incoming = victim.deliver("HK0001", "read me").await;
    client
        .expect_message("HK0003", "HK0001", &incoming, "read me")
        .await;

    let mut foreign = frames_after_connect("HK0003").to_vec();
    foreign.push(("1", frames::connect("HK0003")));
    foreign.push((
        "3",
        frames::message("HK0003", "HK0001", &victims_id, "forged"),
    ));
    foreign.push(("4", frames::read("HK0003", "HK0001", &incoming)));
    for (action, frame) in foreign {
        let meant = frame["chatMsg"]["id"].clone();
        let error = refused(&mut client, frame, "forbidden", action).await;
        assert_eq!(error["chatMsg"]["id"], meant, "{error}");
    }

    client.assert_timeline_silent().await;
    // The victim's ID was not spent, their contacts not changed, and they were told nothing.
    assert_eq!(
        victim.contacts().await,
        [("HK0001".to_owned(), "HK0001".to_owned())]
    );
    victim.message(&victims_id, "HK0001", "genuine").await;
    victim
        .expect_status("HK0001", "HK0003", &victims_id, 1)
        .await;
    client
        .expect_message("HK0003", "HK0001", &victims_id, "genuine")
        .await;
}

#[tokio::test]
async fn a_device_beyond_the_eighth_closes_the_oldest_with_4409() {
    let server = Server::start();
    let node = server.node(0);
    let mut devices = Vec::new();
    for _ in 0..8 {
        devices.push(Client::connect(node, "HK0001").await);
    }
    let mut other = Client::connect(server.node(1), "HK0002").await;
    for device in &mut devices {
        device.assert_silent().await;
    }

    let mut ninth = Client::connect(node, "HK0001").await;
    assert_eq!(devices.remove(0).expect_close().await, 4409);

    // The eight that are left are served; the other user was not touched.
    let id = other.deliver("HK0001", "to eight").await;
    for device in devices.iter_mut().chain([&mut ninth]) {
        device
            .expect_message("HK0002", "HK0001", &id, "to eight")
            .await;
    }
}

#[tokio::test]
async fn the_number_of_devices_is_a_setting_and_the_oldest_goes_each_time() {
    let server = Server::with(&["--max-devices", "2"]);
    let node = server.node(0);
    let mut first = Client::connect(node, "HK0001").await;
    let mut second = Client::connect(node, "HK0001").await;
    let mut third = Client::connect(node, "HK0001").await;
    assert_eq!(first.expect_close().await, 4409);
    let mut fourth = Client::connect(node, "HK0001").await;
    assert_eq!(second.expect_close().await, 4409);
    third.assert_silent().await;
    fourth.assert_silent().await;
}

#[tokio::test]
async fn devices_are_counted_on_each_node_by_itself() {
    if !only_on(&[Mode::Cluster], "it is about two nodes") {
        return;
    }
    let server = Server::with(&["--max-devices", "2"]);
    let mut oldest = Vec::new();
    let mut devices = Vec::new();
    for node in server.nodes() {
        oldest.push(Client::connect(node, "HK0001").await);
        devices.push(Client::connect(node, "HK0001").await);
    }
    for device in oldest.iter_mut().chain(&mut devices) {
        device.assert_silent().await;
    }
    for (node, oldest) in server.nodes().iter().zip(&mut oldest) {
        devices.push(Client::connect(node, "HK0001").await);
        assert_eq!(oldest.expect_close().await, 4409);
    }
    for device in &mut devices {
        device.assert_silent().await;
    }
}

#[tokio::test]
async fn connecting_again_on_one_socket_makes_no_second_device() {
    let server = Server::with(&["--max-devices", "2"]);
    let mut first = Client::connect(server.node(0), "HK0001").await;
    let mut second = Client::connect(server.node(0), "HK0001").await;
    for _ in 0..5 {
        second.connect_as("HK0001").await;
    }
    first.assert_timeline_silent().await;
}

#[tokio::test]
async fn a_device_that_has_closed_leaves_its_place_to_another() {
    let server = Server::with(&["--max-devices", "2"]);
    let node = server.node(0);
    let mut first = Client::connect(node, "HK0001").await;
    for _ in 0..5 {
        Client::connect(node, "HK0001").await.close().await;
    }
    let mut last = Client::connect(node, "HK0001").await;
    first.assert_silent().await;
    last.assert_silent().await;
}

#[tokio::test]
async fn without_tokens_only_a_loopback_host_is_let_in() {
    let server = Server::start();
    let port = server.port();
    // A page of another site can make a browser ask for any of these.
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        "10.0.0.1".to_owned(),
        "".to_owned(),
    ] {
        let response = http::upgrade_with_host(&server, &host).await;
        assert!(
            (400..500).contains(&response.status),
            "Host {host:?} got {}",
            response.head
        );
    }
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
    ] {
        let response = http::upgrade_with_host(&server, &host).await;
        assert_eq!(response.status, 101, "Host {host:?} got {}", response.head);
    }
}

#[tokio::test]
async fn without_tokens_only_a_page_from_a_loopback_name_is_let_in() {
    let server = Server::start();
    let port = server.port();
    let host = format!("127.0.0.1:{port}");
    for origin in [
        "https://evil.example",
        "https://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "https://evil.example/localhost",
        "https://localhost@evil.example",
        "file://",
        "null",
        "",
        "localhost",
    ] {
        let response = http::upgrade_from(&server, &host, Some(origin)).await;
        assert_eq!(
            response.status, 403,
            "Origin {origin:?} got {}",
            response.head
        );
    }
    for origin in [
        "http://localhost:3000".to_owned(),
        "https://localhost".to_owned(),
        "http://[::1]:3000".to_owned(),
        format!("http://127.0.0.1:{port}"),
    ] {
        let response = http::upgrade_from(&server, &host, Some(&origin)).await;
        assert_eq!(
            response.status, 101,
            "Origin {origin:?} got {}",
            response.head
        );
    }
    let response = http::upgrade_from(&server, &host, None).await;
    assert_eq!(response.status, 101, "who is no page has no origin");
}

#[tokio::test]
async fn an_allowed_host_is_answered_and_so_are_its_pages_and_nobody_elses() {
    let server = Server::with(&["--allowed-host", "chat.example"]);
    let loopback = format!("127.0.0.1:{}", server.port());
    for (host, origin, status) in [
        ("chat.example", None, 101),
        ("chat.example:8080", Some("https://chat.example"), 101),
        ("chat.example", Some("https://chat.example:8443"), 101),
        (&*loopback, Some("https://chat.example"), 101),
        ("chat.example", Some("https://evil.example"), 403),
        (
            "chat.example",
            Some("https://chat.example.evil.example"),
            403,
        ),
        ("chat.example", Some("https://evil.chat.example"), 403),
        ("evil.example", Some("https://chat.example"), 403),
        ("evil.chat.example", None, 403),
    ] {
        let response = http::upgrade_from(&server, host, origin).await;
        assert_eq!(
            response.status, status,
            "Host {host}, Origin {origin:?} got {}",
            response.head
        );
    }
}

#[tokio::test]
async fn a_request_that_is_no_upgrade_is_refused_and_harms_nothing() {
    let server = Server::start();
    let response = http::get(&server, "/ws").await;
    assert!((400..500).contains(&response.status), "{}", response.head);
    assert_eq!(http::get(&server, "/nothing/here").await.status, 404);
    Client::connect(&server, "HK0001")
        .await
        .assert_silent()
        .await;
}
