//! What answers tell browsers: which pages may read them, and to take them for what they say.
//! Source: WHATWG Fetch, "CORS protocol" and "X-Content-Type-Options header"; wire.md section 8.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// Named one by one: a `*` does not cover `Authorization`.
const HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Accept, \
                       Cache-Control";
const METHODS: &str = "GET, HEAD, POST, DELETE, OPTIONS";
/// A day, in seconds.
const MAX_AGE: &str = "86400";

/// The rule of `cors.origins`. Credentials are never allowed: no cookie means anything here.
#[derive(Debug)]
pub(super) struct Cors {
    any: bool,
    origins: Vec<String>,
}

impl Cors {
    pub(super) fn new(origins: &[String]) -> Self {
        let any = origins.iter().any(|origin| origin == "*");
        Self { any, origins: origins.to_vec() }
    }

    /// The answer to a preflight; `None` for every other request.
    pub(super) fn preflight(&self, parts: &Parts) -> Option<Response> {
        let asks = parts.method == Method::OPTIONS
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        self.allow(parts.headers.get(ORIGIN), headers);
        if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
        Some(response)
    }

    /// Says in an answer whether a page of `origin` may read it, and that its type is no guess.
    pub(super) fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let exposed = HeaderValue::from_static("Retry-After");
        if self.any {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            return;
        }
        // The answer depends on who asks, so no cache may give it to another.
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let listed = |origin: &&HeaderValue| {
            let origin = origin.to_str().unwrap_or_default();
            self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
        };
        if let Some(origin) = origin.filter(listed) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}
