//! The contract of the database: what outlives the process, and what other programs may change too.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::channel::{Topic, Topics};

/// How many changes may wait for the database. Further ones fail with
/// [`DatabaseError::Unavailable`].
const QUEUE: usize = 256;
/// How many changes share a commit at the most.
const BATCH: usize = 64;

/// The topics as the database has them; none until it was read for the first time.
pub type TopicsTold = watch::Receiver<Option<Arc<Topics>>>;

/// An answer of the database, waited for.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Changed, DatabaseError>> + Send + 'a>>;

/// The database of a node. What is read often is kept in memory, so that reading costs it nothing.
pub trait Database: fmt::Debug + Send + Sync {
    /// Makes a change; answered once it is on disk and in [`topics`](Self::topics).
    ///
    /// Changes are in the order in which they were asked for. Cancelling the wait undoes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`]. One that could not be reached may have made the change all the same.
    fn change(&self, change: Change) -> Answer<'_>;

    /// The topics as they stand, told at every change, also at one that another program made. Where
    /// they cannot be read, they are the last that were.
    fn topics(&self) -> TopicsTold;

    /// Whether the database could be reached when it was last tried.
    fn is_reached(&self) -> bool;
}

/// A change of the topics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A topic of this comment comes onto the board.
    Add(String),
    /// The topic of this id goes.
    Remove(i64),
}

/// What a change came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Changed {
    /// The topic is there.
    Added(Topic),
    /// The topic is gone.
    Removed,
    /// There was no such topic.
    Absent,
}

/// Why the database did not do what it was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatabaseError {
    /// The board has no room for another topic.
    Full,
    /// The database has rules of its own that this breaks: it would fail again.
    Refused,
    /// It cannot be reached or written now; why, in words without secrets.
    Unavailable(String),
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there is no room for another topic"),
            Self::Refused => f.write_str("the database has rules that it breaks"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DatabaseError {}

/// A change, and who waits for it.
pub(super) struct Order {
    pub(super) change: Change,
    answer: oneshot::Sender<Result<Changed, DatabaseError>>,
}

/// The changes that wait for whoever speaks to the database. Bound: [`QUEUE`].
#[derive(Debug)]
pub(super) struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// The queue, and its end at the database.
    pub(super) fn new() -> (Self, mpsc::Receiver<Order>) {
        let (orders, waiting) = mpsc::channel(QUEUE);
        (Self(orders), waiting)
    }

    /// Asks for a change and waits for its answer.
    pub(super) fn ask(&self, change: Change) -> Answer<'_> {
        let gone = || DatabaseError::Unavailable("nobody speaks to the database".to_owned());
        let (answer, answered) = oneshot::channel();
        let asked = self.0.try_send(Order { change, answer });
        Box::pin(async move {
            match asked {
                Ok(()) => answered.await.unwrap_or_else(|_| Err(gone())),
                Err(TrySendError::Closed(_)) => Err(gone()),
                Err(TrySendError::Full(_)) => {
                    let why = format!("{QUEUE} changes wait for the database");
                    Err(DatabaseError::Unavailable(why))
                }
            }
        })
    }
}

impl Order {
    /// Answers, where somebody still waits.
    pub(super) fn answer(self, answer: Result<Changed, DatabaseError>) {
        let _ = self.answer.send(answer);
    }

    /// Answers all of `batch`, each with its own, or all with the reason why none was done.
    pub(super) fn answer_all(batch: Vec<Self>, done: Result<Vec<Done>, DatabaseError>) {
        match done {
            Ok(done) => batch.into_iter().zip(done).for_each(|(order, done)| order.answer(done)),
            Err(error) => batch.into_iter().for_each(|order| order.answer(Err(error.clone()))),
        }
    }
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

/// What became of one change of a batch.
pub(super) type Done = Result<Changed, DatabaseError>;

/// The next changes, which share a commit: those that wait, at least one. `None` once nobody can ask
/// any more. Cancel safe.
pub(super) async fn next(waiting: &mut mpsc::Receiver<Order>) -> Option<Vec<Order>> {
    let mut batch = Vec::new();
    (waiting.recv_many(&mut batch, BATCH).await > 0).then_some(batch)
}
