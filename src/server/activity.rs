//! What a connection that speaks HTTP is doing, and until when it may go on like that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::Response;
use tokio::time::Instant;

use super::lengths::Lengths;
use crate::gate::Leaving;

/// Shared by the byte stream, the requests and the driver of one connection; all run in one task,
/// but for requests over HTTP/2.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    header: Duration,
    keep_alive: Duration,
    /// The last write found the socket full: hyper still holds bytes.
    blocked: AtomicBool,
    /// An answer refused a body that is still coming.
    lingers: AtomicBool,
    /// The peer sends more than anybody who means well.
    flooded: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// Requests that are not answered to the last byte.
    underway: usize,
    /// Since when there are none; at first, since the connection is open.
    idle_since: Instant,
    /// Since when a head is coming.
    head_since: Option<Instant>,
    /// What the head that is coming has said of its body.
    lengths: Lengths,
    /// The head that came last said more than once how long its body is.
    says_length_twice: bool,
    /// An answer whose body a worker writes.
    leaving: Option<(Response, Leaving)>,
}

/// A request under way, until it is dropped behind the last byte of its answer.
#[derive(Debug)]
pub(super) struct Underway(Arc<Activity>);

impl Activity {
    /// A connection that has just opened: its first head is due within `header`. Between two
    /// requests it may be idle for `keep_alive`.
    pub(super) fn new(header: Duration, keep_alive: Duration, now: Instant) -> Arc<Self> {
        let state = State {
            underway: 0,
            idle_since: now,
            head_since: Some(now),
            lengths: Lengths::default(),
            says_length_twice: false,
            leaving: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            header,
            keep_alive,
            blocked: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            flooded: AtomicBool::new(false),
        })
    }

    /// A connection that was answered a request already.
    pub(super) fn resumed(header: Duration, keep_alive: Duration, now: Instant) -> Arc<Self> {
        let activity = Self::new(header, keep_alive, now);
        activity.state().head_since = None;
        activity
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is valid between any two statements: a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A head has come whole.
    pub(super) fn begin(self: &Arc<Self>) -> Underway {
        let mut state = self.state();
        state.underway += 1;
        state.head_since = None;
        state.says_length_twice = std::mem::take(&mut state.lengths).are_many();
        drop(state);
        Underway(Arc::clone(self))
    }

    /// Bytes came. Between two requests they begin a head.
    pub(super) fn on_read(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.underway == 0 {
            state.head_since.get_or_insert_with(Instant::now);
            state.lengths.on_read(bytes);
        }
    }

    /// Whether the head that has come says twice how long its body is.
    pub(super) fn take_says_length_twice(&self) -> bool {
        std::mem::take(&mut self.state().says_length_twice)
    }

    /// Notes whether the socket took what was written.
    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Notes whether the latest answer refused a body that may still be coming.
    pub(super) fn set_lingers(&self, lingers: bool) {
        self.lingers.store(lingers, Ordering::Relaxed);
    }

    /// Whether the end of the connection is to wait for what is still coming.
    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    /// Notes that the peer floods the connection, from which nothing more is read.
    pub(super) fn set_flooded(&self) {
        self.flooded.store(true, Ordering::Relaxed);
    }

    /// Whether the peer floods the connection.
    pub(super) fn is_flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    /// When the connection has been idle, or a head on its way, for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = self.state();
        if state.underway > 0 {
            return None;
        }
        Some(match state.head_since {
            Some(since) => since + self.header,
            None => state.idle_since + self.keep_alive,
        })
    }

    /// Whether a request is under way.
    pub(super) fn is_answering(&self) -> bool {
        self.state().underway > 0
    }

    /// Whether part of a head has come.
    pub(super) fn is_in_head(&self) -> bool {
        let state = self.state();
        state.underway == 0 && state.head_since.is_some()
    }

    /// Keeps an answer whose body a worker will write, for the driver.
    pub(super) fn leave(&self, head: Response, leaving: Leaving) {
        self.state().leaving = Some((head, leaving));
    }

    /// The answer with which the connection leaves HTTP, once all answers before it are written.
    pub(super) fn take_leaving(&self) -> Option<(Response, Leaving)> {
        if self.blocked.load(Ordering::Relaxed) {
            return None;
        }
        self.state().leaving.take()
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.underway -= 1;
        if state.underway == 0 {
            state.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const KEEP_ALIVE: Duration = Duration::from_secs(75);

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_own_deadline_and_an_idle_connection_another() {
        let start = Instant::now();
        let activity = Activity::new(HEADER, KEEP_ALIVE, start);
        assert_eq!(activity.due(), Some(start + HEADER));
        activity.on_read(b"GET");
        let (first, second) = (activity.begin(), activity.begin());
        assert_eq!(activity.due(), None);
        tokio::time::advance(Duration::from_secs(40)).await;
        drop(first);
        assert_eq!(activity.due(), None);
        drop(second);
        assert!(!activity.is_in_head());
        assert_eq!(activity.due(), Some(start + Duration::from_secs(40) + KEEP_ALIVE));
        tokio::time::advance(Duration::from_secs(30)).await;
        activity.on_read(b"G");
        tokio::time::advance(Duration::from_secs(3)).await;
        activity.on_read(b"E");
        assert!(activity.is_in_head());
        assert_eq!(activity.due(), Some(start + Duration::from_secs(70) + HEADER));
    }

    #[tokio::test]
    async fn what_is_read_while_a_request_is_under_way_begins_no_head() {
        let start = Instant::now();
        let activity = Activity::resumed(HEADER, KEEP_ALIVE, start);
        let underway = activity.begin();
        activity.on_read(b"GET");
        drop(underway);
        assert!(!activity.is_in_head());
    }
}
