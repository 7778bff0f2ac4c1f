//! How a connection leaves HTTP: its worker has been told of it, and only the socket is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::request::Parts;

use super::Gate;
use crate::transport::ConnectionId;
use crate::worker::{Handed, Order, WorkerHandle};

/// Which answers a worker could give on the connection of a request; put into each request by the
/// server, which knows what the connection is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detachable {
    /// Those that never end: WebSocket, SSE, stream.
    pub streams: bool,
    /// Those behind which the connection goes on as before: polls.
    pub polls: bool,
}

/// Which answers a worker could give to the request of `parts`.
pub(super) fn detachable(parts: &Parts) -> Detachable {
    parts.extensions.get().copied().unwrap_or_default()
}

/// In an answer: a worker has the connection, and gives the answer's body itself.
///
/// The server takes the socket away from HTTP and hands it over. Where that never happens, since
/// the peer is gone, dropping the last clone tells the worker.
#[derive(Clone, Debug)]
pub struct Leaving(Arc<Awaited>);

#[derive(Debug)]
struct Awaited {
    worker: WorkerHandle,
    connection: ConnectionId,
    opening: Bytes,
    is_poll: bool,
    handed: AtomicBool,
}

impl Leaving {
    /// `connection`, which is attached already; `opening` follows the head of the answer.
    pub(super) fn stream(gate: &Gate, connection: ConnectionId, opening: Bytes) -> Self {
        Self::new(gate, connection, opening, false)
    }

    /// The connection of a poll, which is attached already.
    pub(super) fn poll(gate: &Gate, connection: ConnectionId) -> Self {
        Self::new(gate, connection, Bytes::new(), true)
    }

    fn new(gate: &Gate, connection: ConnectionId, opening: Bytes, is_poll: bool) -> Self {
        let worker = gate.hub.workers().of(connection).clone();
        let handed = AtomicBool::new(false);
        Self(Arc::new(Awaited { worker, connection, opening, is_poll, handed }))
    }

    /// What follows the head of the answer.
    pub fn opening(&self) -> &[u8] {
        &self.0.opening
    }

    /// Whether the worker completes the head, since it alone knows how long the body is.
    pub fn is_poll(&self) -> bool {
        self.0.is_poll
    }

    /// Hands the socket over.
    pub fn hand_over(&self, handed: Handed) {
        if !self.0.handed.swap(true, Ordering::Relaxed) {
            self.0.worker.send(Order::Socket(self.0.connection, Box::new(handed)));
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if !*self.handed.get_mut() {
            self.worker.send(Order::Gone(self.connection));
        }
    }
}
