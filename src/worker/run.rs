//! The loop of a worker: the only place where its inputs meet.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mio::{Events, Poll, Token};
use tokio::time::Instant;

use super::connections::Connections;
use super::stall::Turns;
use super::{Limits, Order, WorkerHandle};

/// The token of the waker; connections have the others.
pub(super) const WAKER: Token = Token(usize::MAX);

/// Has `worker` work. If anything but the drain ends it, its connections and everyone who sends it
/// orders would wait for ever: so `died` is called.
pub(super) fn to_the_end(worker: Worker, died: fn()) {
    match catch_unwind(AssertUnwindSafe(|| worker.run())) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => tracing::error!(%error, "a worker cannot wait for its sockets"),
        Err(_) => tracing::error!("a worker met a bug that it cannot go on after"),
    }
    died();
}

/// An event loop with its connections.
pub(super) struct Worker {
    poll: Poll,
    handle: WorkerHandle,
    connections: Connections,
    idle: fn(),
}

impl Worker {
    /// A worker that has not begun.
    ///
    /// # Errors
    /// What the operating system says when it has no more descriptors.
    pub(super) fn new(
        index: usize,
        poll: Poll,
        handle: WorkerHandle,
        limits: Limits,
    ) -> io::Result<Self> {
        let registry = poll.registry().try_clone()?;
        let connections =
            Connections::new((index, registry), handle.clone(), limits, Instant::now());
        Ok(Self { poll, handle, connections, idle: limits.idle })
    }

    /// Works until it has drained.
    ///
    /// # Errors
    /// What the operating system says when the worker cannot wait for its sockets.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut ready = Events::with_capacity(1024);
        let mut orders: Vec<Order> = Vec::new();
        let mut turns = Turns::new(Instant::now());
        loop {
            let now = Instant::now();
            if self.connections.is_finished() {
                return Ok(());
            }
            let wait = self.connections.until_next(now);
            if wait.is_none_or(|wait| !wait.is_zero()) {
                (self.idle)();
            }
            if let Err(error) = self.poll.poll(&mut ready, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            let now = Instant::now();
            if let Some(lost) = turns.begin(wait, now) {
                self.connections.spare(lost);
            }
            self.handle.take(&mut orders);
            for order in orders.drain(..) {
                self.connections.on_order(order, now);
            }
            for event in ready.iter().filter(|event| event.token() != WAKER) {
                self.connections.on_ready(event, now);
            }
            self.connections.on_time(now);
            self.connections.broadcast_slice(now);
            self.connections.end_dropped();
        }
    }
}
