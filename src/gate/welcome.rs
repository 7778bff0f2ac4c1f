//! `GET /`: what to try, with this server's own address.

use axum::extract::Request;
use axum::response::Response;
use http::header::HOST;

use super::health::plain_text;
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
    let (parts, _body) = request.into_parts();
    let scheme = if remote_of(&parts).tls { "https" } else { "http" };
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    // Only what can stand in an address is repeated.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '[' | ']');
    let host = host.filter(|host| host.chars().all(fits)).unwrap_or("localhost");
    let lines = tries(&format!("{scheme}://{host}"));
    plain_text(format!("pushgate: log in, post, and everyone present receives.\n\n{lines}"))
}
