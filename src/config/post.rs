//! `[post]`: who may post.

use super::section::Section;

/// Posting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Post {
    /// Whether a `client_id` without a token is refused from everywhere. Default: false, and it
    /// is accepted from the client's own address alone.
    pub require_token: bool,
}

impl Post {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut post = Self::default();
        section.boolean("require_token", &mut post.require_token);
        post
    }
}
