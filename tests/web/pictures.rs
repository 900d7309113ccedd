//! What the pictures in `docs/screenshots` show. With `YANSHU_SCREENSHOTS` the test takes them anew, into that
//! folder.

use std::path::Path;

use super::page::{DESKTOP, PHONE, Page};
use super::support::{Client, Server, frames};
use super::things::{Things, landscape, noise};

async fn take(page: &Page, name: &str) {
    let picture = page.client.screenshot().await.expect("a picture is taken");
    assert!(picture.starts_with(b"\x89PNG"), "{name}");
    if let Ok(folder) = std::env::var("YANSHU_SCREENSHOTS") {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let path = Path::new(&folder).join(name);
        std::fs::write(path, picture).expect("the picture can be written");
    }
}

async fn in_theme(page: &Page, theme: &str) {
    page.ask(&format!(
        "document.documentElement.dataset.theme = {theme:?}"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_is_shown_on_desk_and_phone_by_day_and_by_night() {
    let server = Server::with(&["--demo"]);
    let mine = Page::open_in(&server.node(0).url(), DESKTOP, "en").await;
    mine.sign_in("HK0001").await;
    mine.talk_to("HK0002").await;
    let theirs = Page::open_in(&server.node(1).url(), PHONE, "zh-CN").await;
    theirs.sign_in("HK0002").await;
    theirs
        .until(
            "the list",
            "document.querySelector('[data-peer=HK0001] .last')?.textContent",
        )
        .await;
    let mut other = Client::connect(&server, "HK0003").await;
    let ids = other.ids().await;
    let mut frame = frames::message("HK0003", "HK0001", &ids[0], "明天带上那封信。");
    // The server's own time: the picture is of today.
    frame["chatMsg"]["time"].take();
    other.send(frame).await;
    mine.write("One command, and it serves. https://127.0.0.1:8080/")
        .await;
    theirs
        .until(
            "it to be seen in the list",
            "document.querySelector('[data-peer=HK0001] .last').textContent.startsWith('One')",
        )
        .await;
    take(&theirs, "phone-list.png").await;
    theirs.click("[data-peer=HK0001] button").await;
    theirs.write("收到！我用手机看。").await;
    mine.shown("收到！我用手机看。").await;
    mine.until(
        "the third one to be unread",
        "document.querySelector('[data-peer=HK0003] .unread').textContent === '1'",
    )
    .await;
    theirs.ticked("收到！我用手机看。", "read").await;
    in_theme(&mine, "light").await;
    take(&mine, "desktop.png").await;
    in_theme(&mine, "dark").await;
    take(&mine, "desktop-dark.png").await;
    in_theme(&theirs, "light").await;
    take(&theirs, "phone.png").await;
    in_theme(&theirs, "dark").await;
    take(&theirs, "phone-dark.png").await;
    for page in [mine, theirs] {
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_and_a_file_are_shown_on_desk_and_phone() {
    let server = Server::with(&["--demo"]);
    let things = Things::new();
    let mine = Page::open_in(&server.node(0).url(), DESKTOP, "en").await;
    mine.sign_in("HK0001").await;
    mine.talk_to("HK0002").await;
    let theirs = Page::open_in(&server.node(1).url(), PHONE, "zh-CN").await;
    theirs.sign_in("HK0002").await;
    theirs.talk_to("HK0001").await;
    mine.attach(&[&things.put("Mountains.png", &landscape(1600, 1000))])
        .await;
    mine.ticked("Mountains.png", "read").await;
    mine.write("From the pass, an hour ago. The route is in the file.")
        .await;
    mine.attach(&[&things.put("Route.pdf", &noise(1_234_567))])
        .await;
    mine.ticked("Route.pdf", "read").await;
    theirs.write("真美！下次一起去。").await;
    mine.shown("真美！下次一起去。").await;
    theirs.ticked("真美！下次一起去。", "read").await;
    for page in [&mine, &theirs] {
        page.until(
            "the picture",
            "document.querySelector('.picture img')?.naturalWidth > 0",
        )
        .await;
    }
    in_theme(&mine, "light").await;
    take(&mine, "desktop-files.png").await;
    in_theme(&theirs, "dark").await;
    take(&theirs, "phone-files-dark.png").await;
    for page in [mine, theirs] {
        page.close().await;
    }
}
