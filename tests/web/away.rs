//! The server goes away and comes back.

use super::page::Page;
use super::support::ports::free_port;
use super::support::{Client, Server};

/// A server that comes back on the port it had, as a page needs it.
pub fn server_that_comes_back() -> Server {
    Server::with(&[&at_a_port()])
}

/// The flag for such a port.
pub fn at_a_port() -> String {
    format!("--listen=127.0.0.1:{}", free_port())
}

/// Signs in, so that the page's network can be taken away.
pub async fn sign_in_with_a_network(page: &Page, user: &str) {
    page.run(
        "window.WebSocket = class extends WebSocket {
            constructor(url) {
                if (window.hasNoNetwork) throw new Error('no network');
                super(url);
                window.socket = this;
            }
        };
        done();",
    )
    .await;
    page.sign_in(user).await;
}

/// Takes it away.
pub async fn take_network(page: &Page) {
    page.run("window.hasNoNetwork = true; window.socket.close(); done();")
        .await;
    page.disconnected().await;
}

/// Gives it back.
pub async fn give_network(page: &Page) {
    page.run("window.hasNoNetwork = false; done();").await;
    reconnected(page).await;
}

/// Waits for the connection, and is not patient.
pub async fn reconnected(page: &Page) {
    page.until(
        "the connection, with help",
        "(document.querySelector('#connection button:not([hidden])')?.click(), \
          document.querySelector('#connection').hidden)",
    )
    .await;
}

/// Closes the tab with all that it remembered, after another one was opened in the same browser.
pub async fn change_tabs(page: &Page) {
    let client = &page.client;
    let tab = client.new_window(true).await.expect("a tab opens");
    client.close_window().await.expect("the tab closes");
    let changed = client.switch_to_window(tab.handle).await;
    changed.expect("it is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_the_server_is_away_arrives_once_and_in_order() {
    let mut server = server_that_comes_back();
    let ann = Page::signed_in(&server.url(), "ann").await;
    let bob = Page::signed_in(&server.url(), "bob").await;
    ann.talk_to("bob").await;
    bob.talk_to("ann").await;
    ann.write("before").await;
    bob.shown("before").await;

    server.kill9();
    ann.disconnected().await;
    bob.disconnected().await;
    for text in ["one", "two", "three"] {
        ann.write(text).await;
        ann.ticked(text, "sending").await;
    }
    bob.write("four").await;
    bob.ticked("four", "sending").await;
    server.restart();
    for page in [&ann, &bob] {
        reconnected(page).await;
    }
    for text in ["one", "two", "three"] {
        ann.ticked(text, "read").await;
    }
    bob.ticked("four", "read").await;

    let mut device = Client::connect(&server, "ann").await;
    let history = device.history(Some("bob"), None, Some(100)).await;
    let stored: Vec<_> = history
        .iter()
        .map(|message| message["chatMsg"]["message"].as_str().expect("a text"))
        .collect();
    let mut sorted = stored.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["before", "four", "one", "three", "two"]);
    let of_ann: Vec<_> = stored.iter().filter(|text| **text != "four").collect();
    assert_eq!(of_ann, [&"before", &"one", &"two", &"three"]);
    // A page that is opened anew shows what the history holds; the others hold the same messages.
    for page in [&ann, &bob] {
        let mut shown = page.texts().await;
        shown.sort_unstable();
        assert_eq!(shown, sorted);
    }
    for page in [ann, bob] {
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_outlives_the_tab_it_was_written_in() {
    let mut server = server_that_comes_back();
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    server.kill9();
    ann.disconnected().await;
    ann.write("kept").await;
    ann.ticked("kept", "sending").await;
    change_tabs(&ann).await;
    server.restart();
    ann.go(&server.url()).await;
    ann.sign_in("ann").await;
    ann.talk_to("bob").await;
    ann.ticked("kept", "stored").await;
    assert_eq!(ann.texts().await, ["kept"]);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_id_nothing_is_written_and_the_text_stays() {
    let mut server = server_that_comes_back();
    let ann = Page::signed_in(&server.url(), "ann").await;
    ann.talk_to("bob").await;
    server.kill9();
    ann.disconnected().await;
    // As many as there are IDs in reserve.
    let is_refused = "document.querySelector('#compose-error').textContent.includes('No more')";
    let mut written = 0;
    while ann.ask(is_refused).await != true {
        ann.write(&format!("offline {written}")).await;
        written += 1;
        assert!(written < 60, "no end to the reserve");
        let is_taken = format!(
            "document.querySelectorAll('#messages .message').length === {written} || {is_refused}"
        );
        ann.until("it to be taken or refused", &is_taken).await;
    }
    assert!(written > 20, "{written} IDs were in reserve");
    let kept = ann.ask("document.querySelector('#text').value").await;
    assert_eq!(kept, format!("offline {}", written - 1));
    ann.close().await;
}
