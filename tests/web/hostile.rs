//! Messages and pages that mean harm.

use super::page::{Page, send_all};
use super::support::{Client, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_full_of_html_and_script_shows_as_text() {
    let server = Server::start();
    let hostile = [
        "<script>window.hurt = true</script>",
        "<img src=x onerror='window.hurt = true'>",
        "\"><svg onload=window.hurt=true>",
        "javascript:window.hurt=true",
        "https://a.example/\"onmouseover=\"window.hurt=true",
        "\u{202e}drow a ot pu skcab\u{2066}",
        "{{constructor.constructor('window.hurt=true')()}}",
    ]
    .map(str::to_owned);
    let mut bob = Client::connect(&server, "bob").await;
    send_all(&mut bob, "ann", &hostile).await;
    let ann = Page::signed_in(&server.node(1).url(), "ann").await;
    ann.talk_to("bob").await;
    ann.shown(&hostile[6]).await;
    assert_eq!(ann.texts().await, hostile);
    assert_eq!(ann.ask("window.hurt === undefined").await, true);
    let inside = "[...document.querySelectorAll('.content *')].map((inside) => inside.outerHTML)";
    let link = "<a href=\"https://a.example/&quot;onmouseover=&quot;window.hurt=true\" target=\"_blank\" \
                rel=\"noopener noreferrer\">https://a.example/\"onmouseover=\"window.hurt=true</a>";
    assert_eq!(ann.ask(inside).await, serde_json::json!([link]));
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_cannot_connect() {
    let server = Server::start();
    let page = Page::open(&server.url()).await;
    // What is no page of ours has no policy of ours, and may try.
    let port = server.port();
    let tries = format!(
        "const socket = new WebSocket('ws://127.0.0.1:{port}/ws'); \
         socket.onopen = () => done('open'); socket.onclose = () => done('closed');"
    );
    page.go(&format!("http://evil.localhost:{port}/health"))
        .await;
    assert_eq!(page.run(&tries).await, "closed");
    // The same page under a name of the server's own may.
    page.go(&format!("http://localhost:{port}/health")).await;
    assert_eq!(page.run(&tries).await, "open");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_page_speaks_with_its_own_server_alone() {
    let server = Server::start();
    let other = Server::start();
    let page = Page::open(&server.url()).await;
    let tries = format!(
        "addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective)); \
         try {{ new WebSocket('ws://127.0.0.1:{}/ws'); }} catch {{}}",
        other.port()
    );
    assert_eq!(page.run(&tries).await, "connect-src");
    page.close().await;
}
