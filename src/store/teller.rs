//! Telling what became of a batch while the disk has the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::asked::{self, Asked, Written};
use super::database::DatabaseError;
use super::tally::Tally;

/// Batches that may wait to be told of.
const AHEAD: usize = 2;

/// Tells batches in their order, by a task of the runtime: that one wakes who waits at little cost,
/// and the disk need not wait for it.
///
/// Writer: whoever speaks to the database. Readers: the task, and the writer where [`AHEAD`] wait
/// already, or where the task is gone: it tells them itself then, and so gets no further ahead.
#[derive(Debug, Default)]
pub(super) struct Teller {
    waiting: Mutex<VecDeque<Batch>>,
    /// Held by whoever tells: so the order stays.
    telling: Mutex<()>,
    more: Notify,
    /// The task is gone.
    is_alone: AtomicBool,
    pub(super) tally: Tally,
}

struct Batch {
    asked: Vec<Asked>,
    written: Result<Vec<Written>, DatabaseError>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("asked", &self.asked.len()).finish_non_exhaustive()
    }
}

impl Teller {
    /// Has all of `asked` told what became of it, in its order, or why all of it failed, from the next
    /// [`ring`](Self::ring) on.
    pub(super) fn tell(&self, asked: Vec<Asked>, written: Result<Vec<Written>, DatabaseError>) {
        let count = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push_back(Batch { asked, written });
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

    /// Tells all that wait, for ever.
    pub(super) async fn keep_telling(self: Arc<Self>) {
        let _until = Until(&self.is_alone);
        loop {
            self.more.notified().await;
            self.tell_all();
        }
    }

    /// Tells all that wait now.
    pub(super) fn tell_all(&self) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Batch { asked, written }) = self.next() {
            asked::answer(asked, written, &self.tally);
        }
    }

    fn next(&self) -> Option<Batch> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// However the task ends, that is known.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
