//! Streams of HTTP/2 whose peer does not take its answer.
//!
//! Beneath HTTP/1.1 the socket is full when a peer does not read, and the write deadline sees it
//! (`io.rs`). Over HTTP/2 the socket flows on: a peer withholds the window of a stream, and goes on
//! answering pings. So each stream is watched by itself, and what waits on all streams of a
//! connection is bounded together.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::task::futures::TaskLocalFuture;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::code::Limit;
use crate::gate::Tallies;

/// The most of an answer that leaves in one piece: what hyper holds beyond the window.
const PIECE: usize = 16 * 1024;

/// How far the answer on one stream has come. Writer: its body. Reader: its task.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Since when hyper has had a piece without asking for the next.
    waits_since: Mutex<Option<Instant>>,
}

tokio::task_local! {
    static PROGRESS: Arc<Progress>;
}

impl Progress {
    /// That of the stream whose task this is; none outside [`Streams`].
    pub(super) fn of_this_stream() -> Option<Arc<Self>> {
        PROGRESS.try_with(Arc::clone).ok()
    }

    fn set(&self, since: Option<Instant>) {
        *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn waits_since(&self) -> Option<Instant> {
        *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts what a body gives, so that hyper asks again as soon as the peer has taken a little.
#[derive(Debug)]
pub(super) struct Pieces {
    progress: Arc<Progress>,
    rest: Bytes,
}

impl Pieces {
    pub(super) fn new(progress: Arc<Progress>) -> Self {
        Self { progress, rest: Bytes::new() }
    }

    /// hyper asks: what it had before is on its way. The next piece, if the body need not be asked.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        self.progress.set(None);
        if self.rest.is_empty() {
            return None;
        }
        Some(self.cut())
    }

    /// The first piece of what the body gave.
    pub(super) fn first(&mut self, bytes: Bytes) -> Bytes {
        self.progress.set(Some(Instant::now()));
        if bytes.len() <= PIECE {
            return bytes;
        }
        self.rest = bytes;
        self.cut()
    }

    /// Copied: a piece that hyper holds for long must not hold the whole answer.
    fn cut(&mut self) -> Bytes {
        self.progress.set(Some(Instant::now()));
        let piece = self.rest.split_to(PIECE.min(self.rest.len()));
        BytesMut::from(&*piece).freeze()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Runs the streams of a connection, each until it is done or its peer has taken nothing for the
/// write deadline; then it is reset, and the others go on.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) write: Duration,
    pub(super) tallies: Tallies,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let progress = Arc::<Progress>::default();
        let inner = Box::pin(PROGRESS.scope(Arc::clone(&progress), future));
        let streams = self.clone();
        tokio::spawn(Watched { inner, progress, streams, alarm: None });
    }
}

/// The task of one stream.
struct Watched<F> {
    inner: Pin<Box<TaskLocalFuture<Arc<Progress>, F>>>,
    progress: Arc<Progress>,
    streams: Streams,
    /// Exists only while something waits.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.inner.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = self.progress.waits_since() else {
            self.alarm = None;
            return Poll::Pending;
        };
        let due = since + self.streams.write;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if alarm.deadline() != due {
            alarm.as_mut().reset(due);
        }
        ready!(alarm.as_mut().poll(context));
        self.streams.tallies.mine().ended_by(Limit::WriteSeconds);
        // hyper's future is dropped with us, and that resets the stream.
        Poll::Ready(())
    }
}

/// Bytes of whole answers that wait on the streams of one connection.
///
/// Writers: the streams. Bound: a new request is not looked at while as much as the bound waits; so
/// beyond it there is at most an answer for each thread that makes one just then.
#[derive(Debug, Default)]
pub(super) struct Unread {
    bytes: Mutex<usize>,
    less: Notify,
    /// Who waits is let on in the order of asking.
    turn: tokio::sync::Mutex<()>,
}

/// An answer among those that wait, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    unread: Arc<Unread>,
    bytes: usize,
}

impl Unread {
    fn bytes(&self) -> std::sync::MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until less than `bound` waits. Cancel safe.
    pub(super) async fn below(&self, bound: usize) {
        let _turn = self.turn.lock().await;
        loop {
            let mut less = std::pin::pin!(self.less.notified());
            // Registered before looking: what is dropped in between is not missed.
            less.as_mut().enable();
            if *self.bytes() < bound {
                return;
            }
            less.await;
        }
    }

    /// Counts an answer.
    pub(super) fn add(self: &Arc<Self>, bytes: usize) -> Waiting {
        *self.bytes() += bytes;
        Waiting { unread: Arc::clone(self), bytes }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        *self.unread.bytes() -= self.bytes;
        self.unread.less.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_answer_is_cut_and_a_small_one_is_not() {
        let mut pieces = Pieces::new(Arc::default());
        let small = Bytes::from(vec![1; PIECE]);
        assert_eq!(pieces.first(small.clone()).as_ptr(), small.as_ptr());
        assert!(pieces.is_empty());
        let large: Bytes = (0..PIECE * 2 + 5).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut whole = Vec::from(pieces.first(large.clone()));
        while let Some(piece) = pieces.next() {
            assert!(piece.len() <= PIECE);
            whole.extend_from_slice(&piece);
        }
        assert_eq!(whole, large);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_waits_for_too_long_is_dropped_and_one_that_moves_is_not() {
        let streams = Streams { write: Duration::from_secs(10), tallies: Tallies::default() };
        let (ended, is_ended) = tokio::sync::oneshot::channel();
        streams.execute(async move {
            let progress = Progress::of_this_stream().unwrap();
            for _ in 0..5 {
                progress.set(Some(Instant::now()));
                tokio::time::sleep(Duration::from_secs(9)).await;
            }
            ended.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        is_ended.await.unwrap();
        let start = Instant::now();
        let (held, is_dropped) = tokio::sync::oneshot::channel::<()>();
        streams.execute(async move {
            let _held = held;
            Progress::of_this_stream().unwrap().set(Some(Instant::now()));
            std::future::pending::<()>().await;
        });
        assert!(is_dropped.await.is_err());
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn who_has_much_unread_waits_until_it_is_less() {
        let unread = Arc::<Unread>::default();
        let (first, second) = (unread.add(60), unread.add(50));
        let mut waits = Box::pin(unread.below(100));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        drop(second);
        waits.await;
        drop(first);
    }
}
