//! HTTP/2: what one connection may have open at once, and streams that a peer does not take.
//!
//! A peer can hold back one stream with its window while the connection itself flows: no write ever
//! waits then, and the write deadline of the byte stream has nothing to judge. So each stream has
//! its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body::{Body as _, Frame, SizeHint};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::time::{Instant, Sleep};

use super::serve::HTTP_BUFFER;
use crate::config::Config;

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
/// An answer leaves in pieces of this size: a piece is all that HTTP/2 holds of it beyond the window.
const PIECE: usize = 16 * 1024;
/// The last piece of an answer, behind which nobody watches whether it is taken.
const LAST_PIECE: usize = 1024;

tokio::task_local! {
    /// How far the peer takes the answer on the stream of this task.
    static TAKING: Arc<Taking>;
}

/// How a connection is driven, with every bound named that one of its peers could lean on.
pub(super) fn builder(config: &Config) -> http2::Builder<Streams> {
    let limits = &config.limits;
    let mut builder = http2::Builder::new(Streams { deadline: limits.write_seconds });
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
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_RESET_UNSEEN)
        .max_local_error_reset_streams(MAX_RESET_BY_US);
    builder
}

/// Runs the streams of a connection, each in a task; one that its peer does not take is reset.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    deadline: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let taking = Arc::<Taking>::default();
        let watched = Watched {
            stream: Box::pin(stream),
            taking: Arc::clone(&taking),
            deadline: self.deadline,
            waiting: None,
        };
        tokio::spawn(TAKING.scope(taking, watched));
    }
}

/// What the body of an answer tells of the stream that carries it.
///
/// Writer: the body. Reader: [`Watched`], in the same task.
#[derive(Debug, Default)]
struct Taking {
    /// How many pieces were given, and one more; 0 while the body has nothing to give.
    given: AtomicU64,
}

/// A stream, and since when the peer has not taken what it was given last.
struct Watched<F> {
    stream: Pin<Box<F>>,
    taking: Arc<Taking>,
    deadline: Duration,
    /// Which piece waits, and until when it may.
    waiting: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let given = self.taking.given.load(Ordering::Relaxed);
        if given == 0 {
            self.waiting = None;
            return Poll::Pending;
        }
        let by = Instant::now() + self.deadline;
        match &mut self.waiting {
            Some((piece, _)) if *piece == given => {}
            waiting => *waiting = Some((given, Box::pin(tokio::time::sleep_until(by)))),
        }
        if let Some((_, sleep)) = &mut self.waiting {
            ready!(sleep.as_mut().poll(context));
        }
        // Dropped in the middle of its answer, hyper's stream is reset.
        tracing::debug!("a stream was given up: its peer does not take what is sent");
        Poll::Ready(())
    }
}

/// The body of an answer over HTTP/2, in pieces.
pub(super) struct Pieces {
    body: Body,
    /// What is left of a piece that was too large.
    rest: Bytes,
    given: u64,
    taking: Option<Arc<Taking>>,
}

impl Pieces {
    /// Cuts `body`. Called in the task of its stream.
    pub(super) fn new(body: Body) -> Self {
        let taking = TAKING.try_with(Arc::clone).ok();
        Self { body, rest: Bytes::new(), given: 0, taking }
    }

    fn tell(&self, given: u64) {
        if let Some(taking) = &self.taking {
            taking.given.store(given, Ordering::Relaxed);
        }
    }

    /// The next piece of what is left.
    fn cut(&mut self) -> Bytes {
        let left = self.rest.len();
        let is_last = left <= PIECE && self.body.is_end_stream();
        let length = match left {
            _ if is_last && left > LAST_PIECE => left - LAST_PIECE,
            _ => left.min(PIECE),
        };
        self.given += 1;
        self.tell(self.given);
        if length == left && self.given > 1 && is_last {
            // A copy: this little would keep the whole of the answer.
            return Bytes::copy_from_slice(&std::mem::take(&mut self.rest));
        }
        self.rest.split_to(length)
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            // Whatever was given before is taken, as far as anybody can know.
            self.tell(0);
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.cut()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.size_hint();
        let left = u64::try_from(self.rest.remaining()).unwrap_or(u64::MAX);
        let mut all = SizeHint::new();
        all.set_lower(hint.lower().saturating_add(left));
        if let Some(upper) = hint.upper() {
            all.set_upper(upper.saturating_add(left));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn an_answer_leaves_in_pieces_and_ends_with_a_small_one() {
        for length in [0, 1, LAST_PIECE, LAST_PIECE + 1, PIECE, PIECE + 1, 3 * PIECE, 100_000] {
            let whole: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut pieces = Pieces::new(Body::from(whole.clone()));
            assert_eq!(pieces.size_hint().exact(), Some(u64::try_from(length).unwrap()));
            let (mut got, mut last) = (Vec::new(), 0);
            while let Some(frame) = pieces.frame().await {
                let data = frame.unwrap().into_data().unwrap();
                assert!(!data.is_empty() && data.len() <= PIECE, "{length}");
                last = data.len();
                got.extend_from_slice(&data);
                assert_eq!(pieces.is_end_stream(), got.len() == length, "{length}");
            }
            assert!(last <= LAST_PIECE, "{length} ends with {last}");
            assert_eq!(got, whole);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_given_up_only_while_its_peer_takes_nothing() {
        let taking = Arc::<Taking>::default();
        let start = Instant::now();
        let deadline = Duration::from_secs(10);
        let body = Arc::clone(&taking);
        let stream = Box::pin(async move {
            // A long wait for something to send is nobody's fault; then two pieces are slow.
            tokio::time::sleep(deadline * 5).await;
            for piece in 1..=2 {
                body.given.store(piece, Ordering::Relaxed);
                tokio::time::sleep(deadline * 9 / 10).await;
            }
            std::future::pending::<()>().await;
        });
        Watched { stream, taking, deadline, waiting: None }.await;
        let expected = deadline * 5 + deadline * 9 / 10 + deadline;
        assert!(start.elapsed().abs_diff(expected) < Duration::from_millis(10));
    }
}
