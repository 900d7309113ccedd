//! What calls a person back to the page.

use serde_json::json;

use super::away::{give_network, sign_in_with_a_network, take_network};
use super::page::{Page, send_all};
use super::support::{Client, Server};

/// A desktop that allows notifications and keeps them, and a person who looks elsewhere.
const ELSEWHERE: &str = "
    window.noticed = [];
    // Of two with the same tag, the second one is silent.
    window.tags = new Set();
    window.Notification = class {
        static permission = 'granted';
        constructor(title, { body, tag }) {
            if (!window.tags.has(tag)) window.noticed.push([title, body]);
            window.tags.add(tag);
        }
    };
    document.hasFocus = () => false;
    done();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_elsewhere_is_told_once_of_what_is_new_and_of_nothing_they_saw_on_another_device()
{
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    send_all(&mut bob, "ann", &["old".to_owned()]).await;
    let ann = Page::open(&server.node(1).url()).await;
    sign_in_with_a_network(&ann, "ann").await;
    ann.run(ELSEWHERE).await;
    ann.until(
        "the old one to be counted",
        "document.title.startsWith('(1)')",
    )
    .await;
    // What comes right after a connect may be old: it is counted, and nobody is called. How long that is, the
    // page alone knows: one message after another, until one calls.
    let mut sent = 0;
    while ann.ask("window.noticed.length").await == 0 {
        sent += 1;
        send_all(&mut bob, "ann", &[format!("new {sent}")]).await;
        ann.run("setTimeout(done, 1500);").await;
        assert!(sent < 10, "nothing called");
    }
    let called = json!([["bob", format!("new {sent}")]]);
    assert_eq!(ann.ask("window.noticed").await, called);

    // Another device sees the next one at once: this one need not call.
    let mut phone = Client::connect(&server, "ann").await;
    let ids = bob.ids().await;
    bob.message(&ids[0], "ann", "seen").await;
    loop {
        let frame = phone.next().await;
        if frame["chatMsg"]["id"] == *ids[0] && frame["action"] == "3" {
            break;
        }
    }
    phone.read(&ids[0], "bob").await;
    send_all(&mut bob, "ann", &["and this".to_owned()]).await;
    ann.until("the next call", "window.noticed.length === 2")
        .await;
    assert_eq!(
        ann.ask("window.noticed[1]").await,
        json!(["bob", "and this"])
    );

    // Of what came while there was no network, one call tells; not of what was counted before.
    take_network(&ann).await;
    let missed = ["one", "two", "three"].map(str::to_owned);
    send_all(&mut bob, "ann", &missed).await;
    give_network(&ann).await;
    ann.until("the next call", "window.noticed.length === 3")
        .await;
    send_all(&mut bob, "ann", &["four".to_owned()]).await;
    ann.until("the next call", "window.noticed.length === 4")
        .await;
    take_network(&ann).await;
    give_network(&ann).await;
    send_all(&mut bob, "ann", &["five".to_owned()]).await;
    ann.until("the last call", "window.noticed.length === 5")
        .await;
    let last = json!([["bob", "three"], ["bob", "four"], ["bob", "five"]]);
    assert_eq!(ann.ask("window.noticed.slice(2)").await, last);
    ann.close().await;
}
