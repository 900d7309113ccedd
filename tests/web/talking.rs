//! Two people who write to each other.

use super::away::{give_network, sign_in_with_a_network, take_network};
use super::page::{PHONE, Page, send_all};
use super::support::{Client, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_write_to_each_other_and_see_the_ticks_turn() {
    let server = Server::start();
    let ann = Page::signed_in(&server.node(0).url(), "ann").await;
    ann.talk_to("bob").await;
    ann.write("你好，雁书").await;
    ann.ticked("你好，雁书", "stored").await;
    // Nobody has seen it: bob is not there yet, and then looks at nothing.
    let bob = Page::signed_in(&server.node(1).url(), "bob").await;
    bob.until("the title to call", "document.title === '(1) Yanshu'")
        .await;
    bob.until(
        "the list to count",
        "document.querySelector('[data-peer=ann] .unread').textContent === '1'",
    )
    .await;
    ann.ticked("你好，雁书", "stored").await;

    bob.click("[data-peer=ann] button").await;
    ann.ticked("你好，雁书", "read").await;
    bob.until("the title to rest", "document.title === 'Yanshu'")
        .await;
    bob.write("好").await;
    bob.ticked("好", "read").await;
    assert_eq!(ann.texts().await, ["你好，雁书", "好"]);
    assert_eq!(bob.texts().await, ["你好，雁书", "好"]);
    let last = "document.querySelector('[data-peer=bob] .last').textContent";
    assert_eq!(ann.ask(last).await, "好");
    for page in [ann, bob] {
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_to_oneself_is_read_at_once_and_stands_there_once() {
    let server = Server::start();
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("ann").await;
    ann.write("milk").await;
    ann.ticked("milk", "read").await;
    assert_eq!(ann.texts().await, ["milk"]);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_is_not_sent_and_not_lost() {
    let server = Server::start();
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    // 32,769 bytes of UTF-8, of which the limit allows 32,768.
    ann.run(
        "const field = document.querySelector('#text'); \
         field.value = '雁'.repeat(10923); \
         field.dispatchEvent(new Event('input', { bubbles: true })); done();",
    )
    .await;
    ann.click("#compose button").await;
    ann.until(
        "to be told",
        "document.querySelector('#compose-error').textContent.includes('Too long')",
    )
    .await;
    let length = ann
        .ask("document.querySelector('#text').value.length")
        .await;
    assert_eq!(length, 10_923);
    assert!(ann.bubbles().await.is_empty());
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_phone_nothing_asks_for_the_keyboard_before_one_writes() {
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    send_all(&mut bob, "ann", &["hello".to_owned()]).await;
    let page = Page::open_in(&server.node(0).url(), PHONE, "en").await;
    let has = async |what: &str| {
        page.ask(&format!("document.activeElement.id === '{what}'"))
            .await
    };
    sign_in_with_a_network(&page, "ann").await;
    assert_eq!(has("who").await, true, "signed in");
    page.click("[data-peer=bob] button").await;
    page.shown("hello").await;
    assert_eq!(has("peer").await, true, "in a conversation");
    // There, Enter begins a line.
    page.write("and to you\nfrom ann").await;
    page.ticked("and to you\nfrom ann", "stored").await;
    assert_eq!(has("text").await, true, "the keyboard stays for the next");
    take_network(&page).await;
    page.click("#connection-act").await;
    assert_eq!(has("peer").await, true, "after a try to connect");
    give_network(&page).await;
    page.click("#back").await;
    let is_field = "document.activeElement.matches('input, textarea')";
    assert_eq!(page.ask(is_field).await, false, "back in the list");
    page.close().await;
}
