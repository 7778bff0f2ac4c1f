//! The contract of the database: what outlives the process, and what other programs may change too.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::channel::{Bounds, ChannelName, Position, Retry, Stored, Topic, Topics};

/// The topics as the database has them; none until it was read for the first time.
pub type TopicsTold = watch::Receiver<Option<Arc<Topics>>>;

/// An answer of the database, waited for.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DatabaseError>> + Send + 'a>>;

/// The database of a node. What is read often is kept in memory, so that reading costs it nothing.
///
/// What is asked for is done in that order, and what waits at the same time shares a commit. What was
/// answered is on disk. Cancelling a wait undoes nothing.
pub trait Database: fmt::Debug + Send + Sync {
    /// Makes a change; answered once it is on disk and in [`topics`](Self::topics).
    ///
    /// # Errors
    /// [`DatabaseError`]. One that could not be reached may have made the change all the same.
    fn change(&self, change: Change) -> Answer<'_, Changed>;

    /// The topics as they stand, told at every change, also at one that another program made. Where
    /// they cannot be read, they are the last that were.
    fn topics(&self) -> TopicsTold;

    /// Whether the database could be reached when it was last tried.
    fn is_reached(&self) -> bool;

    /// Has a publication written down; [`Append::done`] is told of what became of it, in the order of
    /// these calls.
    ///
    /// # Errors
    /// The publication itself, where too much waits.
    fn append(&self, append: Box<dyn Append>) -> Result<(), Box<dyn Append>>;

    /// The newest position of a channel, and what is kept of it within `window`, oldest first. None
    /// where nothing was ever written down.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn load(&self, channel: ChannelName, window: Window) -> Answer<'_, Option<Loaded>>;

    /// Has what lies outside of `window` forgotten, a part of it if it is much; whether that was all.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn trim(&self, channel: ChannelName, window: Window) -> Answer<'_, bool>;

    /// The names of all channels that were ever written down.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn channels(&self) -> Answer<'_, Vec<String>>;
}

/// A publication on its way to the disk.
pub trait Append: Send {
    /// What it is.
    fn entry(&self) -> Entry<'_>;

    /// The message, now that its place is known.
    fn render(&mut self, position: Position) -> Bytes;

    /// It is on disk at this place, or nowhere.
    fn done(self: Box<Self>, done: Result<Position, DatabaseError>);
}

/// What a database writes down of a publication, beside its message.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its channel.
    pub channel: &'a ChannelName,
    /// The newest position that the node knows of the channel: the database goes on from there if it
    /// knows none.
    pub known: Position,
    /// The client id of who published; empty for a backend.
    pub sender: &'a str,
    /// When it was accepted, in milliseconds since 1970.
    pub at: u64,
    /// What a retry is recognised by.
    pub retry: Option<&'a Retry>,
}

/// What is kept of a channel, as far as a database can tell.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The newest within these.
    pub bounds: Bounds,
    /// Now, in milliseconds since 1970.
    pub now: u64,
}

/// A channel as the database has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// Its newest position.
    pub last: Position,
    /// What is kept, oldest first, numbered without a hole.
    pub kept: Vec<Stored>,
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
    /// It cannot be reached or written now; why, in words without secrets.
    Unavailable(String),
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there is no room for another topic"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl Loaded {
    /// What is kept within `window` of what was found, which is newest first.
    pub(super) fn of<E>(
        last: Position,
        window: &Window,
        found: impl Iterator<Item = Result<Stored, E>>,
    ) -> Result<Self, E> {
        let (mut kept, mut bytes): (Vec<Stored>, usize) = (Vec::new(), 0);
        for stored in found {
            let stored = stored?;
            bytes += stored.plain.len();
            let next = kept.last().map_or(last.offset, |newer| newer.position.offset - 1);
            // What is not the next one down was lost: nothing is kept beyond a hole.
            if bytes > window.bounds.bytes || stored.position.offset != next {
                break;
            }
            kept.push(stored);
        }
        kept.reverse();
        Ok(Self { last, kept })
    }
}

impl Window {
    /// The time before which nothing is kept.
    pub(super) fn since(&self) -> u64 {
        let age = u64::try_from(self.bounds.age.as_millis()).unwrap_or(u64::MAX);
        self.now.saturating_sub(age)
    }

    /// Whether the message at `place` of a channel lies outside, where `bytes` are those of it and of
    /// all that is newer, up to `last`.
    pub(super) fn is_past(&self, last: u64, place: u64, at: u64, bytes: u64) -> bool {
        last - place.min(last) >= self.most()
            || at <= self.since()
            || bytes > u64::try_from(self.bounds.bytes).unwrap_or(u64::MAX)
    }

    /// How many are kept at the most.
    pub(super) fn most(&self) -> u64 {
        u64::try_from(self.bounds.messages).unwrap_or(u64::MAX)
    }
}
