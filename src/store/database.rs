//! The contract of the database: what outlives the process, and what other programs may change too.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::asked::{Asked, Queue};
use super::section::{Found, Section};
use super::tally::Tally;
use crate::channel::{Bounds, ChannelName, Epoch, Position, Retry, Stored, Topic, Topics};

/// The topics as the database has them; none until it was read for the first time.
pub type TopicsTold = watch::Receiver<Option<Arc<Topics>>>;

/// How long the key of a post is remembered, in milliseconds. Source: wire.md section 3.
const RETRIES: u64 = 5 * 60 * 1000;

/// An answer of the database, waited for.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DatabaseError>> + Send + 'a>>;

/// The database of a node. What is read often is kept in memory, so that reading costs it nothing.
///
/// What is asked for is done in that order, and what waits at the same time shares a commit. What was
/// answered is on disk. Cancelling a wait undoes nothing.
pub trait Database: fmt::Debug + Send + Sync {
    /// The way to whoever speaks to it.
    fn queue(&self) -> &Queue;

    /// Makes a change; answered once it is on disk and in [`topics`](Self::topics).
    ///
    /// # Errors
    /// [`DatabaseError`]. One that could not be reached may have made the change all the same.
    fn change(&self, change: Change) -> Answer<'_, Changed> {
        self.queue().ask(|waits| Asked::Change(change, waits))
    }

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
    fn append(&self, append: Box<dyn Append>) -> Result<(), Box<dyn Append>> {
        self.queue().append(append)
    }

    /// The newest position of a channel, and the newest of what lies in `window`. None where nothing
    /// was ever written down.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn load(&self, channel: ChannelName, window: Window) -> Answer<'_, Option<Loaded>> {
        self.queue().ask(|waits| Asked::Load(channel, window, waits))
    }

    /// A page of a channel. None where nothing was ever written down.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn page(&self, channel: ChannelName, section: Section) -> Answer<'_, Option<Found>> {
        self.queue().ask(|waits| Asked::Page(channel, section, waits))
    }

    /// The keys that posts came with that were accepted after `since`, milliseconds since 1970, and have
    /// numbers below `below`: some of them, newest first.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn retries(&self, channel: ChannelName, since: u64, below: u64) -> Answer<'_, Keys> {
        self.queue().ask(|waits| Asked::Retries(channel, (since, below), waits))
    }

    /// Has what lies outside of `window` forgotten, a part of it if it is much; whether that was all.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn trim(&self, channel: ChannelName, window: Window) -> Answer<'_, bool> {
        self.queue().ask(|waits| Asked::Trim(channel, window, waits))
    }

    /// Has all that was said on a channel forgotten; the offset of the newest of it. Its order goes on,
    /// and nobody is served what was forgotten, though it is there until it is erased or trimmed.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn forget(&self, channel: ChannelName) -> Answer<'_, u64> {
        self.queue().ask(|waits| Asked::Forget(channel, waits))
    }

    /// Has a piece of what was forgotten deleted; the offset to go on after, none if that was all. Posts
    /// whose keys are remembered stay so long, without what they said.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn erase(&self, channel: ChannelName, erasure: Erasure) -> Answer<'_, Option<u64>> {
        self.queue().ask(|waits| Asked::Erase(channel, erasure, waits))
    }

    /// Has the orders of those of `channels` that were ever written down begin anew, with what was said
    /// on them.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn begin_anew(&self, channels: Vec<ChannelName>) -> Answer<'_, ()> {
        self.queue().ask(|waits| Asked::BeginAnew(channels, waits))
    }

    /// The names of all channels that were ever written down.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`].
    fn channels(&self) -> Answer<'_, Vec<String>> {
        self.queue().ask(Asked::Channels)
    }

    /// What was counted of it, since the process started.
    fn tally(&self) -> &Tally;
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

/// A part of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// What is kept of the channel, less what the caller has.
    pub bounds: Bounds,
    /// Now, in milliseconds since 1970.
    pub now: u64,
    /// The offset of the oldest that the caller has; none if it has nothing.
    pub below: Option<u64>,
    /// How much of it is wanted at once: so many messages, and so many bytes, but at least one.
    pub piece: (usize, usize),
    /// Whether the newest message of the channel is kept whatever the bounds are.
    pub greets: bool,
}

/// A part of a channel that was forgotten, and is to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct Erasure {
    /// It lies after this offset, below which all was deleted.
    pub after: u64,
    /// The offset of the newest that was forgotten.
    pub up_to: u64,
    /// Now, in milliseconds since 1970.
    pub now: u64,
}

