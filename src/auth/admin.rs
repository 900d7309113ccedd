//! The token of whoever runs the server.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What the tokens of requests to the provisioning API are held against. It holds no token, but its hash.
#[derive(Clone)]
pub struct AdminKey([u8; 32]);

impl AdminKey {
    /// The key that this token opens.
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether this is the token. How long that takes tells nothing of it: hashes are compared, of one
    /// length, to their ends.
    pub fn opens(&self, token: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.0.ct_eq(&shown).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_token_opens() {
        let key = AdminKey::new("a token");
        assert!(key.opens("a token"));
        for other in ["", "a", "a tokem", "a token ", "A token"] {
            assert!(!key.opens(other), "{other:?}");
        }
    }
}
