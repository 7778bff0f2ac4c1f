//! Transports: how a message is framed and leaves, and how what comes in is taken apart.
//!
//! A transport knows no channel and no rule. `ws` frames both ways; `sse`, `stream` and `poll`
//! only speak, and over HTTP/1.1 `http1` puts chunks around what they say. All of them are fed by
//! the same subscription code.

mod http1;
pub mod poll;
pub mod sse;
pub mod stream;
pub mod ws;

use crate::code::Close;

/// One connection on this node, never reused. The upper 16 bits name its worker.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// Connection `number` of `worker`. Numbers are below 2^48: more than a node ever gets.
    pub const fn new(worker: u16, number: u64) -> Self {
        // Widening: `u64::from` is not const.
        let [high, low] = worker.to_be_bytes();
        Self(u64::from_be_bytes([high, low, 0, 0, 0, 0, 0, 0]) | (number & 0xFFFF_FFFF_FFFF))
    }

    /// The worker that owns the connection.
    pub fn worker(self) -> usize {
        usize::try_from(self.0 >> 48).unwrap_or(usize::MAX)
    }
}

/// The four ways in which a stream reaches a client.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// WebSocket, RFC 6455.
    Ws,
    /// Server-Sent Events, WHATWG HTML section 9.2.
    Sse,
    /// Newline-delimited JSON.
    Stream,
    /// Long poll: a subscription that ends at its first delivery.
    Poll,
}

impl Transport {
    /// Whether messages of this transport carry the id beside the object.
    pub const fn shows_id(self) -> bool {
        matches!(self, Self::Sse)
    }

    fn write_message(self, out: &mut Vec<u8>, id: Option<&str>, json: &[u8]) {
        match self {
            Self::Ws => ws::text(out, json),
            Self::Sse => sse::event(out, id, json),
            Self::Stream => stream::line(out, json),
            Self::Poll => out.extend_from_slice(json),
        }
    }

    fn write_heartbeat(self, out: &mut Vec<u8>) {
        match self {
            Self::Ws => ws::control(out, ws::PING, &[]),
            Self::Sse => out.extend_from_slice(sse::HEARTBEAT),
            Self::Stream => out.extend_from_slice(stream::HEARTBEAT),
            Self::Poll => {}
        }
    }

    fn write_close(self, out: &mut Vec<u8>, close: Close) {
        match self {
            Self::Ws => ws::close(out, close),
            Self::Sse => sse::close(out, close),
            Self::Stream => stream::close(out, close),
            Self::Poll => {}
        }
    }
}

/// How messages leave a connection: its transport, and what HTTP puts around each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Framing {
    /// What a message looks like.
    pub transport: Transport,
    /// Whether each is a chunk of a body over HTTP/1.1 that a worker writes itself, RFC 9112
    /// section 7.1. Bodies of hyper are framed by hyper.
    pub chunked: bool,
}

impl Framing {
    /// Appends one message, with its `id` where it has one.
    pub fn message(self, out: &mut Vec<u8>, id: Option<&str>, json: &[u8]) {
        self.frame(out, |out| self.transport.write_message(out, id, json));
    }

    /// Appends what keeps an idle connection alive, or asks whether the far end still is.
    pub fn heartbeat(self, out: &mut Vec<u8>) {
        self.frame(out, |out| self.transport.write_heartbeat(out));
    }

    /// Appends the announcement that the server ends the connection, and the end of the body.
    pub fn close(self, out: &mut Vec<u8>, close: Close) {
        self.frame(out, |out| self.transport.write_close(out, close));
        if self.chunked {
            out.extend_from_slice(http1::LAST_CHUNK);
        }
    }

    /// Appends what `write` writes, as one chunk where chunks are wanted.
    pub fn frame(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.chunked { http1::chunk(out, write) } else { write(out) }
    }
}

impl From<Transport> for Framing {
    /// The framing of a transport that nothing is put around.
    fn from(transport: Transport) -> Self {
        Self { transport, chunked: false }
    }
}
