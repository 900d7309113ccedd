//! Signing in and out.

use super::page::Page;
use super::support::Server;
use super::support::command::run;

pub const SECRET: &str = "--jwt-secret=0123456789abcdef0123456789abcdef";

pub fn token(user: &str) -> String {
    run(&["token", user, SECRET]).stdout.trim().to_owned()
}

/// Signs in with a token.
pub async fn show(page: &Page, user: &str, token: &str) {
    page.until("to be asked", "!document.querySelector('#sign-in').hidden")
        .await;
    page.fill("#user-id", user).await;
    page.fill("#token", token).await;
    page.click("#sign-in-form button").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_tokens_asks_for_one_and_says_what_is_wrong_with_it() {
    let server = Server::with(&[SECRET]);
    let page = Page::open(&server.node(0).url()).await;
    let says = |what: &str| {
        format!("document.querySelector('#sign-in-error').textContent.includes('{what}')")
    };
    show(&page, "ann", "no.such.token").await;
    page.until("the reason", &says("wrong or has expired"))
        .await;
    show(&page, "ann", &token("bob")).await;
    page.until("the reason", &says("token")).await;
    show(&page, "ann", &token("ann")).await;
    page.connected().await;
    // A reload does not ask again; another tab of the browser does.
    page.client.refresh().await.expect("it reloads");
    page.connected().await;
    let who = "document.querySelector('#who').textContent";
    assert_eq!(page.ask(who).await, "ann");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_out_leaves_nothing_on_the_page_for_the_next() {
    let server = Server::start();
    let page = Page::signed_in(&server.node(0).url(), "ann").await;
    page.talk_to("bob").await;
    page.write("secret").await;
    page.ticked("secret", "stored").await;
    page.fill("#text", "half a thought").await;
    page.click("#open-settings").await;
    page.click("#sign-out").await;
    page.sign_in("carl").await;
    let is_left = "document.body.textContent.includes('secret') || location.hash !== '' \
                   || document.querySelector('#text').value !== '' \
                   || Object.values(sessionStorage).join().includes('thought')";
    assert_eq!(page.ask(is_left).await, false);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_half_written_is_there_after_a_reload_and_in_its_own_conversation() {
    let server = Server::start();
    let page = Page::signed_in(&server.node(0).url(), "ann").await;
    page.talk_to("bob").await;
    page.fill("#text", "half a thought").await;
    page.talk_to("carl").await;
    assert_eq!(page.ask("document.querySelector('#text').value").await, "");
    page.client.refresh().await.expect("it reloads");
    page.connected().await;
    page.talk_to("bob").await;
    let kept = page.ask("document.querySelector('#text').value").await;
    assert_eq!(kept, "half a thought");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_speaks_chinese_and_english_and_keeps_what_was_chosen() {
    let server = Server::start();
    let page = Page::open(&server.node(0).url()).await;
    page.sign_in("ann").await;
    page.click("#open-settings").await;
    for (language, word) in [("zh", "设置"), ("en", "Settings")] {
        page.ask(&format!(
            "(document.querySelector('#language').value = '{language}', \
              document.querySelector('#language').dispatchEvent(new Event('change')))"
        ))
        .await;
        let title = "document.querySelector('#settings-title').textContent";
        assert_eq!(page.ask(title).await, word);
        assert_eq!(page.ask("document.documentElement.lang").await, language);
    }
    page.ask(
        "(document.querySelector('#theme').value = 'dark', \
          document.querySelector('#theme').dispatchEvent(new Event('change')))",
    )
    .await;
    page.client.refresh().await.expect("it reloads");
    page.connected().await;
    assert_eq!(page.ask("document.documentElement.lang").await, "en");
    let scheme = "getComputedStyle(document.documentElement).colorScheme";
    assert_eq!(page.ask(scheme).await, "dark");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_chosen_works_from_the_keyboard_alone() {
    use fantoccini::key::Key;
    let server = Server::start();
    let page = Page::signed_in(&server.node(0).url(), "ann").await;
    // Whoever has signed in is where one looks for somebody.
    assert_eq!(page.ask("document.activeElement.id").await, "find-text");
    page.talk_to("bob").await;
    page.until("the field", "document.activeElement.id === 'text'")
        .await;
    page.write("hello").await;
    page.ticked("hello", "stored").await;
    page.press("#text", Key::Escape).await;
    page.until("the list", "location.hash === ''").await;
    let is_focused = "document.activeElement.closest('li')?.dataset.peer === 'bob'";
    page.until("the row to have the focus", is_focused).await;
    page.close().await;
}
