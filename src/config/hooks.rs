//! `[hooks]`: who hears of clients that come and go.

use super::network;
use super::secret::Secret;
use super::section::Section;

/// Webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The `http` or `https` address before the hooks' own paths, without a slash at its end.
    /// Default: none, and no hooks.
    pub url: Option<String>,
    /// What signs a hook; required with `url`. Default: none.
    pub secret: Option<Secret>,
    /// How the fields are written. Default: form.
    pub encoding: HookEncoding,
}

/// How the fields of a hook are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookEncoding {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { url: None, secret: None, encoding: HookEncoding::Form }
    }
}

impl Hooks {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        const WORDS: [(&str, HookEncoding); 2] =
            [("form", HookEncoding::Form), ("multipart", HookEncoding::Multipart)];
        let mut hooks = Self::default();
        let origin = section.origin("url");
        hooks.url = section.optional("url", network::url);
        hooks.secret = section.optional("secret", |text| Ok(Secret::new(text)));
        section.choice("encoding", &WORDS, &mut hooks.encoding);
        if let (Some(_), None, Some(origin)) = (&hooks.url, &hooks.secret, origin) {
            section.refuse(origin, "secret", "is required when hooks.url is set");
        }
        hooks
    }
}
