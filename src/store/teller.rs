//! Telling what became of a batch while the disk has the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::asked::{Answers, Asked, Written};
use super::database::DatabaseError;
use super::tally::Tally;

/// Batches that may wait to be told of.
const AHEAD: usize = 2;
/// How many of a batch are told before the processor is offered to whoever speaks to a slow disk.
const PIECE: usize = 8;
/// From what a commit takes on, posts wait for the disk more than for the processor.
const SLOW: Duration = Duration::from_micros(1500);

/// Tells batches in their order, by a task of the runtime: that one wakes who waits at little cost,
/// and the disk need not wait for it.
///
/// Who is told posts again. A sync is several steps, and with one processor to share each step waits
/// until all of that is done: so where the disk is slow, a batch is told in pieces, and the processor
/// offered in between. Where it is not, pieces only cost.
///
/// Writer: whoever speaks to the database. Readers: the task, and the writer where [`AHEAD`] wait
/// already, or where the task is gone: it tells them itself then, and so gets no further ahead.
#[derive(Debug, Default)]
pub(super) struct Teller {
    waiting: Mutex<VecDeque<Answers>>,
    /// What is left of those that are told now. Held by whoever tells: so the order stays.
    telling: Mutex<Option<Answers>>,
    more: Notify,
    /// Commits take [`SLOW`].
    is_slow: AtomicBool,
    /// The task is gone.
    is_alone: AtomicBool,
    pub(super) tally: Tally,
}

impl Teller {
    /// Has all of `asked` told what became of it, in its order, or why all of it failed, from the next
    /// [`ring`](Self::ring) on.
    pub(super) fn tell(&self, asked: Vec<Asked>, written: Result<Vec<Written>, DatabaseError>) {
        let answers = Answers::new(asked, written, &self.tally);
        let count = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push_back(answers);
            waiting.len()
        };
        if count > AHEAD || self.is_alone.load(Ordering::Relaxed) {
            self.tell_all();
        }
    }

    /// Wakes the task. Who is told has things to do, at once and on the same processors: so best right
    /// before whoever speaks to the database waits for something.
    pub(super) fn ring(&self) {
        self.more.notify_one();
    }

    /// Hears what commits take.
    pub(super) fn pace(&self, commit: Duration) {
        self.is_slow.store(commit >= SLOW, Ordering::Relaxed);
    }

    /// Tells all that wait, for ever.
    pub(super) async fn keep_telling(self: Arc<Self>) {
        let _until = Until(&self.is_alone);
        loop {
            self.more.notified().await;
            while self.tell_some() {
                if self.is_slow.load(Ordering::Relaxed) {
                    // First to those who were told, then to other threads.
                    tokio::task::yield_now().await;
                    std::thread::yield_now();
                }
            }
        }
    }

    /// Tells all that wait now.
    pub(super) fn tell_all(&self) {
        while self.tell_some() {}
    }

    /// Tells a piece of what waits; whether more does.
    fn tell_some(&self) -> bool {
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut answers) = telling.take().or_else(|| waiting().pop_front()) else {
            return false;
        };
        if answers.tell(PIECE) {
            *telling = Some(answers);
        }
        telling.is_some() || !waiting().is_empty()
    }
}

/// However the task ends, that is known.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::channel::ChannelName;

    /// Tells 20 after a commit that took so long; how many were told when the first of them looked.
    async fn told_at_once(commit: Duration) -> usize {
        let teller = Arc::<Teller>::default();
        let telling = tokio::spawn(Arc::clone(&teller).keep_telling());
        let (asked, mut answers): (Vec<_>, Vec<_>) = (0..20)
            .map(|_| {
                let (waits, answer) = oneshot::channel();
                (Asked::Forget(ChannelName::parse("kept").unwrap(), waits), answer)
            })
            .unzip();
        teller.pace(commit);
        teller.tell(asked, Ok((0..20).map(Written::Forgot).collect()));
        assert!(answers[0].try_recv().is_err(), "told before the bell");
        teller.ring();
        let mut answers = answers.into_iter();
        assert_eq!(answers.next().unwrap().await.unwrap().unwrap(), 0);
        let mut rest: Vec<_> = answers.collect();
        let told = 1 + rest.iter_mut().filter(|answer| !answer.is_empty()).count();
        for (place, answer) in (1..).zip(rest) {
            assert_eq!(answer.await.unwrap().unwrap(), place);
        }
        telling.abort();
        told
    }

    #[tokio::test]
    async fn a_batch_is_told_in_pieces_where_the_disk_is_slow() {
        assert_eq!(told_at_once(2 * SLOW).await, PIECE);
        assert_eq!(told_at_once(SLOW / 2).await, 20);
    }

    #[tokio::test]
    async fn whoever_writes_tells_in_order_where_the_task_does_not() {
        let teller = Teller::default();
        let mut answers = Vec::new();
        for batch in 0..=AHEAD {
            let (waits, answer) = oneshot::channel();
            let asked = Asked::Forget(ChannelName::parse("kept").unwrap(), waits);
            teller.tell(vec![asked], Ok(vec![Written::Forgot(0)]));
            answers.push(answer);
            let told = answers.iter().filter(|answer| !answer.is_empty()).count();
            assert_eq!(told, if batch == AHEAD { AHEAD + 1 } else { 0 });
        }
    }
}
