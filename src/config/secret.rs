//! Text that must never be shown: the signing secret, API keys, the webhooks' secret.

use std::fmt;

/// What an operator gets for a secret that stands in a manual somewhere.
const EXAMPLES: [&str; 9] = [
    "changeme",
    "change-me",
    "change_me",
    "replaceme",
    "replace-me",
    "your-api-key",
    "your-secret",
    "your_secret",
    "example",
];

/// A secret text. `Debug` says only that there is one; [`Secret::expose`] is the one way to the text.
///
/// `==` does not take constant time: compare what a peer sent with `subtle`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`, whatever its length: bounds are judged where a configuration is read.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for signing and comparing. It goes into no log and no error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// A secret of at least `least` characters that is no example, or what is wrong with it.
///
/// The error never repeats the text.
pub(super) fn strong(text: &str, least: usize) -> Result<Secret, String> {
    let count = text.chars().count();
    if count == 0 {
        return Err("is empty".to_owned());
    }
    if count < least {
        return Err(format!("has {count} characters, and must have at least {least}"));
    }
    let lower = text.to_lowercase();
    if EXAMPLES.iter().any(|example| lower.contains(example)) {
        return Err("is an example from a manual: make one of your own, \
                    for instance with `openssl rand -hex 32`"
            .to_owned());
    }
    Ok(Secret::new(text))
}
