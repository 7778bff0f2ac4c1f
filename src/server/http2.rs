//! HTTP/2: what one connection may have open at once, with every bound that a peer could lean on.

use std::error::Error;
use std::sync::Arc;

use h2::Reason;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;

use super::serve::{HTTP_BUFFER, largest_head};
use super::streams::Streams;
use crate::gate::Gate;

/// Requests that one connection may have open: the least that RFC 9113 section 6.5.2 recommends.
/// More of them is more that one connection can make us hold.
const MAX_STREAMS: u32 = 100;
/// What a peer may send on one stream before we have read of it: two messages of the usual limit.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same for all streams of a connection together.
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// The largest frame a peer may send, the smallest that the standard allows.
const MAX_FRAME: u32 = 16 * 1024;
/// Streams that were reset before their request was looked at. A client that changes its mind resets
/// one or two in a stroke; beyond this the connection is closed with `ENHANCE_YOUR_CALM`.
const MAX_RESET_UNSEEN: usize = 20;
/// Streams that we reset over the life of a connection because the peer broke a rule of theirs.
const MAX_RESET_BY_US: usize = 1024;

/// How a connection is driven, with every bound named that one of its peers could lean on.
pub(super) fn builder(gate: &Gate) -> http2::Builder<Streams> {
    let (config, limits) = (&gate.config, &gate.config.limits);
    let tallies = Arc::clone(&gate.tallies);
    let mut builder = http2::Builder::new(Streams { write: limits.write_seconds, tallies });
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(config.heartbeat.interval))
        .keep_alive_timeout(config.heartbeat.timeout)
        .max_send_buf_size(HTTP_BUFFER)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        // Also bounds how many CONTINUATION frames a header block may have.
        .max_header_list_size(u32::try_from(largest_head(limits)).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_RESET_UNSEEN)
        .max_local_error_reset_streams(MAX_RESET_BY_US);
    builder
}

/// Whether hyper ended a connection with this error because the peer asked for too much at once.
pub(super) fn is_flood(error: &hyper::Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    // The peer may have said that of us, too.
    error.is_some_and(|e| e.is_library() && e.reason() == Some(Reason::ENHANCE_YOUR_CALM))
}
