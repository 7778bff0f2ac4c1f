//! What is asked of a database, on its way there and back.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::vec;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use super::database::{
    Answer, Append, Change, Changed, DatabaseError, Erasure, Keys, Loaded, Window,
};
use super::section::{Found, Section};
use super::tally::Tally;
use crate::channel::{ChannelName, Position, Topics};

/// How much may wait for the database. What comes on top fails with [`DatabaseError::Unavailable`].
const QUEUE: usize = 1024;
/// How much of it shares a commit at the most.
const BATCH: usize = 256;
/// How much may wait to be read, beside the queue. What comes on top fails.
const READS: usize = 1024;

/// Something that is asked of a database, and who waits for it.
pub(super) enum Asked {
    Change(Change, Waits<Changed>),
    Append(Box<dyn Append>),
    Trim(ChannelName, Window, Waits<bool>),
    Forget(ChannelName, Waits<u64>),
    Erase(ChannelName, Erasure, Waits<Option<u64>>),
    BeginAnew(Vec<ChannelName>, Waits<()>),
    Load(ChannelName, Window, Waits<Option<Loaded>>),
    Page(ChannelName, Section, Waits<Option<Found>>),
    Retries(ChannelName, (u64, u64), Waits<Keys>),
    Channels(Waits<Vec<String>>),
}

/// Who waits.
pub(super) type Waits<T> = oneshot::Sender<Result<T, DatabaseError>>;

/// What became of something that was written, to be told once it is on disk.
pub(super) enum Written {
    Changed(Result<Changed, DatabaseError>),
    Appended(Position),
    Trimmed(bool),
    Forgot(u64),
    Erased(Option<u64>),
    Begun,
    /// A rule of the database says no.
    Refused,
}

/// The way to whoever speaks to the database. Bound: [`QUEUE`].
#[derive(Debug)]
pub struct Queue(mpsc::Sender<Asked>);

