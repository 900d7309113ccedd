//! Files, and messages of files, that mean harm.

use serde_json::{Value, json};

use super::page::{Page, send_all_of_type};
use super::support::{Client, Server};
use super::things::{landscape, upload};

/// What would be seen if any of it ran.
const HURTS: &str = "window.hurt = true; document.title = 'hurt'; fetch('/health?hurt')";

/// Whether nothing ran, and nobody else was asked for anything.
const IS_UNHURT: &str = "window.hurt === undefined && !document.title.includes('hurt')
    && performance.getEntriesByType('resource').every(
        ({ name }) => !name.includes('hurt') && (name.startsWith(`${location.origin}/`) || name.startsWith('blob:')))";

fn html() -> String {
    format!("<!doctype html><title>page</title><script>{HURTS}</script><h1>Hello</h1>")
}

fn svg() -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='400' height='300' onload=\"{HURTS}\">\
         <script>{HURTS}</script><rect width='400' height='300'/></svg>"
    )
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// What a message says of a file, but for this.
fn but(text: &str, change: impl Fn(&mut Value)) -> String {
    let mut said = parsed(text);
    change(&mut said);
    said.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_sent_as_a_file_is_saved_and_never_runs() {
    let server = Server::start();
    let page = upload(
        &server,
        "bob",
        ("page.html", "text/html"),
        html().as_bytes(),
    )
    .await;
    let svg_file = upload(
        &server,
        "bob",
        ("drawing.svg", "image/svg+xml"),
        svg().as_bytes(),
    )
    .await;
    let mut bob = Client::connect(&server, "bob").await;
    let both = [page, svg_file].map(|text| text.clone());
    send_all_of_type(&mut bob, "ann", 1, &both).await;
    let ann = Page::signed_in(&server.node(1).url(), "ann").await;
    ann.talk_to("bob").await;
    ann.shown("drawing.svg").await;
    assert_eq!(ann.texts().await, ["page.html", "drawing.svg"]);
    for (number, bytes) in [(0, html()), (1, svg())] {
        let [name, message] = [["page.html", "drawing.svg"][number], &both[number]];
        ann.click(&format!("[aria-label='Download {name}']")).await;
        ann.saved(name, bytes.as_bytes()).await;
        // Somebody who opens its address has it saved as well, and stays where they are.
        let url = parsed(message)["url"].as_str().expect("a URL").to_owned();
        ann.ask(&format!(
            "document.body.prepend(Object.assign(document.createElement('a'), \
             {{ href: '{url}?fromId=ann', textContent: 'open', id: 'open-{number}' }}))"
        ))
        .await;
        ann.click(&format!("#open-{number}")).await;
        let (stem, ending) = name.split_once('.').expect("it has one");
        ann.saved(&format!("{stem} (1).{ending}"), bytes.as_bytes())
            .await;
    }
    assert_eq!(ann.ask(IS_UNHURT).await, true);
    assert_eq!(ann.texts().await, ["page.html", "drawing.svg"]);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drawing_that_is_called_a_picture_runs_nothing() {
    let server = Server::start();
    let file = upload(&server, "bob", ("photo.png", "image/png"), svg().as_bytes()).await;
    let said = parsed(&file);
    assert!(said["thumbnail"].is_null(), "{said}");
    let url = said["url"].as_str().expect("a URL");
    // The message says that there is something to see.
    let lying = but(&file, |said| {
        said["width"] = 400.into();
        said["height"] = 300.into();
        said["thumbnail"] = format!("{url}/thumbnail").into();
    });
    let mut bob = Client::connect(&server, "bob").await;
    send_all_of_type(&mut bob, "ann", 1, &[file.clone(), lying]).await;
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    ann.until(
        "it to be said",
        "document.querySelector('.picture .why')?.textContent === 'This file is no longer there.'",
    )
    .await;
    ann.click(".picture").await;
    ann.until(
        "it to be said",
        "document.querySelector('#viewer-said').textContent === 'This picture cannot be shown.'",
    )
    .await;
    // One can save it all the same.
    ann.click("#viewer-save").await;
    ann.saved("photo.png", svg().as_bytes()).await;
    assert_eq!(ann.ask(IS_UNHURT).await, true);
    assert_eq!(ann.texts().await, ["photo.png", "photo.png"]);

    // Opened by its address it is a broken picture.
    ann.go(&format!("{}{url}?fromId=ann", server.url())).await;
    assert_eq!(ann.ask("document.contentType").await, "image/png");
    assert_eq!(ann.ask(IS_UNHURT).await, true);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_lies_about_its_file_makes_the_page_ask_nobody_else() {
    let server = Server::start();
    let other = Server::start();
    let elsewhere = format!("{}/health?hurt", other.url());
    let file = upload(
        &server,
        "bob",
        ("photo.png", "image/png"),
        &landscape(400, 300),
    )
    .await;
    let url = parsed(&file)["url"].as_str().expect("a URL").to_owned();
    let mut texts = Vec::new();
    // These are of no file.
    for (field, value) in [
        ("url", json!(elsewhere)),
        ("url", json!(format!("//evil.localhost{url}"))),
        ("url", json!(format!("{url}?x"))),
        ("id", json!("../../health?hurt")),
        ("id", json!(7)),
        ("name", json!("photo\u{202e}gnp.exe")),
        ("name", json!("../../.bashrc")),
        ("name", json!("a\u{0}b\u{1b}[2J")),
        ("name", json!({ "toString": "x" })),
        ("name", json!("")),
        ("mime", json!("text/html\r\nX: y")),
        ("size", json!(-1)),
        ("size", json!("<img src=x onerror='window.hurt = true'>")),
    ] {
        texts.push(but(&file, |said| said[field] = value.clone()));
    }
    for text in ["null", "[]", "7", "\"/files/x\"", "{", "<b>no JSON</b>"] {
        texts.push(text.to_owned());
    }
    let shown_as_texts = texts.len();
    // These are of a file, and not what they say of it.
    texts.extend([
        but(&file, |said| said["thumbnail"] = elsewhere.clone().into()),
        but(&file, |said| said["mime"] = "text/html".into()),
        but(&file, |said| said["mime"] = "image/svg+xml".into()),
        but(&file, |said| said["width"] = 1e9.into()),
        but(&file, |said| {
            said["height"] = "300px;background:url(x)".into()
        }),
        but(&file, |said| {
            said["name"] = "<img src=x onerror='window.hurt = true'>".into();
            said["mime"] = "text/html".into();
        }),
    ]);
    let mut bob = Client::connect(&server, "bob").await;
    send_all_of_type(&mut bob, "ann", 1, &texts).await;
    // One half of a picture cannot be seen, but saved.
    let half = landscape(400, 300);
    let half = upload(
        &server,
        "bob",
        ("half.png", "image/png"),
        &half[..half.len() / 2],
    )
    .await;
    let empty = but(&file, |said| said["size"] = 0.into());
    send_all_of_type(&mut bob, "ann", 1, &[half, file, empty]).await;

    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    ann.until(
        "the true picture",
        "document.querySelector('.picture img')?.naturalWidth > 0",
    )
    .await;
    let shown = ann.texts().await;
    assert_eq!(shown[..shown_as_texts], texts[..shown_as_texts]);
    let name = "<img src=x onerror='window.hurt = true'>";
    let mut names = vec!["photo.png"; 5];
    names.extend([name, "half.png", "photo.png", "photo.png"]);
    assert_eq!(shown[shown_as_texts..], names);
    let kinds = "['.content', '.file', '.picture'].map((kind) => document.querySelectorAll(`.message ${kind}`).length)";
    assert_eq!(ann.ask(kinds).await, json!([shown_as_texts, 7, 2]));
    // What is shown of them in the list, too, is text.
    assert_eq!(
        ann.ask("document.querySelectorAll('#list img').length")
            .await,
        0
    );
    // All the cards give the true file.
    ann.ask("document.querySelectorAll('.file .download')[1].click()")
        .await;
    ann.saved("photo.png", &landscape(400, 300)).await;
    // One that is said to be empty is none the less seen.
    ann.click("li:last-child .picture").await;
    ann.until(
        "the picture, large",
        "document.querySelector('#viewer-stage img')?.naturalWidth === 400
            && document.querySelector('#viewer-said').textContent === ''",
    )
    .await;
    assert_eq!(ann.ask(IS_UNHURT).await, true);
    ann.close().await;
}
