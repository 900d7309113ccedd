//! How the page is served.

use super::support::{Server, http};

const POLICY: &str = "content-security-policy: default-src 'none'; script-src 'self';";

#[tokio::test]
async fn the_page_comes_out_of_the_binary_with_a_strict_policy() {
    let server = Server::start();
    for (path, kind) in [
        ("/", "text/html"),
        ("/web/app.js", "text/javascript"),
        ("/web/style.css", "text/css"),
        ("/web/icon.svg", "image/svg+xml"),
        ("/web/config.json", "application/json"),
    ] {
        let answer = http::get(&server, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let head = answer.head.to_lowercase();
        assert!(head.contains(POLICY), "{path}: {head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        assert!(head.contains(&format!("content-type: {kind}")), "{head}");
    }
    let answer = http::get(&server, "/web/config.json").await;
    assert_eq!(answer.body, r#"{"files":{"max":104857600},"tokens":false}"#);
    let without = Server::with(&["--file-store=off"]);
    let answer = http::get(&without, "/web/config.json").await;
    assert_eq!(answer.body, r#"{"files":null,"tokens":false}"#);
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_told_so() {
    let server = Server::start();
    let answer = http::get(&server, "/web/yanshu.js").await;
    let tag = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("etag: "));
    let tag = tag.expect("it has a tag").to_owned();
    for known in [tag.as_str(), "*", &format!("\"else\", W/{tag}")] {
        let headers = [("If-None-Match", known)];
        let again = http::send_at(server.port(), ("GET", "/web/yanshu.js"), &headers, "").await;
        assert_eq!(again.status, 304, "{known}");
        assert_eq!(again.body, "");
    }
    let headers = [("If-None-Match", "\"else\"")];
    let other = http::send_at(server.port(), ("GET", "/web/yanshu.js"), &headers, "").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_nothing_else_is_shown() {
    let server = Server::start();
    for path in [
        "/web/",
        "/web/none.js",
        "/web/../Cargo.toml",
        "/web/%2e%2e/Cargo.toml",
        "/web/..%2fCargo.toml",
        "/web//etc/passwd",
        "/web/ui",
        "/index.html",
    ] {
        assert_eq!(http::get(&server, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_open_server_shows_its_page_under_its_own_names_only() {
    let server = Server::start();
    let request = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = http::request(&server, request).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("--allowed-host"), "{}", answer.body);
}
