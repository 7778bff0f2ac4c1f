//! `GET /ws[/{channel}]`: the handshake of a WebSocket, and its way to a worker.
//!
//! Source: RFC 6455 section 4.2. The connection is attached before the answer is sent: what is
//! published from then on waits for the socket.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, Version};
use tungstenite::handshake::derive_accept_key;

use super::identify::offered_protocols;
use super::leave::detachable;
use super::origin::may_upgrade;
use super::problem::Answer;
use super::request::Pairs;
use super::subscribe::Wanted;
use super::{Failure, Gate, Leaving};
use crate::code::Problem;
use crate::transport::Transport;
use crate::worker::Sink;

/// The subprotocol that we speak.
const PROTOCOL: &str = "pushgate.v1";

/// The verb.
pub(super) async fn ws(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    let accept = match check_handshake(&parts) {
        // A browser tells no page why it was refused an upgrade: asked without one, that is told.
        Err(failure) if failure.problem == Problem::UpgradeRequired && asks_why(&parts) => {
            Wanted::of(&gate, &parts, Transport::Ws.into())?;
            return Err(failure);
        }
        judged => judged?,
    };
    if !may_upgrade(&gate, &parts) {
        let detail = "pages of this origin may not open a WebSocket here";
        return Err(Failure::new(Problem::Forbidden, detail));
    }
    if !detachable(&parts).streams {
        return Err(upgrade_required("a request with a body cannot be upgraded"));
    }
    let wanted = Wanted::of(&gate, &parts, Transport::Ws.into())?;
    let opened = gate.open(&wanted, |_| Sink::Awaited).await?;
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Leaving::stream(&gate, opened.connection, Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = chosen_protocol(&parts) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok(response)
}

/// Whether somebody without an upgrade wants to know what one would be refused for: `why=1`.
fn asks_why(parts: &Parts) -> bool {
    Pairs::of_query(parts).is_ok_and(|query| query.is_on("why"))
}

/// Judges the handshake; the `Sec-WebSocket-Accept` that answers it.
fn check_handshake(parts: &Parts) -> Result<HeaderValue, Failure> {
    if parts.version == Version::HTTP_10 {
        return Err(Failure::new(Problem::BadRequest, "a WebSocket needs HTTP/1.1"));
    }
    if parts.version != Version::HTTP_11 {
        return Err(upgrade_required("a WebSocket is opened over HTTP/1.1"));
    }
    if !names(parts, &UPGRADE, "websocket") || !names(parts, &CONNECTION, "upgrade") {
        return Err(upgrade_required("this address is for WebSocket upgrades"));
    }
    if parts.headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(upgrade_required("Sec-WebSocket-Version must be 13"));
    }
    let key = parts.headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    // 16 bytes in base64: 22 characters and two of padding.
    let is_key = key.len() == 24
        && key.ends_with(b"==")
        && key.iter().take(22).all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte));
    if !is_key {
        return Err(Failure::field("Sec-WebSocket-Key", "must be 16 bytes in base64"));
    }
    HeaderValue::from_str(&derive_accept_key(key))
        .map_err(|_| Failure::field("Sec-WebSocket-Key", "must be 16 bytes in base64"))
}

fn upgrade_required(detail: &str) -> Failure {
    Failure::new(Problem::UpgradeRequired, detail)
}

/// Whether a header lists `token`, whatever its case.
fn names(parts: &Parts, header: &HeaderName, token: &str) -> bool {
    let values = parts.headers.get_all(header).into_iter();
    let mut tokens = values.filter_map(|value| value.to_str().ok()).flat_map(|t| t.split(','));
    tokens.any(|found| found.trim().eq_ignore_ascii_case(token))
}

/// `pushgate.v1` where it is offered; a lone `bearer.` is echoed, since browsers want one back.
fn chosen_protocol(parts: &Parts) -> Option<HeaderValue> {
    let mut first_bearer = None;
    for offered in offered_protocols(parts) {
        if offered == PROTOCOL {
            return Some(HeaderValue::from_static(PROTOCOL));
        }
        if offered.starts_with("bearer.") {
            first_bearer = first_bearer.or(Some(offered));
        }
    }
    first_bearer.and_then(|bearer| HeaderValue::from_str(bearer).ok())
}
