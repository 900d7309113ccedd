//! Pages of other sites, and names of the server that are not its own.

use super::asker::Asker;
use super::ground::assert_nothing;
use super::support::Server;
use super::wire::Reply;

const APP: &str = "https://app.example";
const EVIL: &str = "https://evil.example";

async fn preflight(asker: &Asker, path: &str, origin: &str, method: &str) -> Reply {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        (
            "Access-Control-Request-Headers",
            "authorization,content-type,if-none-match,range",
        ),
    ];
    asker.ask(("OPTIONS", path), &headers, None).await
}

fn allowed(reply: &Reply) -> Option<&str> {
    reply.header("access-control-allow-origin")
}

#[tokio::test]
async fn an_open_server_takes_and_gives_no_files_under_names_of_others() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for header in [
        ("Host", "evil.example"),
        ("Host", "127.0.0.1.evil.example"),
        ("Origin", EVIL),
        ("Origin", "null"),
    ] {
        let refused = ann.upload_with("a", &[header], b"bytes").await;
        let refused = refused.assert_is(403, "forbidden");
        assert_eq!(allowed(&refused), None, "{header:?}");
    }
    assert_nothing(&server);
    let file = ann.keep("a", b"bytes").await;
    for header in [
        ("Host", "evil.example"),
        ("Origin", EVIL),
        ("Origin", "null"),
    ] {
        for path in [file.url(), &file.thumbnail()] {
            let refused = ann.get_with(path, &[header]).await;
            let refused = refused.assert_is(403, "forbidden");
            assert_eq!(allowed(&refused), None, "{header:?}");
            assert!(!refused.body.windows(5).any(|part| part == b"bytes"));
        }
    }
    let own = server.node(0).url();
    let reply = ann.get_with(file.url(), &[("Origin", &own)]).await;
    assert_eq!(reply.assert_status(200).body, b"bytes");
    let taken = ann.upload_with("a", &[("Origin", &own)], b"bytes").await;
    taken.assert_status(201);
}

#[tokio::test]
async fn pages_of_origins_that_are_listed_may_and_are_told_so() {
    let server = Server::with(&[&format!("--allowed-origin={APP}")]);
    let ann = Asker::at(server.node(0), "ann");
    for (path, method) in [
        ("/files", "POST"),
        ("/files/00ff00000000000000000000000000aa", "GET"),
        ("/files/00ff00000000000000000000000000aa/thumbnail", "GET"),
    ] {
        let reply = preflight(&ann, path, APP, method).await;
        assert!((200..300).contains(&reply.status), "{}", reply.head);
        assert_eq!(allowed(&reply), Some(APP), "{}", reply.head);
        let methods = reply.header("access-control-allow-methods").unwrap();
        assert!(methods.contains(method), "{methods}");
        let headers = reply.header("access-control-allow-headers").unwrap();
        let headers = headers.to_ascii_lowercase();
        for header in ["authorization", "content-type", "if-none-match", "range"] {
            assert!(headers.contains(header), "{headers}");
        }
        let reply = preflight(&ann, path, EVIL, method).await;
        assert_eq!(allowed(&reply), None, "{}", reply.head);
    }
    assert_nothing(&server);
    let from_app = [("Origin", APP)];
    let reply = ann.upload_with("a.doc", &from_app, b"bytes").await;
    let reply = reply.assert_status(201);
    assert_eq!(allowed(&reply), Some(APP), "{}", reply.head);
    let exposed = reply.header("access-control-expose-headers").unwrap();
    let exposed = exposed.to_ascii_lowercase();
    for header in ["location", "etag", "content-range", "content-disposition"] {
        assert!(exposed.contains(header), "{exposed}");
    }
    let url = reply.json()["url"].as_str().unwrap().to_owned();
    let reply = ann.get_with(&url, &from_app).await.assert_status(200);
    assert_eq!(allowed(&reply), Some(APP), "{}", reply.head);
    let varies = reply.all("vary").join(",").to_ascii_lowercase();
    assert!(varies.contains("origin"), "{}", reply.head);
    // What is refused says so to the page, too.
    let eve = Asker::at(server.node(0), "eve");
    let reply = eve.get_with(&url, &from_app).await;
    let reply = reply.assert_is(404, "unknown_file");
    assert_eq!(allowed(&reply), Some(APP), "{}", reply.head);
    for other in [EVIL, "http://app.example", "https://app.example:8443"] {
        let refused = ann.get_with(&url, &[("Origin", other)]).await;
        let refused = refused.assert_status(403);
        assert_eq!(allowed(&refused), None, "{other}");
        let refused = ann.upload_with("a", &[("Origin", other)], b"x").await;
        assert_eq!(allowed(&refused.assert_status(403)), None, "{other}");
    }
}

#[tokio::test]
async fn with_tokens_pages_of_other_sites_may_not_even_with_a_good_one() {
    let secret = "a secret of thirty-two bytes or more";
    let server = Server::with(&[&format!("--jwt-secret={secret}")]);
    let minted = super::support::command::run(&["token", "ann", "--jwt-secret", secret]);
    let ann = Asker::nobody(server.node(0)).showing(minted.stdout.trim());
    for origin in [EVIL, "http://localhost:3000", "null"] {
        let refused = ann.upload_with("a", &[("Origin", origin)], b"bytes").await;
        let refused = refused.assert_status(403);
        assert_eq!(allowed(&refused), None, "{origin}");
        let reply = preflight(&ann, "/files", origin, "POST").await;
        assert_eq!(allowed(&reply), None, "{}", reply.head);
    }
    assert_nothing(&server);
    let own = server.node(0).url();
    let taken = ann.upload_with("a", &[("Origin", &own)], b"bytes").await;
    taken.assert_status(201);
}
