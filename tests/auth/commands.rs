//! The settings of tokens, and the command that makes one.

use super::support::Server;
use super::support::server::{Ended, run, run_with_env};
use super::tokens::{SECRET, key_file, open, with_secret};

fn sentence(ended: &Ended) -> String {
    assert!(!ended.status.success(), "{ended:?}");
    assert!(
        !ended.stderr.contains(SECRET),
        "the secret is not shown: {ended:?}"
    );
    let last = ended.stderr.lines().last().unwrap_or_default();
    last.strip_prefix("yanshu: ")
        .expect("a sentence")
        .to_owned()
}

fn refusal(arguments: &[&str]) -> String {
    let mut all = vec!["serve", "--listen=127.0.0.1:0"];
    all.extend(arguments);
    sentence(&run(&all))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_command_makes_is_taken() {
    let made = run_with_env(
        &[
            "token",
            "HK0001",
            "--ttl=1h",
            "--name=雁",
            "--jwt-audience=yanshu",
        ],
        &[("YANSHU_JWT_SECRET", SECRET)],
    );
    assert!(made.status.success(), "{made:?}");
    let server = Server::with(&[&with_secret(), "--jwt-audience=yanshu"]);
    let mut client = open(&server, made.stdout.trim_end()).await;
    client.connect_as("HK0001").await;
}

#[test]
fn a_token_needs_a_secret_a_user_and_a_time() {
    for arguments in [
        &["token", "HK0001"][..],
        &["token", "HK 0001", "--jwt-secret=x"],
        &["token", "HK0001", "--jwt-secret="],
        &["token", "HK0001", "--jwt-secret=x", "--ttl=5"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    }
}

#[test]
fn a_file_without_a_key_to_use_stops_the_start_with_a_sentence() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("key");
    let secret_set = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    let encryption = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","use":"enc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let no_key = "holds no public key";
    let private = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}"#;
    let short_ed = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKx"}]}"#;
    let short_ec = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}"#;
    let short_rsa = r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#;
    for (text, says) in [
        ("", no_key),
        ("rubbish", no_key),
        ("{}", no_key),
        (r#"{"keys":[]}"#, no_key),
        (secret_set, no_key),
        (encryption, no_key),
        (short_ed, no_key),
        (short_ec, no_key),
        (short_rsa, no_key),
        (private, "holds a private key"),
        (
            &std::fs::read_to_string(key_file("ec384.pub.pem")).unwrap(),
            no_key,
        ),
        (
            &std::fs::read_to_string(key_file("rsa.pem")).unwrap(),
            "holds a private key",
        ),
        (&"x".repeat(2 << 20), "no file of keys"),
    ] {
        std::fs::write(&path, text).unwrap();
        let flag = format!("--jwt-public-key={}", path.display());
        let sentence = refusal(&[&flag]);
        assert!(sentence.contains(says), "{sentence}");
    }
    let sentence = refusal(&["--jwt-public-key=/nowhere/key.pem"]);
    assert!(
        sentence.contains("/nowhere/key.pem cannot be read"),
        "{sentence}"
    );
}

#[test]
fn settings_that_make_no_sense_together_are_refused() {
    let both = refusal(&[&with_secret(), "--jwt-public-key=key.pem"]);
    assert!(both.contains("cannot be used with"), "{both}");
    let alone = refusal(&["--jwt-audience=yanshu"]);
    assert!(alone.contains("--jwt-audience"), "{alone}");
    for origin in [
        "chat.example",
        "https://",
        "https://*.example",
        "https://a/b",
        "ws://a",
    ] {
        let flag = format!("--allowed-origin={origin}");
        assert!(refusal(&[&flag]).contains("origin"), "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tokens_a_server_listens_beyond_loopback_and_does_not_say_that_it_is_open() {
    let server = Server::with(&[&with_secret(), "--listen=0.0.0.0:0"]);
    assert!(!server.node(0).log().contains("open mode"));
}
