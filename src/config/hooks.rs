//! `[hooks]`: who hears of clients that come and go.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::network;
use super::reach::is_public;
use super::secret::{Secret, strong};
use super::section::Section;

/// A receiver can be flooded with guesses, so what it tells them from us by has some length.
const LEAST: usize = 16;
/// How many events may wait, at the least and at the most.
const QUEUE: RangeInclusive<usize> = 1..=1_000_000;
/// How long an attempt may take: any longer, and a receiver that hangs holds up a crowd.
const TIMEOUT: RangeInclusive<f64> = 0.1..=60.0;

/// Webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The `http` or `https` address before the hooks' own paths, without a slash at its end.
    /// Default: none, and no hooks.
    pub url: Option<String>,
    /// What signs a hook; required with `url`. At least 16 characters, no example. Default: none.
    pub secret: Option<Secret>,
    /// How the fields are written. Default: form.
    pub encoding: HookEncoding,
    /// How long an attempt may take, from the look-up of a name to the end of the answer. 0.1 to 60
    /// seconds, default 5.
    pub timeout: Duration,
    /// How many events may wait; further ones are dropped. 1 to 1 000 000, default 10 000.
    pub queue: usize,
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
        Self {
            url: None,
            secret: None,
            encoding: HookEncoding::Form,
            timeout: Duration::from_secs(5),
            queue: 10_000,
        }
    }
}

impl Hooks {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        const WORDS: [(&str, HookEncoding); 2] =
            [("form", HookEncoding::Form), ("multipart", HookEncoding::Multipart)];
        let mut hooks = Self::default();
        let (origin, mut is_refused) = (section.origin("url"), false);
        let strong = |text: &str| strong(text, LEAST).inspect_err(|_| is_refused = true);
        hooks.url = section.optional("url", url);
        hooks.secret = section.optional("secret", strong);
        section.choice("encoding", &WORDS, &mut hooks.encoding);
        section.seconds("timeout", TIMEOUT, &mut hooks.timeout);
        section.whole("queue", QUEUE, &mut hooks.queue);
        if hooks.url.is_some()
            && hooks.secret.is_none()
            && !is_refused
            && let Some(origin) = origin
        {
            section.refuse(origin, "secret", "is required when hooks.url is set");
        }
        hooks
    }

    /// Whether `url` itself names an address that no name may lead to, or `localhost`: what was
    /// written down is meant.
    pub fn names_its_address(&self) -> bool {
        self.host().is_some_and(|host| is_localhost(host) || literal(host).is_some())
    }

    /// Whether hooks go through a network that others may listen in, unencrypted.
    pub(super) fn is_in_the_clear(&self) -> bool {
        let is_http = self.url.as_ref().is_some_and(|url| url.starts_with("http://"));
        let leads_out = |host: &str| !is_localhost(host) && literal(host).is_none_or(is_public);
        is_http && self.host().is_some_and(leads_out)
    }

    fn host(&self) -> Option<&str> {
        let (_, rest) = self.url.as_ref()?.split_once("://")?;
        network::host(rest.split('/').next().unwrap_or_default())
    }
}

/// As [`network::url`], its scheme in lower case; what a client of HTTP can ask for.
fn url(text: &str) -> Result<String, String> {
    let url = network::url(text)?;
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let url = format!("{}://{rest}", scheme.to_ascii_lowercase());
    match format!("{url}/").parse::<http::Uri>() {
        Ok(_) => Ok(url),
        Err(_) => Err("must be an http:// or https:// address as HTTP writes them".to_owned()),
    }
}

fn is_localhost(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
}

fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}
