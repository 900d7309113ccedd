//! Any text as a token, any header and claims under a signature, any text as a file of keys: nothing
//! panics, and nothing is believed that a key of the server has not signed.

use std::sync::OnceLock;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;
use yanshu::auth::{Identity, Keyring, Verifier};

const SECRET: &str = "the secret of the fuzzer, of thirty-two bytes and more";
const OTHER_SECRET: &str = "another secret, as long, that the server does not have";
const AUDIENCE: &str = "yanshu";

/// The public keys of the tests of tokens.
const PUBLIC: [&str; 3] = [
    include_str!("../../tests/auth/keys/rsa.pub.pem"),
    include_str!("../../tests/auth/keys/ec.pub.pem"),
    include_str!("../../tests/auth/keys/ed.pub.pem"),
];

struct Verifiers {
    secret: Verifier,
    audience: Verifier,
    public: Vec<Verifier>,
}

impl Verifiers {
    fn get() -> &'static Self {
        static VERIFIERS: OnceLock<Verifiers> = OnceLock::new();
        VERIFIERS.get_or_init(|| {
            let audience = Some(AUDIENCE.to_owned());
            let public = |pem| Keyring::from_text(pem).expect("a key of the tests");
            Self {
                secret: Verifier::with_secret(SECRET, None).expect("a secret"),
                audience: Verifier::with_secret(SECRET, audience).expect("a secret"),
                public: PUBLIC
                    .map(|pem| Verifier::with_keys(public(pem), None))
                    .into(),
            }
        })
    }

    fn believe_nothing_of(&self, token: &str) {
        for verifier in self.public.iter().chain([&self.secret, &self.audience]) {
            assert!(verifier.verify(token).is_err(), "believed: {token}");
        }
    }
}

/// `data` as a token, as a file of keys, and up to its first line end as a header, behind it as claims.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    as_token(&text);
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (header, claims) = (lines.next(), lines.next());
    let signing = Signing::new(header.unwrap_or_default(), claims.unwrap_or_default());
    signing.is_not_believed_unsigned();
    signing.is_believed_for_what_it_says();
    as_keys(&text, &signing.with(""));
}

/// Who guesses a token has to guess a signature.
fn as_token(token: &str) {
    let verifiers = Verifiers::get();
    for verifier in &verifiers.public {
        assert!(verifier.verify(token).is_err(), "believed: {token}");
    }
    let believed = [&verifiers.secret, &verifiers.audience].map(|v| v.verify(token).is_ok());
    if believed.contains(&true) {
        let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
        assert_eq!(hs256(SECRET, signed), signature);
    }
}

/// The text above a signature.
struct Signing<'a> {
    header: &'a [u8],
    claims: &'a [u8],
    text: String,
}

impl<'a> Signing<'a> {
    fn new(header: &'a [u8], claims: &'a [u8]) -> Self {
        let [first, second] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let text = format!("{first}.{second}");
        Self {
            header,
            claims,
            text,
        }
    }

    fn with(&self, signature: &str) -> String {
        format!("{}.{signature}", self.text)
    }

    fn is_not_believed_unsigned(&self) {
        let verifiers = Verifiers::get();
        verifiers.believe_nothing_of(&self.with(""));
        // A signature of the right length for ES256 and EdDSA, of nothing.
        verifiers.believe_nothing_of(&self.with(&BASE64_URL_SAFE_NO_PAD.encode([0; 64])));
        for secret in PUBLIC.into_iter().chain([OTHER_SECRET, ""]) {
            verifiers.believe_nothing_of(&self.with(&hs256(secret, &self.text)));
        }
    }

    /// Even who has the secret is believed only for an algorithm that it is for, and in time.
    fn is_believed_for_what_it_says(&self) {
        let verifiers = Verifiers::get();
        let token = self.with(&hs256(SECRET, &self.text));
        if let Ok(identity) = verifiers.secret.verify(&token) {
            self.says(&identity);
        }
        if let Ok(identity) = verifiers.audience.verify(&token) {
            let audience = &self.says(&identity)["aud"];
            let listed = audience
                .as_array()
                .is_some_and(|all| all.contains(&AUDIENCE.into()));
            assert!(
                listed || audience == AUDIENCE,
                "for somebody else: {audience}"
            );
        }
        for verifier in &verifiers.public {
            assert!(verifier.verify(&token).is_err(), "believed: {token}");
        }
    }

    /// The claims, which must be those of this identity.
    fn says(&self, identity: &Identity) -> Value {
        let header = read(self.header);
        assert_eq!(header["alg"], "HS256");
        let claims = read(self.claims);
        assert_eq!(claims["sub"], identity.user.as_str());
        assert!(identity.expires >= SystemTime::now(), "it has expired");
        if let Some(name) = &identity.name {
            assert_eq!(claims["name"], name.as_str());
            assert!(name.len() <= 256);
        }
        claims
    }
}

/// JSON as whoever signed it means it: in fields that nobody asks for, it may be other than UTF-8.
fn read(json: &[u8]) -> Value {
    serde_json::from_str(&String::from_utf8_lossy(json)).expect("what is believed is JSON")
}

fn as_keys(text: &str, token: &str) {
    if let Ok(keys) = Keyring::from_text(text) {
        assert!(!keys.is_empty());
        let verifier = Verifier::with_keys(keys, None);
        assert!(verifier.verify(token).is_err(), "believed: {token}");
    }
}

fn hs256(secret: &str, text: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    crypto::sign(text.as_bytes(), &key, Algorithm::HS256).expect("it can be signed")
}
