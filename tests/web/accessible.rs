//! What axe-core says of every view, in both themes, at both widths.

use serde_json::json;

use super::browser::Screen;
use super::page::{DESKTOP, PHONE, Page, send_all, send_all_of_type};
use super::support::{Client, Server};
use super::things::{LONG, Things, UNDER_WAY, landscape, noise, upload};

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

async fn check_all(screen: Screen, language: &str) {
    let mut server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    send_all(&mut bob, "ann", &["https://a.example/ 你好".to_owned()]).await;
    let page = Page::open_in(&server.url(), screen, language).await;
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
    if screen == PHONE {
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

async fn check_files(screen: Screen, language: &str) {
    let quota = format!("--file-quota={}", LONG + 500_000);
    let server = Server::with(&[&quota]);
    let picture = ("photo.png", "image/png");
    let picture = upload(&server, "bob", picture, &landscape(400, 300)).await;
    let letter = upload(&server, "bob", ("letter.txt", "text/plain"), b"Dear Ann").await;
    let mut bob = Client::connect(&server, "bob").await;
    let other = upload(&server, "bob", ("other.txt", "text/plain"), b"Dear Eve").await;
    send_all_of_type(&mut bob, "ann", 1, &[picture, letter, other]).await;
    let page = Page::open_in(&server.url(), screen, language).await;
    page.sign_in("ann").await;
    page.talk_to("bob").await;
    page.until(
        "the picture",
        "document.querySelector('.picture img')?.naturalWidth > 0",
    )
    .await;
    page.click(".picture").await;
    page.until(
        "the picture, large",
        "document.querySelector('#viewer-stage img')?.naturalWidth > 0",
    )
    .await;
    check(&page, "a picture, large").await;
    page.click("#viewer-close").await;

    // One is mine, one of theirs is gone and one is fetched; one is refused, one goes up, and one waits.
    let things = Things::new();
    let path = |name: &str, length: usize| things.put(name, &noise(length));
    page.attach(&[&things.put("mine.png", &landscape(300, 400))])
        .await;
    page.ticked("mine.png", "stored").await;
    server.database().execute("DELETE FROM file_readers");
    page.click(".theirs .download").await;
    page.until(
        "it to be gone",
        "document.querySelector('.theirs .file .why').textContent !== ''",
    )
    .await;
    page.attach(&[&path("too-much.bin", LONG + 1_000_000)])
        .await;
    page.until("it to be refused", "document.querySelector('.failed .why')")
        .await;
    server.signal("STOP");
    page.attach(&[&path("long.bin", LONG), &path("waiting.bin", 10)])
        .await;
    page.shown("waiting.bin").await;
    page.click(".theirs:has(.file) + .theirs .download").await;
    page.until(
        "another to be fetched",
        "document.querySelector('.theirs progress:not([hidden])')",
    )
    .await;
    page.until("its progress", UNDER_WAY).await;
    page.ask("document.querySelector('#newest').click()").await;
    check(&page, "files").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_in_files_on_a_desk() {
    check_files(DESKTOP, "en").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_in_files_on_a_phone() {
    check_files(PHONE, "zh-CN").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_a_desk() {
    check_all(DESKTOP, "en").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_a_phone() {
    check_all(PHONE, "zh-CN").await;
}
