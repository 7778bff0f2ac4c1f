//! `GET /`: the page that explains by working; for a shell, what to try with this server's own address.

use axum::extract::Request;
use axum::response::Response;
use http::header::{ACCEPT, HOST, VARY};
use http::{HeaderMap, HeaderValue};

use super::health::plain_text;
use super::pages::DEMO;
use super::request::remote_of;

/// Lines that work as they stand, for a gateway at `base`.
pub fn tries(base: &str) -> String {
    format!(
        "# who am I? a client id and a token\n\
         curl -s {base}/login\n\
         # listen, and leave it running\n\
         T=$(curl -s -H 'Accept: text/plain' {base}/login)\n\
         curl -sN \"{base}/stream?token=$T\"\n\
         # say something, from another terminal\n\
         T=$(curl -s -H 'Accept: text/plain' {base}/login)\n\
         curl -s {base}/post -H \"Authorization: Bearer $T\" -d value=hello\n\
         # who is there, and what was said\n\
         curl -s {base}/users -H \"Authorization: Bearer $T\"\n\
         curl -s {base}/history -H \"Authorization: Bearer $T\"\n"
    )
}

/// The verb.
pub(super) async fn welcome(request: Request) -> Response {
    let vary = (VARY, HeaderValue::from_static("Accept"));
    if accepts_html(request.headers()) {
        let mut response = DEMO.answer(&request);
        response.headers_mut().append(vary.0, vary.1);
        return response;
    }
    let (parts, _body) = request.into_parts();
    let scheme = if remote_of(&parts).tls { "https" } else { "http" };
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    // Only what can stand in an address is repeated.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '[' | ']');
    let host = host.filter(|host| host.chars().all(fits)).unwrap_or("localhost");
    let lines = tries(&format!("{scheme}://{host}"));
    let mut response =
        plain_text(format!("pushgate: log in, post, and everyone present receives.\n\n{lines}"));
    response.headers_mut().append(vary.0, vary.1);
    response
}

/// A browser says that it takes HTML; curl takes anything, and is not meant.
fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        range.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("text/html"))
    })
}
