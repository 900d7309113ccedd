//! What a connect brings: every unread message, in order, and nothing that was read.

use crate::common::{all_until_now, many_ids, send_all};
use crate::support::{Client, Server, frames};

#[tokio::test]
async fn what_was_written_while_one_was_away_comes_at_connect_in_the_order_it_was_sent() {
    let server = Server::start();
    let mut first = Client::connect(&server, "HK0001").await;
    let mut second = Client::connect(&server, "HK0003").await;
    let mut firsts = many_ids(&mut first, 15).await;
    let mut seconds = many_ids(&mut second, 15).await;
    // The order of the IDs is not that of sending.
    firsts.reverse();
    seconds.reverse();
    let mut sent = Vec::new();
    for (one, two) in firsts.iter().zip(&seconds) {
        for (writer, from, id) in [(&mut second, "HK0003", two), (&mut first, "HK0001", one)] {
            writer.message(id, "HK0002", "while away").await;
            writer.expect_status("HK0002", from, id, 1).await;
            sent.push(frames::message_text(from, "HK0002", id, "while away"));
        }
    }
    // `Client::connect` has the answer to the connect come first.
    let mut reader = Client::connect(&server, "HK0002").await;
    assert_eq!(all_until_now(&mut reader, &mut first).await, sent);
}

#[tokio::test]
async fn unread_messages_come_again_to_every_device_that_connects_and_after_a_restart() {
    let mut server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.deliver("HK0002", "unread").await;
    for _ in 0..2 {
        for _ in 0..2 {
            let mut device = Client::connect(&server, "HK0002").await;
            device
                .expect_message("HK0001", "HK0002", &id, "unread")
                .await;
        }
        server.restart();
    }
}

#[tokio::test]
async fn what_another_device_has_read_is_not_delivered_again() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let mut phone = Client::connect(&server, "HK0002").await;
    let ids = sender.ids().await;
    send_all(&mut sender, "HK0002", &ids[..4]).await;
    for id in &ids[..4] {
        phone.expect_message("HK0001", "HK0002", id, id).await;
    }
    for id in [&ids[0], &ids[2]] {
        phone.read(id, "HK0001").await;
        sender.expect_status("HK0002", "HK0001", id, 2).await;
    }

    let mut tablet = Client::connect(&server, "HK0002").await;
    for id in [&ids[1], &ids[3]] {
        tablet.expect_message("HK0001", "HK0002", id, id).await;
    }
    let more = all_until_now(&mut tablet, &mut sender).await;
    assert!(more.is_empty(), "only the unread come: {more:?}");
}

#[tokio::test]
async fn ones_own_messages_are_not_delivered_at_connect() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let mut writer = Client::connect(&server, "HK0003").await;
    phone.deliver("HK0002", "mine").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    let more = all_until_now(&mut tablet, &mut writer).await;
    assert!(
        more.is_empty(),
        "one pages one's own messages, they do not come: {more:?}"
    );
}

#[tokio::test]
async fn an_unread_message_to_oneself_comes_at_connect_like_any_other() {
    let server = Server::start();
    let mut phone = Client::connect(&server, "HK0001").await;
    let id = phone.id().await;
    phone.message(&id, "HK0001", "note").await;
    phone.expect_message("HK0001", "HK0001", &id, "note").await;
    let mut tablet = Client::connect(&server, "HK0001").await;
    tablet.expect_message("HK0001", "HK0001", &id, "note").await;
}

#[tokio::test]
async fn a_redelivered_message_has_status_0_and_its_own_time_and_type() {
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let id = sender.id().await;
    let frame = format!(
        r#"{{"action":"3","fromId":"HK0001","toId":"HK0002","chatMsg":{{"id":"{id}","type":1,"message":"文件.pdf","status":0,"time":"1999-12-31 23:59:59"}}}}"#
    );
    sender.send_raw(frame.clone()).await;
    sender.expect_status("HK0002", "HK0001", &id, 1).await;
    let mut reader = Client::connect(&server, "HK0002").await;
    reader.expect(&frame).await;
}

#[tokio::test]
async fn a_long_backlog_comes_whole_in_order_and_before_what_is_live() {
    const BACKLOG: usize = 1_500;
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut sender, BACKLOG + 20).await;
    let (backlog, live) = ids.split_at(BACKLOG);
    send_all(&mut sender, "HK0002", backlog).await;

    let mut reader = Client::connect(&server, "HK0002").await;
    // While the backlog is on its way, more is written; it must wait for its turn.
    let reading = async {
        for id in &ids {
            reader.expect_message("HK0001", "HK0002", id, id).await;
        }
    };
    tokio::join!(send_all(&mut sender, "HK0002", live), reading);
    let more = all_until_now(&mut reader, &mut sender).await;
    assert!(more.is_empty(), "each message comes once: {more:?}");
}

#[tokio::test]
async fn a_connect_while_messages_pour_in_misses_none_and_gets_each_once() {
    const MESSAGES: usize = 400;
    let server = Server::start();
    let mut sender = Client::connect(&server, "HK0001").await;
    let ids = many_ids(&mut sender, MESSAGES).await;
    let reading = async {
        let mut devices = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let mut device = Client::connect(&server, "HK0002").await;
            let ids = ids.clone();
            devices.spawn(async move {
                for id in &ids {
                    device.expect_message("HK0001", "HK0002", id, id).await;
                }
            });
        }
        devices.join_all().await;
    };
    tokio::join!(send_all(&mut sender, "HK0002", &ids), reading);
}