impl Queue {
    /// The queue, and its end at the database.
    pub(super) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self(queue), waiting)
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        asked: impl FnOnce(Waits<T>) -> Asked,
    ) -> Answer<'_, T> {
        let gone = || DatabaseError::Unavailable("nobody speaks to the database".to_owned());
        let (answer, answered) = oneshot::channel();
        let sent = self.0.try_send(asked(answer));
        Box::pin(async move {
            match sent {
                Ok(()) => answered.await.unwrap_or_else(|_| Err(gone())),
                Err(TrySendError::Closed(_)) => Err(gone()),
                Err(TrySendError::Full(_)) => {
                    Err(DatabaseError::Unavailable(format!("{QUEUE} wait for the database")))
                }
            }
        })
    }

    /// Has a publication written down, or gives it back.
    pub(super) fn append(&self, append: Box<dyn Append>) -> Result<(), Box<dyn Append>> {
        match self.0.try_send(Asked::Append(append)) {
            Err(
                TrySendError::Full(Asked::Append(back)) | TrySendError::Closed(Asked::Append(back)),
            ) => Err(back),
            // What comes back is what was sent.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Asked {
    /// Whether it changes anything: what does shares a commit.
    pub(super) const fn writes(&self) -> bool {
        !matches!(self, Self::Load(..) | Self::Page(..) | Self::Retries(..) | Self::Channels(_))
    }

    /// Tells who waits that it is done.
    fn told(self, written: Written) {
        match (self, written) {
            (Self::Change(_, waits), Written::Changed(changed)) => drop(waits.send(changed)),
            (Self::Append(append), Written::Appended(position)) => append.done(Ok(position)),
            (Self::Trim(_, _, waits), Written::Trimmed(all)) => drop(waits.send(Ok(all))),
            (Self::Forget(_, waits), Written::Forgot(last)) => drop(waits.send(Ok(last))),
            (Self::Erase(_, _, waits), Written::Erased(next)) => drop(waits.send(Ok(next))),
            (Self::BeginAnew(_, waits), Written::Begun) => drop(waits.send(Ok(()))),
            // What was done is what was asked for.
            (other, _) => other.failed(&DatabaseError::Refused),
        }
    }

    /// Tells who waits why it is not.
    pub(super) fn failed(self, error: &DatabaseError) {
        let error = error.clone();
        match self {
            Self::Change(_, waits) => drop(waits.send(Err(error))),
            Self::Append(append) => append.done(Err(error)),
            Self::Trim(_, _, waits) => drop(waits.send(Err(error))),
            Self::Forget(_, waits) => drop(waits.send(Err(error))),
            Self::Erase(_, _, waits) => drop(waits.send(Err(error))),
            Self::BeginAnew(_, waits) => drop(waits.send(Err(error))),
            Self::Retries(_, _, waits) => drop(waits.send(Err(error))),
            Self::Load(_, _, waits) => drop(waits.send(Err(error))),
            Self::Page(_, _, waits) => drop(waits.send(Err(error))),
            Self::Channels(waits) => drop(waits.send(Err(error))),
        }
    }
}

/// What waits to be read: what waits to be written goes first, and one of these comes behind it, so that
/// who posts waits for one reader, however many there are. Bound: [`READS`].
#[derive(Default)]
pub(super) struct Reads(VecDeque<Asked>);

impl Reads {
    /// Keeps what reads of `batch`, and gives back what writes.
    pub(super) fn take(&mut self, batch: Vec<Asked>) -> Vec<Asked> {
        let (writes, reads): (Vec<_>, Vec<_>) = batch.into_iter().partition(Asked::writes);
        for asked in reads {
            if self.0.len() < READS {
                self.0.push_back(asked);
            } else {
                let why = format!("{READS} wait to be read");
                asked.failed(&DatabaseError::Unavailable(why));
            }
        }
        writes
    }

    /// What is to be read next, in their order.
    pub(super) fn next(&mut self) -> Option<Asked> {
        self.0.pop_front()
    }

    /// Tells all of them why they are not read.
    pub(super) fn fail(&mut self, error: &DatabaseError) {
        for asked in self.0.drain(..) {
            asked.failed(error);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What became of a batch, to be told in its order.
pub(super) struct Answers {
    asked: vec::IntoIter<Asked>,
    /// Of each, or why all of it failed.
    written: Result<vec::IntoIter<Written>, DatabaseError>,
}

impl Answers {
    pub(super) fn new(
        batch: Vec<Asked>,
        written: Result<Vec<Written>, DatabaseError>,
        tally: &Tally,
    ) -> Self {
        // Whoever is answered finds it counted.
        if let Ok(written) = &written {
            tally.committed(written);
        }
        Self { asked: batch.into_iter(), written: written.map(Vec::into_iter) }
    }

    /// Tells the next so many; whether more are left.
    pub(super) fn tell(&mut self, most: usize) -> bool {
        for asked in self.asked.by_ref().take(most) {
            match &mut self.written {
                Ok(written) => asked.told(written.next().unwrap_or(Written::Refused)),
                Err(error) => asked.failed(error),
            }
        }
        self.asked.len() > 0
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("asked", &self.asked.len()).finish_non_exhaustive()
    }
}

/// Tells all of `batch` what became of it, in its order, or why all of it failed.
pub(super) fn answer(
    batch: Vec<Asked>,
    written: Result<Vec<Written>, DatabaseError>,
    tally: &Tally,
) {
    Answers::new(batch, written, tally).tell(usize::MAX);
}

/// What waits next, in its order, at least one. `None` once nobody can ask any more. Cancel safe.
pub(super) async fn next(waiting: &mut mpsc::Receiver<Asked>) -> Option<Vec<Asked>> {
    let mut batch = Vec::new();
    (waiting.recv_many(&mut batch, BATCH).await > 0).then_some(batch)
}

/// Tells `topics`, where they are others than those that were told last.
pub(super) fn tell(topics: Topics, told: &watch::Sender<Option<Arc<Topics>>>) {
    told.send_if_modified(|told| {
        let is_new = told.as_deref() != Some(&topics);
        if is_new {
            *told = Some(Arc::new(topics));
        }
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read() -> (Asked, oneshot::Receiver<Result<Vec<String>, DatabaseError>>) {
        let (waits, told) = oneshot::channel();
        (Asked::Channels(waits), told)
    }

    #[test]
    fn what_is_to_be_read_waits_in_its_order_up_to_its_bound() {
        let mut reads = Reads::default();
        let (asked, mut told): (Vec<_>, Vec<_>) = (0..=READS).map(|_| read()).unzip();
        let write = Asked::BeginAnew(Vec::new(), oneshot::channel().0);
        let writes = reads.take(asked.into_iter().chain([write]).collect());
        assert!(matches!(writes[..], [Asked::BeginAnew(..)]));
        let refused = told.pop().unwrap().try_recv().unwrap();
        let why = format!("{READS} wait to be read");
        assert_eq!(refused, Err(DatabaseError::Unavailable(why)));
        reads.next().unwrap().failed(&DatabaseError::Refused);
        assert_eq!(told[0].try_recv().unwrap(), Err(DatabaseError::Refused));
        assert!(told[1].try_recv().is_err(), "it waits");
        let gone = DatabaseError::Unavailable("gone".to_owned());
        reads.fail(&gone);
        for told in &mut told[1..] {
            assert_eq!(told.try_recv().unwrap(), Err(gone.clone()));
        }
        assert!(reads.is_empty());
    }
}
