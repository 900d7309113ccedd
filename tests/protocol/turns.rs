//! The order of the answers to one action, with refusals among them: each comes in its turn.

use serde_json::{Value, json};

use crate::common::{many_ids, send_all, with, without};
use crate::support::{Client, Server, frames};

/// Sends all frames before any answer is taken.
async fn pipeline(client: &mut Client, requests: &[Value]) {
    for request in requests {
        client.send(request.clone()).await;
    }
}

/// Takes the next frame, which must be the error `code` for this action.
async fn expect_refusal(client: &mut Client, code: &str, action: &str) -> Value {
    let error = client.expect_error(code).await;
    assert_eq!(error["error"]["action"], action, "{error}");
    error
}

#[tokio::test]
async fn a_refused_request_for_ids_takes_its_turn_while_others_wait_for_theirs() {
    const REQUESTS: usize = 250;
    const REFUSED: usize = 150;
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let mut requests = vec![frames::get_ids("HK0001"); REQUESTS];
    requests[REFUSED] = frames::get_ids("HK0002");
    pipeline(&mut client, &requests).await;
    for number in 0..REQUESTS {
        if number == REFUSED {
            expect_refusal(&mut client, "forbidden", "2").await;
        } else {
            let answer = client.next().await;
            assert_eq!(answer["action"], "2", "answer {number} is {answer}");
        }
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn a_refused_message_takes_its_turn_among_the_acknowledgements() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, 100).await;
    let good = |id: &str| frames::message("HK0001", "HK0002", id, "text");
    let bad = [
        ("bad_frame", without(good(&ids[0]), "/toId")),
        ("bad_frame", without(good(&ids[0]), "/chatMsg")),
        ("bad_frame", with(good(&ids[0]), "/chatMsg", "a string")),
        ("bad_frame", with(good(&ids[0]), "/chatMsg", json!([1, {}]))),
        ("bad_frame", with(good(&ids[0]), "/chatMsg", 7)),
        ("bad_frame", with(good(&ids[0]), "/chatMsg/type", 7)),
        (
            "too_large",
            with(good(&ids[0]), "/chatMsg/message", "x".repeat(32 * 1024 + 1)),
        ),
        ("forbidden", with(good(&ids[0]), "/fromId", "HK0003")),
    ];
    // Ten good ones before each bad one, so that some are always on their way to the store.
    let mut requests = Vec::new();
    for (ten, (_, bad)) in ids.chunks(10).zip(&bad) {
        requests.extend(ten.iter().map(|id| good(id)));
        requests.push(bad.clone());
    }
    pipeline(&mut client, &requests).await;
    for (ten, (code, bad)) in ids.chunks(10).zip(&bad) {
        for id in ten {
            client.expect_status("HK0002", "HK0001", id, 1).await;
        }
        let error = expect_refusal(&mut client, code, "3").await;
        // The message is named where the frame names one.
        assert_eq!(
            error.pointer("/chatMsg/id"),
            bad.pointer("/chatMsg/id"),
            "{error}"
        );
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn a_refused_message_never_overtakes_the_one_that_is_being_stored() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, 50).await;
    for id in &ids {
        let message = frames::message("HK0001", "HK0002", id, "text");
        let forbidden = with(message.clone(), "/fromId", "HK0003");
        pipeline(&mut client, &[message, forbidden]).await;
        client.expect_status("HK0002", "HK0001", id, 1).await;
        expect_refusal(&mut client, "forbidden", "3").await;
    }
}

#[tokio::test]
async fn a_message_with_a_bad_id_takes_its_turn_behind_a_request_for_ids() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = client.ids().await;
    let message = |id: &str| frames::message("HK0001", "HK0002", id, "text");
    let mut requests = vec![frames::get_ids("HK0001"); 150];
    requests.push(message("MSG1"));
    requests.push(message(&ids[0]));
    pipeline(&mut client, &requests).await;
    let (mut answers, mut others) = (0, Vec::new());
    while answers < 150 || others.len() < 2 {
        let answer = client.next().await;
        match answer["action"].as_str() {
            Some("2") => answers += 1,
            _ => others.push(answer),
        }
    }
    assert_eq!(others[0]["error"]["code"], "bad_frame", "{others:?}");
    assert_eq!(others[1]["chatMsg"]["id"], *ids[0], "{others:?}");
}

#[tokio::test]
async fn a_refused_page_of_history_takes_its_turn_among_the_others() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut client, 20).await;
    send_all(&mut client, "HK0002", &ids).await;
    let page = |base: &str| frames::history("HK0001", Some("HK0002"), Some(base), Some(1));
    let mut requests = Vec::new();
    for id in &ids[1..] {
        requests.push(page(id));
        requests.push(page("MSG999999"));
        requests.push(page("no ID"));
        requests.push(with(page(id), "/fromId", "HK0003"));
    }
    pipeline(&mut client, &requests).await;
    for before in &ids[..ids.len() - 1] {
        let answer = client.next().await;
        assert_eq!(
            answer["historyMsgs"][0]["chatMsg"]["id"], **before,
            "{answer}"
        );
        let error = expect_refusal(&mut client, "unknown_message", "12").await;
        assert_eq!(error["chatMsg"], json!({"id": "MSG999999"}), "{error}");
        expect_refusal(&mut client, "bad_frame", "12").await;
        expect_refusal(&mut client, "forbidden", "12").await;
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn a_heartbeat_is_silent_whatever_it_carries_beside_its_user() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for odd in [
        json!("a string"),
        json!(7),
        json!(-7),
        json!(0.5),
        json!(true),
        json!(null),
        json!([1, [2], {}]),
        json!({"id": {}, "type": "x"}),
    ] {
        client
            .send(with(frames::heartbeat("HK0001"), "/chatMsg", odd))
            .await;
    }
    client.assert_silent().await;
}
