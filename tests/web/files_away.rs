//! Files that do not arrive at once, or never.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::away::{at_a_port, change_tabs, reconnected, server_that_comes_back};
use super::page::{Page, send_all_of_type};
use super::support::{Client, Server, http, within};
use super::things::{LONG, Things, UNDER_WAY, files_of, landscape, noise, upload};

/// What the history of `ann` and `bob` holds: types, and texts or names.
async fn stored(server: &Server) -> Vec<(u64, String)> {
    let mut device = Client::connect(server, "ann").await;
    let history = device.history(Some("bob"), None, Some(100)).await;
    let told = history.iter().map(|message| {
        let message = &message["chatMsg"];
        let kind = message["type"].as_u64().expect("a type");
        let text = message["message"].as_str().expect("a text");
        let file: Value = serde_json::from_str(text).unwrap_or_default();
        (kind, file["name"].as_str().unwrap_or(text).to_owned())
    });
    told.collect()
}

fn pair(kind: u64, text: &str) -> (u64, String) {
    (kind, text.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_the_loss_of_the_server_cuts_off_arrives_once_when_it_is_back() {
    let mut server = server_that_comes_back();
    let things = Things::new();
    let film = noise(LONG);
    let path = things.put("film.bin", &film);
    let ann = Page::signed_in(&server.url(), "ann").await;
    let bob = Page::signed_in(&server.url(), "bob").await;
    ann.talk_to("bob").await;
    bob.talk_to("ann").await;
    server.signal("STOP");
    ann.attach(&[&path]).await;
    ann.until("its progress", UNDER_WAY).await;
    server.kill9();
    ann.disconnected().await;
    ann.write("meanwhile").await;
    ann.ticked("meanwhile", "sending").await;
    ann.ticked("film.bin", "sending").await;
    server.restart();
    for page in [&ann, &bob] {
        reconnected(page).await;
    }
    ann.ticked("meanwhile", "read").await;
    ann.ticked("film.bin", "read").await;
    let mut all = stored(&server).await;
    let order: Vec<_> = all.iter().map(|(_, text)| text.clone()).collect();
    for page in [&ann, &bob] {
        assert_eq!(page.texts().await, order);
    }
    all.sort();
    assert_eq!(all, [pair(0, "meanwhile"), pair(1, "film.bin")]);
    assert_eq!(files_of(&server), 1);
    bob.click(".file .download").await;
    bob.saved("film.bin", &film).await;
    for page in [ann, bob] {
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_outlives_the_tab_that_was_sending_it() {
    let mut server = server_that_comes_back();
    let things = Things::new();
    let film = noise(LONG);
    let path = things.put("film.bin", &film);
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    server.signal("STOP");
    ann.attach(&[&path]).await;
    ann.until("its progress", UNDER_WAY).await;
    server.kill9();
    ann.disconnected().await;
    ann.write("kept").await;
    ann.ticked("kept", "sending").await;
    change_tabs(&ann).await;
    // What was chosen is kept, and not only where it was.
    fs::remove_file(&path).expect("it was there");
    server.restart();
    ann.go(&server.url()).await;
    ann.sign_in("ann").await;
    ann.talk_to("bob").await;
    ann.ticked("kept", "stored").await;
    ann.ticked("film.bin", "stored").await;
    let mut all = stored(&server).await;
    all.sort();
    assert_eq!(all, [pair(0, "kept"), pair(1, "film.bin")]);
    assert_eq!(ann.bubbles().await.len(), 2);
    assert_eq!(files_of(&server), 1);
    ann.click(".file .download").await;
    ann.saved("film.bin", &film).await;
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tab_goes_on_with_what_a_closed_one_was_sending() {
    let server = Server::start();
    let things = Things::new();
    let path = things.put("film.bin", &noise(LONG));
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    // Here the other one begins.
    ann.run(
        "const { request } = LockManager.prototype;
        LockManager.prototype.request = async function (...all) {
            await new Promise((resolve) => setTimeout(resolve, 1000));
            return request.apply(this, all);
        };
        done();",
    )
    .await;
    let client = &ann.client;
    let first = client.window().await.expect("there is a tab");
    let second = ann.open_tab().await;
    ann.go(&server.url()).await;
    ann.sign_in("ann").await;
    ann.talk_to("bob").await;
    server.signal("STOP");
    ann.attach(&[&path]).await;
    for tab in [&second, &first, &second] {
        ann.turn_to(tab).await;
        ann.until("its progress", UNDER_WAY).await;
    }
    client.close_window().await.expect("the tab closes");
    ann.turn_to(&first).await;
    ann.ticked("film.bin", "sending").await;
    server.signal("CONT");
    ann.ticked("film.bin", "stored").await;
    assert_eq!(ann.texts().await, ["film.bin"]);
    assert_eq!(stored(&server).await, [pair(1, "film.bin")]);
    assert_eq!(files_of(&server), 1);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_an_upload_sends_the_next_one_alone() {
    let server = Server::start();
    let things = Things::new();
    let long = things.put("long.bin", &noise(LONG));
    let short = things.put("short.bin", &noise(1000));
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    server.signal("STOP");
    ann.attach(&[&long, &short]).await;
    ann.until("its progress", UNDER_WAY).await;
    ann.shown("short.bin").await;
    let name = "document.querySelector('.file.waiting .cancel').ariaLabel";
    assert_eq!(ann.ask(name).await, "Cancel the upload of long.bin");
    ann.click(".file.waiting .cancel").await;
    ann.bubbles_when("one to be left", |left| left.len() == 1)
        .await;
    server.signal("CONT");
    ann.ticked("short.bin", "stored").await;
    ann.client.refresh().await.expect("it reloads");
    ann.connected().await;
    ann.ticked("short.bin", "stored").await;
    assert_eq!(ann.texts().await, ["short.bin"]);
    assert_eq!(stored(&server).await, [pair(1, "short.bin")]);
    assert_eq!(files_of(&server), 1);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_an_upload_that_is_a_message_by_then_does_not_lose_it() {
    let server = Server::start();
    let things = Things::new();
    let letter = things.put("letter.bin", &noise(1000));
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    // They click while the message is put into the outbox.
    ann.run(
        "const { add } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.add = function (...all) {
            if (this.name === 'outbox') document.querySelector('.file.waiting .cancel').click();
            return add.apply(this, all);
        };
        done();",
    )
    .await;
    server.signal("STOP");
    ann.attach(&[&letter]).await;
    ann.until(
        "it to wait",
        "document.querySelector('.file.waiting .cancel')",
    )
    .await;
    server.signal("CONT");
    ann.ticked("letter.bin", "stored").await;
    assert_eq!(stored(&server).await, [pair(1, "letter.bin")]);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_said_at_once_or_with_the_servers_reason() {
    let listen = at_a_port();
    let flags = ["--max-file-size=100000", "--file-quota=150000"];
    let mut server = Server::with(&[&listen, flags[0], flags[1]]);
    let things = Things::new();
    let [first, second, third] =
        ["1.bin", "2.bin", "3.bin"].map(|name| things.put(name, &noise(100_000)));
    let large = things.put("large.bin", &noise(100_001));
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    ann.attach(&[&large, &first]).await;
    ann.ticked("1.bin", "stored").await;
    let said = "document.querySelector('#compose-error').textContent";
    assert_eq!(
        ann.ask(said).await,
        "“large.bin” is too large: a file may have 97.7 kB at most."
    );
    assert_eq!(ann.texts().await, ["1.bin"]);

    let is_refused = "document.querySelector('.message.failed .foot .why')?.textContent \
                      === 'Not sent: Your space for files is used up.'";
    ann.attach(&[&second]).await;
    ann.until("the reason", is_refused).await;
    assert_eq!(ann.ask(said).await, "");
    ann.click(".message.failed .foot button:last-of-type").await;
    ann.bubbles_when("it to be gone", |left| left.len() == 1)
        .await;
    ann.attach(&[&third]).await;
    ann.until("the reason", is_refused).await;
    ann.client.refresh().await.expect("it reloads");
    ann.connected().await;
    ann.until("the reason", is_refused).await;
    assert_eq!(ann.texts().await, ["1.bin", "3.bin"]);
    assert_eq!(files_of(&server), 1);

    // There is room again; it goes when it is told to.
    server.kill9();
    ann.disconnected().await;
    server.restart_with(&[&listen]);
    reconnected(&ann).await;
    ann.until("the reason", is_refused).await;
    ann.click(".message.failed .foot button").await;
    ann.ticked("3.bin", "stored").await;
    assert_eq!(stored(&server).await, [pair(1, "1.bin"), pair(1, "3.bin")]);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_files_is_offered_none() {
    let server = Server::with(&["--file-store=off"]);
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    assert_eq!(
        ann.ask("document.querySelector('#attach').hidden").await,
        true
    );
    let dropped = "(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(['x'], 'x.txt'));
        const usual = { bubbles: true, cancelable: true, dataTransfer };
        const all = ['dragover', 'drop'].map((what) => new DragEvent(what, usual));
        return all.every((event) => !document.querySelector('#messages').dispatchEvent(event));
    })()";
    assert_eq!(ann.ask(dropped).await, true, "the page would be left");
    ann.write("words").await;
    ann.ticked("words", "stored").await;
    assert_eq!(ann.texts().await, ["words"]);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_file_that_is_gone_it_is_said() {
    let server = Server::start();
    let photo = upload(
        &server,
        "ann",
        ("photo.png", "image/png"),
        &landscape(400, 300),
    )
    .await;
    let letter = upload(&server, "ann", ("letter.bin", ""), &noise(1000)).await;
    let mut ann = Client::connect(&server, "ann").await;
    send_all_of_type(&mut ann, "bob", 1, &[photo, letter]).await;
    let bob = Page::signed_in(&server.node(1).url(), "bob").await;
    bob.talk_to("ann").await;
    bob.shown("letter.bin").await;
    bob.until(
        "the picture",
        "document.querySelector('.picture img').naturalWidth > 0",
    )
    .await;

    // The server knows of it, and has it no more.
    let folder = server.directory().join("files");
    fs::remove_dir_all(&folder).expect("the files were there");
    let says = |what: &str, why: &str| {
        format!("document.querySelector('{what}')?.textContent === '{why}'")
    };
    let not_fetched = "The file could not be fetched.";
    bob.click(".file .download").await;
    bob.until("the reason", &says(".file .why", not_fetched))
        .await;
    bob.click(".picture").await;
    bob.until("the reason", &says("#viewer-said", not_fetched))
        .await;
    bob.click("#viewer-close").await;
    bob.client.refresh().await.expect("it reloads");
    bob.connected().await;
    bob.until("the reason", &says(".picture .why", not_fetched))
        .await;

    // They may not read it any more.
    server.database().execute("DELETE FROM file_readers");
    let no_file = "This file is no longer there.";
    bob.click(".file .download").await;
    bob.until("the reason", &says(".file .why", no_file)).await;
    bob.click(".picture").await;
    bob.until("the reason", &says("#viewer-said", no_file))
        .await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_its_recipient_does_not_take_waits_until_they_do() {
    let admin = "an-admin-token-for-tests";
    let server = Server::with(&[&format!("--admin-token={admin}")]);
    let bearer = format!("Bearer {admin}");
    let blocked = async |method: &str| {
        let request = (method, "/api/v1/users/bob/blocks/ann");
        let headers = [("Authorization", bearer.as_str())];
        let answer = http::send_at(server.port(), request, &headers, "").await;
        assert!(answer.status < 300, "{}", answer.body);
    };
    let things = Things::new();
    let path = things.put("letter.bin", &noise(1000));
    Client::connect(&server, "bob").await.close().await;
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    blocked("PUT").await;
    ann.attach(&[&path]).await;
    let is_refused = "document.querySelector('.message.failed .foot .why')?.textContent === 'Not sent: \
                      The recipient does not take messages from you, or the file is no longer there.'";
    ann.until("the reason", is_refused).await;
    ann.client.refresh().await.expect("it reloads");
    ann.connected().await;
    ann.until("the reason", is_refused).await;
    // It could be that the server has swept it: so it is sent up again, and refused again.
    ann.click(".message.failed .foot button").await;
    within("another try", async {
        while files_of(&server) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    ann.until("the reason", is_refused).await;
    assert_eq!(ann.texts().await, ["letter.bin"]);

    blocked("DELETE").await;
    ann.click(".message.failed .foot button").await;
    ann.ticked("letter.bin", "stored").await;
    assert_eq!(ann.texts().await, ["letter.bin"]);
    assert_eq!(stored(&server).await, [pair(1, "letter.bin")]);
    ann.close().await;
}
