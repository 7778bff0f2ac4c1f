//! The keys that backends show.

use std::fmt;

use ring::digest::{SHA256, digest};
use subtle::{Choice, ConstantTimeEq};

/// The API keys of the configuration, kept as digests.
///
/// Bound: as many as the configuration names. Their length and shape are judged there.
///
/// Source: wire.md sections 6 and 10; robustness.md A2 and A10.
#[derive(Clone)]
pub struct ApiKeys {
    digests: Vec<[u8; 32]>,
}

impl ApiKeys {
    /// The keys that [`verify`](Self::verify) accepts; none accepts nothing.
    pub fn new(keys: Vec<String>) -> Self {
        Self { digests: keys.into_iter().map(|key| sha256(&key)).collect() }
    }

    /// Whether `key` is one of them.
    ///
    /// Takes the same time whichever key it is or is like: digests have one length, so not even
    /// the length of a key shows, and all of them are compared. Only that there is none shows.
    pub fn verify(&self, key: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let shown = sha256(key);
        let matches = |found: Choice, known: &[u8; 32]| found | known.ct_eq(&shown);
        self.digests.iter().fold(Choice::from(0), matches).into()
    }

    /// Whether there is no key at all, so that the verbs of backends are closed.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys([redacted; {}])", self.digests.len())
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("a digest of SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> ApiKeys {
        ApiKeys::new(vec!["first-key-0123456789".into(), "second-key-0123456789".into()])
    }

    #[test]
    fn each_key_is_accepted() {
        assert!(keys().verify("first-key-0123456789"));
        assert!(keys().verify("second-key-0123456789"));
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "first-key-0123456789".repeat(3_000);
        for key in
            ["", "first-key-012345678", "first-key-01234567890", "FIRST-KEY-0123456789", &long]
        {
            assert!(!keys().verify(key), "{} bytes", key.len());
        }
    }

    #[test]
    fn without_keys_nothing_is_accepted() {
        let none = ApiKeys::new(Vec::new());
        assert!(none.is_empty());
        assert!(!none.verify(""));
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", keys()), "ApiKeys([redacted; 2])");
    }
}
