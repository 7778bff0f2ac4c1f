//! `/healthz`, `/readyz`, and the page that explains problems.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};

use super::post::json;
use super::{Failure, Gate};
use crate::channel::json::string;
use crate::code::{Close, Problem};
use crate::dialect::plain::array;

/// The process is alive.
pub(super) async fn healthz() -> Response {
    json(r#"{"status":"ok"}"#)
}

/// New clients may come; 503 while draining. What this build cannot serve is named, and what it cannot
/// reach, without which all else goes on.
pub(super) async fn readyz(State(gate): State<Arc<Gate>>) -> Response {
    if gate.drain.is_draining() {
        return Failure::draining().into_response();
    }
    let unserved: Vec<_> = gate.config.unserved.iter().map(|name| string(name)).collect();
    let unserved = array(unserved.iter().map(String::as_str));
    let unavailable = if gate.board.is_reached() { "" } else { "\"database\"" };
    let members = format!(r#""unserved":{unserved},"unavailable":[{unavailable}]"#);
    json(format!(r#"{{"status":"ready",{members}}}"#))
}

/// What the `type` of a problem document points to.
pub(super) async fn problems() -> Response {
    let mut text = String::from("Problems: the code, its HTTP status, what it means.\n\n");
    for problem in Problem::ALL {
        let (status, code, title) = problem.wire();
        text += &format!("{code:24} {status}  {title}\n");
    }
    text.push_str("\nClose codes of WebSockets and streams.\n\n");
    let closes = [
        Close::GoingAway,
        Close::ProtocolError,
        Close::Unsupported,
        Close::InvalidData,
        Close::TooBig,
        Close::TokenExpired,
        Close::LoggedOut,
        Close::Kicked,
        Close::SlowConsumer,
        Close::RateLimited,
    ];
    for (code, reason) in closes.map(Close::wire) {
        text += &format!("{code}  {reason}\n");
    }
    plain_text(text)
}

/// 200 with text for people: a page that loads nothing, is in no frame and tells no other where one
/// came from. Source: CSP Level 3; Referrer Policy.
pub(super) fn plain_text(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::OK;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, plain);
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