/// A channel as the database has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// Its newest position.
    pub last: Position,
    /// The newest in the window, oldest first, numbered without a hole.
    pub kept: Vec<Stored>,
    /// Whether nothing older lies in the window.
    pub is_whole: bool,
    /// The number that is missing, where what is older lies behind a hole: then it was lost.
    pub hole: Option<u64>,
}

/// Keys that posts came with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keys {
    /// The keys, newest first.
    pub keys: Vec<Retried>,
    /// The number below which there are more; none if that was all.
    pub below: Option<u64>,
}

/// A key that a post came with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retried {
    /// The place of the post.
    pub position: Position,
    /// The client id of who published it; empty for a backend.
    pub sender: String,
    /// When it was accepted, in milliseconds since 1970.
    pub at: u64,
    /// The key.
    pub retry: Retry,
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

impl Loaded {
    /// What lies in `window` of what was found, which is newest first, below the window's upper end.
    pub(crate) fn of<E>(
        last: Position,
        window: &Window,
        found: impl Iterator<Item = Result<Stored, E>>,
    ) -> Result<Self, E> {
        let (mut kept, mut bytes): (Vec<Stored>, usize) = (Vec::new(), 0);
        let mut next = window.below.map_or(last.offset, |below| below.saturating_sub(1));
        let (mut is_whole, mut hole) = (true, None);
        for stored in found {
            let stored = stored?;
            let is_piece = kept.len() >= window.piece.0 || bytes >= window.piece.1;
            bytes += stored.plain.len();
            let is_past = bytes > window.bounds.bytes
                || kept.len() >= window.bounds.messages
                || stored.at <= window.since();
            if is_past && !window.is_greeting(last.offset, stored.position.offset) {
                break;
            }
            if stored.position.offset != next {
                // Nothing is kept beyond a hole.
                hole = Some(next);
                break;
            }
            if is_piece {
                is_whole = false;
                break;
            }
            next = next.saturating_sub(1);
            kept.push(stored);
        }
        kept.reverse();
        Ok(Self { last, kept, is_whole, hole })
    }
}

impl Loaded {
    /// The same, where what is newer than `sure` may not be true.
    pub(super) fn up_to(mut self, sure: Option<u64>) -> Self {
        self.last.offset = sure.map_or(self.last.offset, |sure| self.last.offset.min(sure));
        self
    }
}

impl Window {
    /// The same, where what is newer than `sure` may not be true.
    pub(super) fn up_to(mut self, sure: Option<u64>) -> Self {
        if let Some(sure) = sure {
            self.below = Some(self.below.map_or(sure + 1, |below| below.min(sure + 1)));
        }
        self
    }

    /// The time before which nothing is kept.
    pub(super) fn since(&self) -> u64 {
        let age = u64::try_from(self.bounds.age.as_millis()).unwrap_or(u64::MAX);
        self.now.saturating_sub(age)
    }

    /// The offset that everything lies below, as a database counts, and how many rows tell what there
    /// is: one more than the piece, so that it is known whether there are more.
    pub(super) fn rows(&self) -> (i64, i64) {
        let below = self.below.unwrap_or(u64::MAX);
        let count = self.piece.0.saturating_add(1);
        (i64::try_from(below).unwrap_or(i64::MAX), i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Whether the message at `place` of a channel lies outside, where `bytes` are those of it and of
    /// all that is newer, up to `last`.
    pub(super) fn is_past(&self, last: u64, place: u64, at: u64, bytes: u64) -> bool {
        let is_past = last - place.min(last)
            >= u64::try_from(self.bounds.messages).unwrap_or(u64::MAX)
            || at <= self.since()
            || bytes > u64::try_from(self.bounds.bytes).unwrap_or(u64::MAX);
        is_past && !self.is_greeting(last, place)
    }

    /// Whether the message at `place` is the one that newcomers begin with.
    const fn is_greeting(&self, last: u64, place: u64) -> bool {
        self.greets && place >= last
    }

    /// The time after which a key is remembered, and the post that it came with is not forgotten.
    pub const fn retries_since(&self) -> u64 {
        self.now.saturating_sub(RETRIES)
    }
}

impl Erasure {
    /// The time after which a key is remembered.
    pub(super) const fn retries_since(&self) -> u64 {
        self.now.saturating_sub(RETRIES)
    }
}

/// An order that nobody has an id of.
pub(super) fn new_epoch() -> Epoch {
    // Without the operating system's generator no token could be made either.
    Epoch::from_random(getrandom::u64().expect("the operating system gives random numbers"))
}
