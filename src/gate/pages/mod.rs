//! What browsers load: the client, the Channel API drop-in, the widget, and the pages.
//!
//! Everything is in the binary. A script is one file, put together from the modules of
//! `client-js/src` at the first request for it.

pub(super) mod board;
mod bundle;
mod files;
mod named;

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use bundle::Source;
pub(super) use files::{DEMO, FILES};
pub(super) use named::{camera, room};

/// Something that a browser loads.
#[derive(Debug)]
pub(super) struct Asset {
    body: Bytes,
    media: &'static str,
    etag: HeaderValue,
}

/// What the client is made of, each behind those that it builds on.
const CLIENT: [Source; 17] = [
    include_str!("../../../client-js/src/errors.js"),
    include_str!("../../../client-js/src/json.js"),
    include_str!("../../../client-js/src/backoff.js"),
    include_str!("../../../client-js/src/position.js"),
    include_str!("../../../client-js/src/presence.js"),
    include_str!("../../../client-js/src/transport-ws.js"),
    include_str!("../../../client-js/src/transport-sse.js"),
    include_str!("../../../client-js/src/transport-poll.js"),
    include_str!("../../../client-js/src/routes.js"),
    include_str!("../../../client-js/src/slots.js"),
    include_str!("../../../client-js/src/wake.js"),
    include_str!("../../../client-js/src/heard.js"),
    include_str!("../../../client-js/src/handover.js"),
    include_str!("../../../client-js/src/link.js"),
    include_str!("../../../client-js/src/attempt.js"),
    include_str!("../../../client-js/src/stream.js"),
    include_str!("../../../client-js/src/channel.js"),
];
const PUSHGATE: Source = include_str!("../../../client-js/src/client.js");
const SHOWN: Source = include_str!("../../../client-js/src/shown.js");

const SCRIPT: &str = "text/javascript; charset=utf-8";
const PAGE: &str = "text/html; charset=utf-8";

/// A page loads what is ours and speaks to us, and is in no frame. Source: CSP Level 3.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

/// The version in an address such as `/pushgate.js?v=0.1.0`.
const VERSIONED: &str = concat!("v=", env!("CARGO_PKG_VERSION"));

type Lazy = LazyLock<Asset>;

static CLIENT_SCRIPT: Lazy = LazyLock::new(|| {
    let entry = include_str!("../../../client-js/src/pushgate.js");
    Asset::new(SCRIPT, bundle::module(&[&CLIENT[..], &[PUSHGATE, entry]].concat(), None))
});
static CHANNEL_API: Lazy = LazyLock::new(|| {
    let entry = include_str!("../../../client-js/src/jsapi.js");
    Asset::new(SCRIPT, bundle::classic(&[&CLIENT[..], &[PUSHGATE, entry]].concat()))
});
static WIDGET_SCRIPT: Lazy = LazyLock::new(|| {
    let words = include_str!("../../../client-js/src/widget-words.js");
    let style = include_str!("../../../client-js/src/widget-style.js");
    let entry = include_str!("../../../client-js/src/widget.js");
    let script = bundle::module(&[SHOWN, words, style, entry], Some("\"./pushgate.js\""));
    Asset::new(SCRIPT, script)
});

static SHOWN_SCRIPT: Lazy = LazyLock::new(|| Asset::new(SCRIPT, SHOWN));

/// What is made of `client-js/src`, with its addresses.
pub(super) static SCRIPTS: [(&str, &Lazy); 5] = [
    ("/pushgate.js", &CLIENT_SCRIPT),
    ("/_ah/channel/jsapi", &CHANNEL_API),
    ("/talkgadget/channel.js", &CHANNEL_API),
    ("/widget.js", &WIDGET_SCRIPT),
    ("/pages/shown.js", &SHOWN_SCRIPT),
];

/// The methods of an asset's address.
pub(super) fn methods<S: Clone + Send + Sync + 'static>(asset: &'static Lazy) -> MethodRouter<S> {
    get(async move |request: Request| asset.answer(&request))
}

impl Asset {
    fn new(media: &'static str, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let short = digest.as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let etag = HeaderValue::try_from(format!("\"{short:016x}\""));
        let etag = etag.unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self { body: Bytes::from(text), media, etag }
    }

    /// 200, or 304 where the browser has it already. Cached for a year under the address of this
    /// version, else asked for each time. Source: RFC 9110 section 13, RFC 8246.
    pub(super) fn answer<B>(&self, request: &http::Request<B>) -> Response {
        let is_known = knows(request.headers(), &self.etag);
        let mut response = self.response(if is_known { Bytes::new() } else { self.body.clone() });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let is_versioned =
            request.uri().query().is_some_and(|query| query.split('&').any(|q| q == VERSIONED));
        let caching = if is_versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(ETAG, self.etag.clone());
        response
    }

    /// 200 with `body`, and what a browser must know of it.
    fn response(&self, body: Bytes) -> Response {
        let mut response = Response::new(Body::from(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media));
        if self.media == PAGE {
            protect(headers);
        }
        response
    }
}

/// What a page may do.
fn protect(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Whether `If-None-Match` names this tag, or any. Source: RFC 9110 section 13.1.2.
fn knows(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
    })
}
