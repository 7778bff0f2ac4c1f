//! `[api]`: the keys of backends.

use super::secret::{Secret, strong};
use super::section::Section;

/// A key may be guessed at over the network, so it has some length.
const LEAST: usize = 20;

/// The backend verbs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Api {
    /// Keys, any one of which opens the backend verbs. At least 20 visible ASCII characters each,
    /// no examples. Default: none, and those verbs answer 401.
    pub keys: Vec<Secret>,
}

impl Api {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut api = Self::default();
        section.list("keys", &mut api.keys, key);
        api
    }
}

fn key(text: &str) -> Result<Secret, String> {
    let secret = strong(text, LEAST)?;
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(secret)
    } else {
        Err("must be visible ASCII characters, which an Authorization header can carry".to_owned())
    }
}
