//! Several tabs and devices of one person.

use super::page::{Page, send_all};
use super::support::{Client, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_and_read_on_one_device_shows_on_the_other() {
    let server = Server::start();
    let desk = Page::signed_in(&server.node(0).url(), "ann").await;
    let phone = Page::signed_in(&server.node(1).url(), "ann").await;
    desk.talk_to("bob").await;
    desk.write("from the desk").await;
    phone
        .until(
            "the list to show it",
            "document.querySelector('[data-peer=bob] .last')?.textContent === 'You: from the desk'",
        )
        .await;
    phone.talk_to("bob").await;
    phone.ticked("from the desk", "stored").await;
    phone.write("from the phone").await;
    desk.ticked("from the phone", "stored").await;

    // One of the two looks elsewhere: that the other has seen it is enough.
    phone.talk_to("carl").await;
    let mut bob = Client::connect(&server, "bob").await;
    send_all(&mut bob, "ann", &["seen once".to_owned()]).await;
    desk.shown("seen once").await;
    desk.until("nothing to be unread", "document.title === 'Yanshu'")
        .await;
    phone
        .until("nothing to be unread", "document.title === 'Yanshu'")
        .await;
    for page in [desk, phone] {
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_of_too_many_devices_says_why_it_is_out_and_stays_out() {
    let server = Server::with(&["--max-devices=1"]);
    let first = Page::signed_in(&server.node(0).url(), "ann").await;
    let second = Page::signed_in(&server.node(0).url(), "ann").await;
    first
        .until(
            "to be told why",
            "document.querySelector('#connection').textContent.includes('too many devices')",
        )
        .await;
    // Not by itself, but when the person asks.
    first.click("#connection button").await;
    first.connected().await;
    second.disconnected().await;
    for page in [first, second] {
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_in_a_tab_that_is_out_is_sent_by_the_one_that_is_in() {
    let server = Server::with(&["--max-devices=1"]);
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    let first = ann.client.window().await.expect("there is a tab");
    let second = ann.open_tab().await;
    ann.go(&server.url()).await;
    ann.sign_in("ann").await;
    ann.talk_to("bob").await;
    ann.turn_to(&first).await;
    ann.disconnected().await;
    ann.write("from here").await;
    ann.ticked("from here", "sending").await;
    ann.client.close_window().await.expect("the tab closes");
    ann.turn_to(&second).await;
    ann.ticked("from here", "stored").await;
    ann.close().await;
}
