//! The files of a certificate: which are taken, and what comes of replacing them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, date_time_ymd};

use super::certificates::{Files, NAME, Pair, connect, replace, shown, trusting};
use super::support::server::run;
use super::support::{Client, DEADLINE, Server};
use super::tokens::{key_file, with_secret};

/// Polls until `holds`.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_logged(server: &Server, text: &str) {
    let what = format!("a line with {text}");
    until(&what, async || server.node(0).log().contains(text)).await;
}

/// Two users who write to each other until they are told to stop, and miss nothing.
async fn chat(mut one: Client, mut two: Client, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..2 {
            let (from, to) = (one.user().to_owned(), two.user().to_owned());
            let id = one.deliver(&to, "still here").await;
            two.expect_message(&from, &to, &id, "still here").await;
            two.read(&id, &from).await;
            one.expect_status(&to, &from, &id, 2).await;
            std::mem::swap(&mut one, &mut two);
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_under_load_and_no_connection_and_no_frame_is_lost() {
    const CHATS: usize = 4;
    let (old, new) = (Pair::new(), Pair::new());
    let files = Files::of(&old);
    let server = files.serve(&[&with_secret()]);
    let trust = trusting(&[&old, &new]);
    let stop = Arc::new(AtomicBool::new(false));
    let mut chats = Vec::new();
    for number in 0..CHATS {
        let one = connect(server.node(0), &trust, &format!("one-{number}")).await;
        let two = connect(server.node(1), &trust, &format!("two-{number}")).await;
        let count = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(chat(one, two, Arc::clone(&stop), Arc::clone(&count)));
        chats.push((task, count));
    }
    let more = async |what: &str| {
        for (_, count) in &chats {
            let target = count.load(Ordering::Relaxed) + 3;
            until(what, async || count.load(Ordering::Relaxed) >= target).await;
        }
    };
    for (next, before) in [(&new, &old), (&old, &new)] {
        more("the conversations to go on").await;
        assert_eq!(shown(server.node(0), &trust).await, before.first);
        files.put(next);
        for node in server.nodes() {
            until("the new certificate", async || {
                shown(node, &trust).await == next.first
            })
            .await;
        }
        more("the conversations to go on").await;
    }
    stop.store(true, Ordering::Relaxed);
    for (task, _) in chats {
        task.await.expect("no conversation has missed anything");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_that_is_not_whole_is_not_taken_and_is_told_of_once() {
    let (old, new) = (Pair::new(), Pair::new());
    let files = Files::of(&old);
    let server = files.serve(&[]);
    let node = server.node(0);
    let trust = trusting(&[&old, &new]);

    replace(&files.certificate(), &new.chain);
    until_logged(&server, "does not fit").await;
    assert_eq!(shown(node, &trust).await, old.first);
    replace(&files.key(), &new.key);
    until("the new pair", async || {
        shown(node, &trust).await == new.first
    })
    .await;

    // In place, as an editor or a careless script does it, and cut in the middle.
    fs::write(files.certificate(), &old.chain[..old.chain.len() / 3]).unwrap();
    until_logged(&server, "holds no certificate").await;
    assert_eq!(shown(node, &trust).await, new.first);
    fs::write(files.certificate(), &new.chain).unwrap();
    fs::write(files.key(), "rubbish").unwrap();
    until_logged(&server, "holds no private key").await;
    fs::remove_file(files.key()).unwrap();
    until_logged(&server, "cannot be read").await;
    assert_eq!(shown(node, &trust).await, new.first);

    files.put(&old);
    until("the old pair", async || {
        shown(node, &trust).await == old.first
    })
    .await;
    let log = node.log();
    for why in ["does not fit", "holds no private key", "cannot be read"] {
        let lines = log.lines().filter(|line| line.contains(why));
        // The last two replacements may each be met half done.
        assert!((1..=3).contains(&lines.count()), "{why}: {log}");
    }
    assert!(!log.contains("PRIVATE KEY"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pair_that_stays_is_told_of_once() {
    let (old, new) = (Pair::new(), Pair::new());
    let files = Files::of(&old);
    let server = files.serve(&[]);
    let node = server.node(0);
    replace(&files.certificate(), &new.chain);
    until_logged(&server, "does not fit").await;
    // Another file, the same reason; then a reason of its own, which proves that it was looked at.
    replace(&files.certificate(), &Pair::new().chain);
    fs::write(files.key(), "rubbish").unwrap();
    until_logged(&server, "holds no private key").await;
    let told = node.log().matches("does not fit").count();
    assert_eq!(told, 1, "{}", node.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_each_kind_and_form_are_served() {
    for (pair, form) in [
        (Pair::for_rsa(), "rsa.pem"),
        (Pair::for_rsa(), "rsa-pkcs1.pem"),
        (Pair::for_ec(), "ec.pem"),
        (Pair::for_ec(), "ec-sec1.pem"),
    ] {
        let files = Files::of(&pair);
        fs::copy(key_file(form), files.key()).unwrap();
        let server = files.serve(&[&with_secret()]);
        let mut client = connect(server.node(0), &trusting(&[&pair]), "ann").await;
        client.ids().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_out_of_date_is_served_with_a_warning() {
    for (from, to, what) in [
        (2000, 2001, "has expired"),
        (2400, 2401, "is not valid yet"),
    ] {
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let server = Files::of(&Pair::with(params)).serve(&[]);
        until_logged(&server, what).await;
    }
}

fn refusal(flags: &[String]) -> String {
    let mut all = vec!["serve", "--listen=127.0.0.1:0"];
    all.extend(flags.iter().map(String::as_str));
    let ended = run(&all);
    assert!(!ended.status.success(), "{ended:?}");
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "one sentence: {ended:?}");
    lines[0]
        .strip_prefix("yanshu: ")
        .expect("a sentence")
        .to_owned()
}

#[test]
fn files_that_cannot_be_served_stop_the_start_with_a_sentence() {
    let pair = Pair::for_ec();
    let files = Files::of(&pair);
    let (certificate, key) = (files.certificate(), files.key());
    let chain = pair.chain.clone();
    let says = |certificate: &str, key: &str| {
        fs::write(files.certificate(), certificate).unwrap();
        fs::write(files.key(), key).unwrap();
        refusal(&files.flags())
    };
    let keys = |name: &str| fs::read_to_string(key_file(name)).unwrap();
    let cases = [
        (says("", &pair.key), "--tls-cert: ", "holds no certificate"),
        (
            says(&pair.key, &pair.key),
            "--tls-cert: ",
            "holds no certificate",
        ),
        (
            says(&chain[..chain.len() - 40], &pair.key),
            "--tls-cert: ",
            "one that is broken",
        ),
        (says(&chain, ""), "--tls-key: ", "holds no private key"),
        (says(&chain, &chain), "--tls-key: ", "holds no private key"),
        (
            says(&chain, &keys("rsa.pem")),
            "--tls-key: ",
            "does not fit",
        ),
        (
            says(&chain, &keys("ec.pub.pem")),
            "--tls-key: ",
            "holds no private key",
        ),
        (
            says(&chain, &keys("ec-encrypted.pem")),
            "--tls-key: ",
            "encrypted",
        ),
        (
            says(&chain, &keys("rsa-pkcs1-encrypted.pem")),
            "--tls-key: ",
            "encrypted",
        ),
        (
            says(&"x".repeat(2 << 20), &pair.key),
            "--tls-cert: ",
            "bytes",
        ),
    ];
    for (sentence, flag, why) in cases {
        assert!(sentence.starts_with(flag), "{sentence}");
        assert!(sentence.contains(why), "{sentence}");
        assert!(!sentence.contains("PRIVATE"), "{sentence}");
    }
    fs::remove_file(&certificate).unwrap();
    let sentence = refusal(&files.flags());
    let shown = certificate.display().to_string();
    assert!(
        sentence.contains(&shown) && sentence.contains("cannot be read"),
        "{sentence}"
    );
    fs::write(&certificate, &chain).unwrap();
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    assert!(refusal(&files.flags()).contains("cannot be read"));
    for flag in files.flags() {
        let sentence = refusal(std::slice::from_ref(&flag));
        assert!(sentence.contains("--tls-"), "{sentence}");
    }
}
