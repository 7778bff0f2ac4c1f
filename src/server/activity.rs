//! What a connection that speaks HTTP is doing, and until when it may go on like that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::Response;
use tokio::time::Instant;

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
    /// The head that is coming has shown more than one length.
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
        drop(state);
        Underway(Arc::clone(self))
    }

    /// Bytes came. Between two requests they begin a head.
    pub(super) fn on_read(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.underway == 0 {
            state.head_since.get_or_insert_with(Instant::now);
            state.says_length_twice |= says_length_twice(bytes);
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

/// Whether a head says more than once how long its body is: by two lengths, or one beside chunks.
///
/// hyper makes one of two that are equal, and passes over one beside chunks, as RFC 9112 section 6.3
/// allows; nobody above it can tell. It is how a request is hidden from a proxy in front, so the
/// bytes are looked at where a head begins a read. In any other head hyper's way is taken.
fn says_length_twice(bytes: &[u8]) -> bool {
    let mut lengths = 0;
    for line in bytes.split(|byte| *byte == b'\n').skip(1) {
        if line.len() < 2 {
            break;
        }
        let names = |name: &[u8]| {
            let is_name = line.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
            is_name && line.get(name.len()) == Some(&b':')
        };
        let is_candidate = matches!(line.first(), Some(b'c' | b'C' | b't' | b'T'));
        if is_candidate && (names(b"content-length") || names(b"transfer-encoding")) {
            lengths += 1;
        }
    }
    lengths > 1
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

    #[test]
    fn a_length_said_twice_is_seen_in_the_head_alone() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        for twice in [
            "Content-Length: 1\r\ncontent-length: 1\r\n",
            "Content-Length: 1\r\nX: y\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert!(says_length_twice(head(twice).as_bytes()), "{twice}");
        }
        for once in [
            "Content-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length-More: 1\r\n",
            "Content-Length: 1\r\n\r\nContent-Length: 1\r\n",
            "",
        ] {
            assert!(!says_length_twice(head(once).as_bytes()), "{once}");
        }
    }
}
