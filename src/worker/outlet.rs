//! The joint between a worker and an HTTP body: an outbox that both can reach.
//!
//! SSE, stream and poll over HTTP/2, and a poll over TLS, stay bodies of hyper. A worker puts pieces
//! in, the task of the connection takes them out; there, and only there, a task is woken per
//! subscriber.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Full, Joined, Mark, Order, Outbox, Tally, WorkerHandle};
use crate::channel::DeliveryPolicy;
use crate::transport::ConnectionId;

/// What a worker puts messages into, for one body.
///
/// Writers: the worker of the connection. Reader: the body. Bound: that of its [`Outbox`].
#[derive(Debug, Default)]
pub struct Outlet {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outbox: Outbox,
    task: Option<Waker>,
    /// Nothing more will come.
    ended: bool,
    /// The far end takes nothing: the body fails instead of ending.
    aborted: bool,
    /// The worker wants to know when everything was taken.
    tell_drained: bool,
}

impl Outlet {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is valid between any two statements: a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `tally` count what will wait in it.
    pub(super) fn count_by(&self, tally: &Arc<Tally>) {
        self.state().outbox = Outbox::counted_by(tally);
    }

    /// Adds the bytes of `joined` from `from` on, and wakes the body.
    pub(super) fn add(
        &self,
        joined: &Arc<Joined>,
        from: usize,
        bound: (DeliveryPolicy, usize),
        now: Instant,
    ) -> Result<(), Full> {
        let mut state = self.state();
        let added = state.outbox.add(joined, from, bound, now);
        wake(state);
        added
    }

    /// Adds something that is told whatever waits.
    pub(super) fn add_always(&self, joined: &Arc<Joined>, now: Instant) {
        let mut state = self.state();
        state.outbox.add_always(joined, 0, now);
        wake(state);
    }

    /// Drops what was not begun; for a body that is every piece, since a piece leaves whole.
    pub(super) fn drop_unbegun(&self) {
        self.state().outbox.drop_unbegun();
    }

    /// Ends the body behind what is in it.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        wake(state);
    }

    /// Gives the body up with all that waits in it.
    pub(super) fn abort(&self) {
        let mut state = self.state();
        state.outbox = Outbox::default();
        state.ended = true;
        state.aborted = true;
        wake(state);
    }

    /// Whether everything was taken; if not, the worker will be told once it is.
    pub(super) fn is_drained(&self) -> bool {
        let mut state = self.state();
        let drained = state.outbox.is_empty();
        state.tell_drained = !drained;
        drained
    }

    /// Makes everything that waits younger.
    pub(super) fn spare(&self, lost: Duration) {
        self.state().outbox.spare(lost);
    }

    /// Since when the oldest piece waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.state().outbox.oldest()
    }
}

fn wake(mut state: std::sync::MutexGuard<'_, State>) {
    let task = state.task.take();
    drop(state);
    if let Some(task) = task {
        task.wake();
    }
}

/// The far end took nothing for longer than the write deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GivenUp;

impl std::fmt::Display for GivenUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the far end took nothing for too long")
    }
}

impl std::error::Error for GivenUp {}

/// The end of an [`Outlet`] that a body or a waiting poll holds.
///
/// Dropping it tells the worker that nobody reads any more.
#[derive(Debug)]
pub struct Inlet {
    outlet: Arc<Outlet>,
    worker: WorkerHandle,
    connection: ConnectionId,
}

impl Inlet {
    /// The reading end of `outlet`.
    pub fn new(outlet: Arc<Outlet>, worker: WorkerHandle, connection: ConnectionId) -> Self {
        Self { outlet, worker, connection }
    }

    /// The next piece; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// [`GivenUp`] if the worker gave the connection up.
    pub fn poll_piece(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, GivenUp>>> {
        let mut state = self.outlet.state();
        if let Some(piece) = state.outbox.take() {
            let drained = state.tell_drained && state.outbox.is_empty();
            state.tell_drained &= !drained;
            drop(state);
            if drained {
                self.worker.send(Order::Drained(self.connection));
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        if std::mem::take(&mut state.aborted) {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.task = Some(context.waker().clone());
        Poll::Pending
    }

    /// Waits for the end, then gives everything that was put in, frame by frame. Cancel safe.
    pub async fn ended(&self) -> Vec<(Mark, Bytes)> {
        std::future::poll_fn(|context| {
            let mut state = self.outlet.state();
            if !state.ended {
                state.task = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(state.outbox.take_all_frames())
        })
        .await
    }

    /// Asks the worker to end the connection, behind all that it was told before.
    pub fn finish(&self) {
        self.worker.send(Order::Finish(self.connection));
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        let mut state = self.outlet.state();
        // Pieces that nobody will take are let go now, not when the worker comes round.
        state.outbox = Outbox::default();
        let ended = std::mem::replace(&mut state.ended, true);
        drop(state);
        if !ended {
            self.worker.send(Order::Gone(self.connection));
        }
    }
}
