//! What axe-core says of every view, in both themes, at both widths.

use serde_json::json;

use super::page::{DESKTOP, PHONE, Page, send_all};
use super::support::{Client, Server};

/// axe-core, as its makers publish it (MPL 2.0).
const AXE: &str = include_str!("axe/axe.min.js");

/// What is wrong: rule, and the elements.
const FIND: &str = "
    axe.run().then(({ violations }) => done(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])));";

async fn check(page: &Page, view: &str) {
    page.client
        .execute(AXE, vec![])
        .await
        .expect("axe-core is there");
    for theme in ["light", "dark"] {
        page.ask(&format!(
            "document.documentElement.dataset.theme = {theme:?}"
        ))
        .await;
        assert_eq!(page.run(FIND).await, json!([]), "{view}, {theme}");
    }
}

async fn check_all(size: (u32, u32), language: &str) {
    let mut server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    send_all(&mut bob, "ann", &["https://a.example/ 你好".to_owned()]).await;
    let page = Page::open_in(&server.url(), size, language).await;
    page.until("the form", "!document.querySelector('#sign-in').hidden")
        .await;
    check(&page, "signing in").await;
    page.sign_in("ann").await;
    page.until("the list", "document.querySelector('[data-peer=bob]')")
        .await;
    check(&page, "the list").await;
    page.fill("#find-text", "carl").await;
    check(&page, "the list, searched").await;
    page.talk_to("bob").await;
    page.write("hello").await;
    page.ticked("hello", "stored").await;
    check(&page, "a conversation").await;
    if size == PHONE {
        page.click("#back").await;
    }
    page.click("#open-settings").await;
    check(&page, "the settings").await;
    page.click("#settings .primary").await;
    server.kill9();
    page.disconnected().await;
    check(&page, "without a connection").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_a_desk() {
    check_all(DESKTOP, "en").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_a_phone() {
    check_all(PHONE, "zh-CN").await;
}
