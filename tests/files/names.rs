//! Names that were made to lead elsewhere, to look like others, or to end a header.

use std::collections::BTreeSet;

use super::asker::{Asker, kept};
use super::ground::{place_of, stored};
use super::support::Server;

/// The one header that says how a file is saved: one parameter, or two, whose values hold nothing that could end them.
fn assert_safe(disposition: &str) {
    let (kind, rest) = disposition.split_once("; filename=\"").unwrap();
    assert!(["attachment", "inline"].contains(&kind), "{disposition:?}");
    let (plain, rest) = rest.split_once('"').unwrap();
    assert!(
        plain.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) && !plain.contains('\\'),
        "{disposition:?}"
    );
    let Some(encoded) = rest.strip_prefix("; filename*=UTF-8''") else {
        assert_eq!(rest, "", "{disposition:?}");
        return;
    };
    // RFC 8187 §3.2.1 would have `=` and `@` encoded, too; they end nothing.
    let is_attr = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`|~%=@".contains(c);
    assert!(encoded.chars().all(is_attr), "{disposition:?}");
}

/// The name that a browser saves under.
fn saved_as(disposition: &str) -> String {
    if let Some((_, encoded)) = disposition.split_once("filename*=UTF-8''") {
        let decoded = percent_encoding::percent_decode_str(encoded);
        return decoded.decode_utf8().expect("UTF-8").into_owned();
    }
    let plain = disposition.split('"').nth(1);
    plain.expect("a name").to_owned()
}

fn entries(server: &Server) -> BTreeSet<String> {
    let entries = std::fs::read_dir(server.directory()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // What SQLite has beside its file comes and goes.
    names.filter(|name| !name.contains("yanshu.db")).collect()
}

#[tokio::test]
async fn a_name_is_shown_and_saved_and_leads_nowhere() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let before = entries(&server);
    let long = format!("{}.jpeg.doc", "n".repeat(300));
    let long_kept = format!("{}.doc", "n".repeat(251));
    let mut places = Vec::new();
    for (name, kept_as) in [
        ("report.doc", "report.doc"),
        ("报告 最终.doc", "报告 最终.doc"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("C:\\a.doc", "a.doc"),
        ("..", "file"),
        ("a/..", "file"),
        (" . ", "file"),
        ("\0", "file"),
        ("a\0.doc", "a.doc"),
        ("a\u{1b}[31m\u{7f}\u{85}.doc", "a[31m.doc"),
        ("a\r\nX-Injected: 1\r\n\r\n<b>.doc", "aX-Injected: 1<b>.doc"),
        ("a\"; filename=\"b.exe", "a\"; filename=\"b.exe"),
        ("a;b=c,d'e.doc", "a;b=c,d'e.doc"),
        ("100%41.doc", "100%41.doc"),
        ("photo\u{202e}cod.exe", "photocod.exe"),
        ("\u{2066}a\u{2069}\u{200f}\u{feff}.doc", "a.doc"),
        ("קובץ.doc", "קובץ.doc"),
        ("👩‍🚀.doc", "👩‍🚀.doc"),
        (&long, &long_kept),
    ] {
        let headers = [("Content-Type", "application/x-own")];
        let file = kept(ann.upload_with(name, &headers, b"bytes").await);
        let given = file.answer["name"].as_str().unwrap();
        assert_eq!(given, kept_as, "{name:?}");
        let reply = ann.get(file.url()).await.assert_status(200);
        let all = reply.all("content-disposition");
        assert_eq!(all.len(), 1, "{}", reply.head);
        assert_safe(all[0]);
        assert_eq!(saved_as(all[0]), kept_as, "{name:?}");
        assert!(reply.all("x-injected").is_empty(), "{}", reply.head);
        assert_eq!(reply.body, b"bytes");
        places.push(place_of(file.id()));
    }
    places.sort();
    assert_eq!(stored(&server), places);
    assert_eq!(entries(&server), before);
}

#[tokio::test]
async fn a_long_name_ends_at_a_character_and_keeps_its_ending() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for (stem, ending) in [("长", ".jpeg"), ("é", ".tar"), ("👍", ".x"), ("a", "")] {
        let file = ann
            .keep(&format!("{}{ending}", stem.repeat(300)), b"x")
            .await;
        let name = file.answer["name"].as_str().unwrap();
        assert!((248..=255).contains(&name.len()), "{} bytes", name.len());
        let shown = name.strip_suffix(ending).expect("its ending stays");
        assert!(shown.replace(stem, "").is_empty(), "{name}");
        let reply = ann.get(file.url()).await.assert_status(200);
        let disposition = reply.header("content-disposition").unwrap();
        assert_safe(disposition);
        assert_eq!(saved_as(disposition), name);
    }
}

#[tokio::test]
async fn a_name_that_is_no_text_is_refused_or_replaced() {
    let server = Server::start();
    let nobody = Asker::nobody(server.node(0));
    for name in ["%ff%fe", "%c3", "a%ed%a0%80.doc", "%", "%zz"] {
        let path = format!("/files?fromId=ann&name={name}");
        let reply = nobody.ask(("POST", &path), &[], Some(b"x")).await;
        if reply.status == 400 {
            reply.assert_is(400, "bad_request");
            continue;
        }
        let file = kept(reply);
        let ann = Asker::at(server.node(0), "ann");
        let reply = ann.get(file.url()).await.assert_status(200);
        assert_safe(reply.header("content-disposition").unwrap());
    }
}
