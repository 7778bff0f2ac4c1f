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

/// A browser says that it takes HTML, and no text rather; curl takes anything, and is not meant.
/// Source: RFC 9110 section 12.5.1.
pub(super) fn accepts_html(headers: &HeaderMap) -> bool {
    let weight = |media: &str| {
        let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let mut ranges = values.flat_map(|value| value.split(','));
        ranges.find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media));
            let q = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            is_it.then(|| q.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
        })
    };
    weight("text/html")
        .is_some_and(|html: f64| html > 0.0 && html >= weight("text/plain").unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_page_and_a_shell_the_lines() {
        let takes = |accept: &'static str| {
            let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            accepts_html(&headers)
        };
        for html in [
            "text/html",
            "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
            "*/*;q=0.1, Text/HTML ;q=0.5",
        ] {
            assert!(takes(html), "{html}");
        }
        for text in
            ["*/*", "", "text/plain", "text/html;q=0", "text/html;q=0.1,text/plain", "text/*"]
        {
            assert!(!takes(text), "{text}");
        }
    }
}
