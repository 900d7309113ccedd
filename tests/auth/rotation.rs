//! Keys that change while the server runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::{Jwk, JwkSet};

use super::support::{DEADLINE, Server, frames};
use super::tokens::{Signer, claims, key_file, open, sign_with};

/// A set of these public keys, by algorithm, private key and `kid`.
fn set(keys: &[(Algorithm, &str, &str)]) -> String {
    let keys = keys.iter().map(|(algorithm, file, id)| {
        let pem = fs::read(key_file(file)).expect("a key of these tests");
        let key = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(&pem),
            Algorithm::ES256 => EncodingKey::from_ec_pem(&pem),
            _ => EncodingKey::from_ed_pem(&pem),
        };
        let key = key.expect("a private key of these tests");
        let mut jwk = Jwk::from_encoding_key(&key, *algorithm).expect("it has a public part");
        jwk.common.key_id = Some((*id).to_owned());
        jwk
    });
    let set = JwkSet {
        keys: keys.collect(),
    };
    serde_json::to_string(&set).expect("it is JSON")
}

/// Puts a file in the place of another at once, as tools do that rotate keys.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("it can be written");
    fs::rename(&new, path).expect("it can be moved");
}

/// What comes of a connect frame with this token: an answer, or the code of the close.
async fn comes_in(server: &Server, signer: Signer) -> Result<(), u16> {
    let mut client = open(server, &sign_with(&claims("ann"), signer)).await;
    client.try_send(frames::connect("ann")).await;
    let frame = client.next_or_close().await?;
    assert_eq!(frame, frames::connected_text("ann"));
    client.close().await;
    Ok(())
}

async fn until(server: &Server, signer: Signer, expected: Result<(), u16>) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while comes_in(server, signer).await != expected {
        assert!(
            std::time::Instant::now() < deadline,
            "the keys were not read again"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const OLD: Signer = Signer::Named(Algorithm::RS256, "rsa.pem", "old");
const NEW: Signer = Signer::Named(Algorithm::ES256, "ec.pem", "new");
const UNNAMED: Signer = Signer::Key(Algorithm::ES256, "ec.pem");
const MISNAMED: Signer = Signer::Named(Algorithm::ES256, "ec.pem", "old");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_set_come_and_go_without_a_restart_and_sessions_live_on() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("keys.json");
    let (old, new) = (
        (Algorithm::RS256, "rsa.pem", "old"),
        (Algorithm::ES256, "ec.pem", "new"),
    );
    fs::write(&path, set(&[old])).unwrap();
    let server = Server::with(&[&format!("--jwt-public-key={}", path.display())]);
    assert_eq!(comes_in(&server, OLD).await, Ok(()));
    assert_eq!(comes_in(&server, NEW).await, Err(4401));
    let mut bob = open(&server, &sign_with(&claims("bob"), OLD)).await;
    bob.connect_as("bob").await;

    replace(&path, &set(&[old, new]));
    until(&server, NEW, Ok(())).await;
    assert_eq!(comes_in(&server, OLD).await, Ok(()), "both at once");
    assert_eq!(
        comes_in(&server, UNNAMED).await,
        Ok(()),
        "any key may have signed it"
    );
    assert_eq!(
        comes_in(&server, MISNAMED).await,
        Err(4401),
        "the key is another's"
    );

    replace(&path, &set(&[new]));
    until(&server, OLD, Err(4401)).await;
    assert_eq!(comes_in(&server, NEW).await, Ok(()));

    // A file that cannot be used, or that is gone for a moment, changes nothing.
    replace(&path, "rubbish");
    until_logged(&server, "stay as they are").await;
    assert_eq!(comes_in(&server, NEW).await, Ok(()));
    replace(&path, &set(&[old]));
    until(&server, OLD, Ok(())).await;
    bob.ids().await;
}

async fn until_logged(server: &Server, text: &str) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !server.node(0).log().contains(text) {
        assert!(std::time::Instant::now() < deadline, "no line with {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
