//! `[tokens]`: the life of what login mints.

use std::time::Duration;

use super::section::Section;

/// Tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// How long a token is good for. 60 to 86 400 s, default 7 200 s.
    pub seconds: Duration,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { seconds: Duration::from_hours(2) }
    }
}

impl Tokens {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut tokens = Self::default();
        section.seconds("seconds", 60.0..=86_400.0, &mut tokens.seconds);
        tokens
    }
}
