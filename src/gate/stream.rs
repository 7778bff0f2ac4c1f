//! `GET /sse[/{channel}]` and `GET /stream[/{channel}]`: streams that are bodies of HTTP answers.
//!
//! Over HTTP/1.1 a worker writes the body itself, as it writes to a WebSocket; else hyper does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;

use super::leave::detachable;
use super::problem::Answer;
use super::subscribe::{Opened, Wanted};
use super::tally::Rejected;
use super::{Failure, Gate, Leaving};
use crate::transport::{Framing, Transport, sse};
use crate::worker::{GivenUp, Inlet, Outlet, Sink};

/// What an `EventSource` is asked to wait before it comes back, in milliseconds, and how much more
/// at most, so that a crowd does not come at once.
const RETRY_MS: u64 = 1000;
const RETRY_JITTER_MS: u64 = 2000;

/// The verb `sse`.
pub(super) async fn sse(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    let headers = request.headers().clone();
    let opened = open(&gate, request, Transport::Sse).await;
    opened.unwrap_or_else(|failure| refuse(&headers, &failure))
}

/// `failure` as whoever sent `headers` understands it: an `EventSource` gives up for good on anything
/// but 200, so where it would pass with time it is told when to come back.
pub fn refuse(headers: &HeaderMap, failure: &Failure) -> Response {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepts_events = accepted.any(|text| text.contains("text/event-stream"));
    if !accepts_events || !matches!(failure.problem.status(), 429 | 503) {
        return failure.clone().into_response();
    }
    let text = sse::come_back(come_back_ms(failure));
    let mut response = respond(Body::from(text), media_type(Transport::Sse));
    Rejected::mark(failure, &mut response);
    response
}

/// The verb `stream`.
pub(super) async fn stream(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    open(&gate, request, Transport::Stream).await
}

async fn open(
    gate: &Arc<Gate>,
    request: Request,
    transport: Transport,
) -> Result<Response, Failure> {
    let (parts, _body) = request.into_parts();
    let framing = Framing { transport, chunked: detachable(&parts).streams };
    let wanted = Wanted::of(gate, &parts, framing)?;
    if framing.chunked {
        let opened = gate.open(&wanted, |_| Sink::Awaited).await?;
        let mut response = respond(Body::empty(), media_type(transport));
        let headers = response.headers_mut();
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let opening = opening(framing, &opened);
        response.extensions_mut().insert(Leaving::stream(gate, opened.connection, opening));
        return Ok(response);
    }
    let outlet = Arc::new(Outlet::default());
    let opened = gate.open(&wanted, |_| Sink::Body(Arc::clone(&outlet))).await?;
    let worker = gate.hub.workers().of(opened.connection).clone();
    let inlet = Inlet::new(outlet, worker, opened.connection);
    let head = Some(opening(framing, &opened)).filter(|head| !head.is_empty());
    Ok(respond(Body::new(StreamBody { head, inlet }), media_type(transport)))
}

const fn media_type(transport: Transport) -> &'static str {
    match transport {
        Transport::Sse => "text/event-stream; charset=utf-8",
        Transport::Stream | Transport::Ws | Transport::Poll => "application/x-ndjson",
    }
}

/// What a stream begins with, before any message.
fn opening(framing: Framing, opened: &Opened) -> Bytes {
    let mut out = Vec::new();
    if framing.transport == Transport::Sse {
        let position = opened.start.resume();
        framing.frame(&mut out, |out| sse::opening(out, &position, retry_ms()));
    }
    Bytes::from(out)
}

fn respond(body: Body, media_type: &'static str) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold the stream back in its buffers.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// What one that was refused is asked to wait: as long as `Retry-After` would say, and a little more.
fn come_back_ms(failure: &Failure) -> u64 {
    let least = failure.retry_after.unwrap_or(0).saturating_mul(1000);
    least + u64::from(getrandom::u32().unwrap_or(0) % 1000)
}

fn retry_ms() -> u64 {
    RETRY_MS + u64::from(getrandom::u32().unwrap_or(0)) % RETRY_JITTER_MS
}

/// The body of a stream: what its worker puts into the outlet, as it comes.
struct StreamBody {
    head: Option<Bytes>,
    inlet: Inlet,
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        self.inlet.poll_piece(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
