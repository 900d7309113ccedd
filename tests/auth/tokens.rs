//! Tokens of every kind, right and wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::support::{Client, Server};

/// The secret of servers that take HS256.
pub const SECRET: &str = "a secret of thirty-two bytes or more";

/// The flag for it.
pub fn with_secret() -> String {
    format!("--jwt-secret={SECRET}")
}

/// A file of `keys/`.
pub fn key_file(name: &str) -> String {
    format!("{}/tests/auth/keys/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn key(name: &str) -> Vec<u8> {
    std::fs::read(key_file(name)).expect("a key of these tests can be read")
}

/// So many seconds from now.
pub fn after(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("it is after 1970").as_secs()).unwrap() + seconds
}

/// What a good token says of this user.
pub fn claims(user: &str) -> Value {
    json!({"sub": user, "exp": after(3600)})
}

/// What a good token says, and something more, or something else.
pub fn claims_with(user: &str, more: &Value) -> Value {
    let mut claims = claims(user);
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// Opens the WebSocket with this token in a header, as a mobile client does, and sends nothing.
pub async fn open(server: &Server, token: &str) -> Client {
    let bearer = format!("Bearer {token}");
    let opened = Client::open_with(server.node(0), &[("Authorization", &bearer)]).await;
    opened.expect("it is upgraded").0
}

/// Opens the WebSocket with this token and connects as its user.
pub async fn connect(server: &Server, user: &str, token: &str) -> Client {
    let mut client = open(server, token).await;
    client.connect_as(user).await;
    client
}

/// Signed with [`SECRET`].
pub fn sign(claims: &Value) -> String {
    sign_with(claims, Signer::Secret(SECRET))
}

/// A good token for this user.
pub fn token(user: &str) -> String {
    sign(&claims(user))
}

/// Who signs.
#[derive(Clone, Copy)]
pub enum Signer {
    /// HS256 with this secret.
    Secret(&'static str),
    /// Another algorithm of the same family, with the right secret.
    Hs512,
    /// A private key of `keys/`.
    Key(Algorithm, &'static str),
    /// The same, with a `kid`.
    Named(Algorithm, &'static str, &'static str),
    /// HS256 with what is in this file as the secret: who takes the algorithm from the token takes its public
    /// key for one.
    PublicAsSecret(&'static str),
    /// Nobody: `"alg":"none"`.
    Nobody,
}

/// Signs these claims.
pub fn sign_with(claims: &Value, signer: Signer) -> String {
    let (header, key) = match signer {
        Signer::Secret(secret) => (
            Header::default(),
            EncodingKey::from_secret(secret.as_bytes()),
        ),
        Signer::Hs512 => (
            Header::new(Algorithm::HS512),
            EncodingKey::from_secret(SECRET.as_bytes()),
        ),
        Signer::Key(algorithm, file) => (Header::new(algorithm), private(algorithm, file)),
        Signer::Named(algorithm, file, id) => {
            let mut header = Header::new(algorithm);
            header.kid = Some(id.to_owned());
            (header, private(algorithm, file))
        }
        Signer::PublicAsSecret(file) => (Header::default(), EncodingKey::from_secret(&key(file))),
        Signer::Nobody => return unsigned(claims),
    };
    encode(&header, claims, &key).expect("it can be signed")
}

fn private(algorithm: Algorithm, file: &str) -> EncodingKey {
    let pem = key(file);
    let key = match algorithm {
        Algorithm::RS256 | Algorithm::RS512 | Algorithm::PS256 => EncodingKey::from_rsa_pem(&pem),
        Algorithm::ES256 => EncodingKey::from_ec_pem(&pem),
        _ => EncodingKey::from_ed_pem(&pem),
    };
    key.expect("a private key of these tests")
}

/// A good token's claims under a header that says that nobody signed them.
fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| {
        // The middle of a signed token is its claims as they are.
        let signed = encode(
            &Header::default(),
            value,
            &EncodingKey::from_secret(SECRET.as_bytes()),
        );
        let signed = signed.expect("it can be signed");
        signed.split('.').nth(1).expect("three parts").to_owned()
    };
    format!(
        "{}.{}.",
        part(&json!({"alg": "none", "typ": "JWT"})),
        part(claims)
    )
}
