//! What calls a person back to the page.

use serde_json::json;

use super::page::{Page, send_all};
use super::support::{Client, Server};

/// A desktop that allows notifications and keeps them, and a person who looks elsewhere.
const ELSEWHERE: &str = "
    window.noticed = [];
    window.Notification = class {
        static permission = 'granted';
        constructor(title, { body }) { window.noticed.push([title, body]); }
    };
    document.hasFocus = () => false;
    done();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_elsewhere_is_told_once_of_what_is_new_and_of_nothing_they_saw_on_another_device()
{
    let server = Server::start();
    let mut bob = Client::connect(&server, "bob").await;
    send_all(&mut bob, "ann", &["old".to_owned()]).await;
    let ann = Page::signed_in(&server.node(1).url(), "ann").await;
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
    ann.close().await;
}
