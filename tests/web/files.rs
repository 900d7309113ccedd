//! Two people who send each other files.

use serde_json::json;

use super::page::Page;
use super::signing::{SECRET, show, token};
use super::support::{Client, Server};
use super::things::{Things, UNDER_WAY, landscape, noise};

/// Whether the picture is there, small.
const IS_SEEN: &str = "document.querySelector('.picture img')?.naturalWidth > 0";
/// Whether it is there, large.
const IS_LARGE: &str = "document.querySelector('#viewer').open \
                        && document.querySelector('#viewer-stage img')?.naturalWidth === 1200 \
                        && document.querySelector('#viewer-said').textContent === ''";
/// Whether one is back at where one was.
const IS_BACK: &str = "!document.querySelector('#viewer').open \
                       && document.activeElement === document.querySelector('.picture') \
                       && document.querySelector('#viewer-stage').childElementCount === 0 \
                       && !document.querySelector('#conversation').hidden";

/// Where the picture is: first and at present, and whether it was loaded by then.
const WATCH_ITS_PLACE: &str = "
    window.place = () => {
        const picture = document.querySelector('.picture');
        const { width, height } = picture.getBoundingClientRect();
        const row = picture.closest('li');
        return { width, height, at: row.offsetTop, row: row.offsetHeight };
    };
    new MutationObserver(() => {
        if (window.first || !document.querySelector('.picture')) return;
        window.first = { ...window.place(), loaded: document.querySelector('.picture img').naturalWidth };
    }).observe(document.querySelector('#messages'), { childList: true, subtree: true });
    done();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_seen_small_and_then_large_and_is_saved_as_it_was() {
    let server = Server::start();
    let things = Things::new();
    let photo = landscape(1200, 900);
    let ann = Page::signed_in(&server.node(0).url(), "ann").await;
    let bob = Page::signed_in(&server.node(1).url(), "bob").await;
    ann.talk_to("bob").await;
    bob.talk_to("ann").await;
    bob.run(WATCH_ITS_PLACE).await;
    assert_eq!(
        ann.ask("document.querySelector('#attach').hidden").await,
        false
    );
    ann.attach(&[&things.put("photo.png", &photo)]).await;
    ann.ticked("photo.png", "read").await;
    for page in [&ann, &bob] {
        page.until("the picture", IS_SEEN).await;
    }
    // Its place was there before it was.
    let place = |loaded: u32, place: &serde_json::Value| json!({ "width": 320, "height": 240, "at": place["at"], "row": place["row"], "loaded": loaded });
    let now = bob.ask("window.place()").await;
    assert_eq!(bob.ask("window.first").await, place(0, &now));
    assert_eq!(now["width"], 320);
    // What was fetched is small.
    let small = "document.querySelector('.picture img').naturalWidth";
    assert_eq!(bob.ask(small).await, 480);
    let last = "document.querySelector('.row .last').textContent";
    assert_eq!(ann.ask(last).await, "You: Picture");
    assert_eq!(bob.ask(last).await, "Picture");

    bob.press(".picture", fantoccini::key::Key::Enter).await;
    bob.until("the picture, large", IS_LARGE).await;
    let name = "document.querySelector('#viewer-name').textContent";
    assert_eq!(bob.ask(name).await, "photo.png");
    bob.press("#viewer-close", fantoccini::key::Key::Escape)
        .await;
    bob.until("to be back", IS_BACK).await;
    bob.double_click(".picture").await;
    bob.until("the picture, large", IS_LARGE).await;
    bob.click("#viewer-save").await;
    bob.saved("photo.png", &photo).await;
    bob.click("#viewer-close").await;
    bob.until("to be back", IS_BACK).await;
    for page in [ann, bob] {
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_megabytes_go_up_while_one_looks_on_and_come_down_as_they_were() {
    let server = Server::start();
    let things = Things::new();
    let film = noise(50 * 1024 * 1024);
    let path = things.put("film.bin", &film);
    let ann = Page::signed_in(&server.node(0).url(), "ann").await;
    let bob = Page::signed_in(&server.node(1).url(), "bob").await;
    ann.talk_to("bob").await;
    bob.talk_to("ann").await;
    // It takes nothing until it was seen how far it has come.
    server.signal("STOP");
    ann.attach(&[&path]).await;
    ann.until("its progress", UNDER_WAY).await;
    ann.ticked("film.bin", "sending").await;
    let bar = "document.querySelector('.file.waiting progress').ariaLabel";
    assert_eq!(ann.ask(bar).await, "Upload of film.bin");
    let size = "document.querySelector('.file .size').textContent";
    let said = ann.ask(size).await.to_string();
    assert!(said.contains("50 MB") && said.contains('%'), "{said}");
    server.signal("CONT");

    ann.ticked("film.bin", "read").await;
    bob.shown("film.bin").await;
    assert_eq!(bob.ask(size).await, "50 MB");
    let last = "document.querySelector('.row .last').textContent";
    assert_eq!(bob.ask(last).await, "📎 \u{2068}film.bin\u{2069}");
    bob.click(".file .download").await;
    bob.saved("film.bin", &film).await;
    bob.until(
        "to be able to do it again",
        "document.querySelector('.file progress').hidden \
         && document.querySelector('.file .download').textContent === 'Download'",
    )
    .await;
    // Once more, and one thinks better of it.
    server.signal("STOP");
    bob.click(".file .download").await;
    bob.until(
        "it to be under way",
        "!document.querySelector('.file progress').hidden \
         && document.querySelector('.file .download').textContent === 'Cancel'",
    )
    .await;
    bob.click(".file .download").await;
    bob.until(
        "it to be no more",
        "document.querySelector('.file progress').hidden \
         && document.querySelector('.file .download').textContent === 'Download' \
         && document.querySelector('.file .why').textContent === ''",
    )
    .await;
    server.signal("CONT");
    for page in [ann, bob] {
        page.close().await;
    }
}

/// A picture in the hand, and ways to let go of it. Each says whether the browser is kept from doing what it would.
const IN_HAND: &str = "
    const canvas = new OffscreenCanvas(64, 48);
    canvas.getContext('2d').fillRect(8, 8, 16, 16);
    canvas.convertToBlob({ type: 'image/png' }).then((blob) => {
        const holding = (name, text) => {
            const data = new DataTransfer();
            data.items.add(new File([blob], name, { type: blob.type }));
            if (text) data.setData('text/plain', text);
            return data;
        };
        const kept = (at, event) => !document.querySelector(at).dispatchEvent(event);
        const usual = { bubbles: true, cancelable: true };
        window.paste = (at, name, text) =>
            kept(at, new ClipboardEvent('paste', { ...usual, clipboardData: holding(name, text) }));
        window.drag = (at, what, name) => kept(at, new DragEvent(what, { ...usual, dataTransfer: holding(name) }));
        done();
    });";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pasted_or_dropped_into_a_conversation_is_sent_and_elsewhere_is_not() {
    let server = Server::start();
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.run(IN_HAND).await;
    let is = |what: &'static str| {
        let ann = &ann;
        async move { assert_eq!(ann.ask(what).await, true, "{what}") }
    };
    // There is no conversation, and the browser does not open the file in place of the page.
    is("!window.paste('#find-text', 'nowhere.png')").await;
    is("window.drag('#nothing', 'dragover', 'nowhere.png')").await;
    is("window.drag('#nothing', 'drop', 'nowhere.png')").await;
    is("document.querySelector('#drop-hint').hidden").await;

    ann.talk_to("bob").await;
    is("window.drag('#messages', 'dragover', 'dropped.png')").await;
    is("!document.querySelector('#drop-hint').hidden").await;
    let hint = "document.querySelector('#drop-hint').textContent";
    assert_eq!(ann.ask(hint).await, "Drop files here to send them to bob.");
    is("window.drag('#side', 'dragover', 'nowhere.png')").await;
    is("document.querySelector('#drop-hint').hidden").await;
    is("window.drag('#side', 'drop', 'nowhere.png')").await;
    is("window.drag('#messages', 'dragover', 'dropped.png')").await;
    is("window.drag('#messages', 'drop', 'dropped.png')").await;
    is("document.querySelector('#drop-hint').hidden").await;
    ann.ticked("dropped.png", "stored").await;
    is("window.paste('#text', 'pasted.png')").await;
    ann.ticked("pasted.png", "stored").await;
    // A text of which there is a picture, too, is a text; and so is what is pasted into the search.
    is("!window.paste('#text', 'text.png', 'some text')").await;
    is("!window.paste('#find-text', 'search.png')").await;
    // One that copies a file copies its name, too.
    is("window.paste('#text', 'named.png', 'named.png')").await;
    ann.ticked("named.png", "stored").await;

    assert_eq!(
        ann.texts().await,
        ["dropped.png", "pasted.png", "named.png"]
    );
    let mut device = Client::connect(&server, "ann").await;
    assert_eq!(device.history(None, None, Some(100)).await.len(), 3);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_both_ways_where_there_are_tokens() {
    let server = Server::with(&[SECRET]);
    let things = Things::new();
    let photo = landscape(1200, 900);
    let letter = noise(1000);
    let [ann, bob] = [("ann", 0), ("bob", 1)].map(|(user, node)| {
        let url = server.node(node).url();
        async move {
            let page = Page::open(&url).await;
            show(&page, user, &token(user)).await;
            page.connected().await;
            page
        }
    });
    let (bob, ann) = (bob.await, ann.await);
    ann.talk_to("bob").await;
    let photo_path = things.put("photo.png", &photo);
    let letter_path = things.put("letter.bin", &letter);
    ann.attach(&[&photo_path, &letter_path]).await;
    bob.until("ann", "document.querySelector('[data-peer=ann]')")
        .await;
    bob.talk_to("ann").await;
    ann.ticked("letter.bin", "read").await;
    assert_eq!(bob.texts().await, ["photo.png", "letter.bin"]);
    for page in [&ann, &bob] {
        page.until("the picture", IS_SEEN).await;
    }
    bob.click(".picture").await;
    bob.until("the picture, large", IS_LARGE).await;
    bob.click("#viewer-close").await;
    bob.click(".file .download").await;
    bob.saved("letter.bin", &letter).await;
    for page in [ann, bob] {
        page.close().await;
    }
}
