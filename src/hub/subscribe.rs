//! Subscribing and resuming: where a subscriber starts, and what it missed.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::recent::{BYTES, Bottom};
use super::{Channel, State};
use crate::channel::{Bounds, DeliveryPolicy, Extent, Gap, Position, Publication, Since};
use crate::dialect::plain;
use crate::worker::{ChannelKey, Page, Source};

/// Where a subscriber wants to begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum From {
    /// With what comes now, behind the greeting where the kind has one.
    Now,
    /// After what it has.
    Since(Since),
    /// With the newest so many that are kept.
    Newest(usize),
}

/// Where a subscriber does begin.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// What it is taken to have.
    pub position: Position,
    /// The newest publication there is.
    pub last: Position,
    /// What it asked for and cannot get.
    pub gap: Option<Gap>,
}

impl Start {
    /// From where to ask again, as long as nothing of what follows has come: what was asked for
    /// where that led to a gap, so that a cut before the gap is told does not hide it.
    pub fn resume(&self) -> String {
        self.gap.as_ref().map_or_else(|| self.position.to_string(), |gap| gap.since.to_string())
    }

    /// Whether there is anything between the start and now.
    pub const fn is_behind(&self) -> bool {
        self.position.offset < self.last.offset
    }
}

impl Channel {
    /// Counts a subscriber of `worker` and hands its start to `attach`, in one step: what is
    /// published after the start reaches the worker behind what `attach` sends there.
    ///
    /// `None` if the channel was just freed: look it up again. Waits: no. Locks: the channel's own.
    pub fn subscribe<T>(
        &self,
        from: From,
        worker: usize,
        attach: impl FnOnce(ChannelKey, Start) -> Option<T>,
    ) -> Option<Option<T>> {
        let mut state = self.state();
        if state.freed {
            return None;
        }
        let start = state.start(from);
        state.used_at = Instant::now();
        let attached = attach(self.key, start);
        if attached.is_some()
            && let Some(count) = state.subscribers.get_mut(worker)
        {
            *count += 1;
        }
        Some(attached)
    }

    /// Everything that is kept after `from`, and where that begins.
    pub fn kept(&self, from: From, limit: usize) -> (Start, Vec<Arc<Publication>>) {
        let mut state = self.state();
        let start = state.start(from);
        let kept = state.recent.after(start.position.offset).take(limit).cloned().collect();
        (start, kept)
    }

    /// The newest that are kept before `before`, newest first, whether there are more, and where a
    /// page of none begins.
    ///
    /// A gap is told where what came right before `before` cannot be had: it is not kept any more,
    /// or `before` is of another epoch or from the future.
    pub fn kept_before(
        &self,
        before: Position,
        limit: usize,
    ) -> (Start, Vec<Arc<Publication>>, bool) {
        let mut state = self.state();
        let start = state.start_before(before);
        if before.epoch != start.last.epoch {
            return (start, Vec::new(), false);
        }
        let mut kept: Vec<_> =
            state.recent.before(before.offset).take(limit + 1).cloned().collect();
        drop(state);
        let more = kept.len() > limit;
        kept.truncate(limit);
        (start, kept, more)
    }
}

/// What a reader needs of a channel.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// What a subscriber that begins there does.
    From(From),
    /// So many before a position, and whether there are more.
    Before(Position, usize),
}

/// What a reader needs of a durable channel and memory does not have.
#[derive(Clone, Copy, Debug)]
pub struct Lack {
    /// It lies below this offset.
    pub below: u64,
    /// What of the channel's bounds is left for it.
    pub bounds: Bounds,
}

impl Channel {
    /// Whether memory has all that is kept of `reach`.
    pub fn has(&self, reach: Reach) -> bool {
        let mut state = self.state();
        state.recent.trim(Instant::now());
        state.recent.bottom() == Bottom::Nothing || !state.is_beneath(reach, state.extent().first)
    }

    /// How many bytes of a durable channel are in memory because somebody reads what is old.
    pub fn bytes_read(&self) -> usize {
        self.state().recent.bytes().saturating_sub(BYTES)
    }

    /// What is to be read from the store so that all of `reach` is in memory; none if it is.
    pub fn lacks(&self, reach: Reach) -> Option<Lack> {
        let mut state = self.state();
        state.recent.trim(Instant::now());
        let below = state.extent().first;
        let bounds = state.recent.left();
        if state.recent.bottom() != Bottom::More || !state.is_beneath(reach, below) {
            return None;
        }
        Some(Lack { below, bounds })
    }

    /// Puts into memory what was read from the store below an offset, oldest first; and what lies beneath.
    /// What is there stays for a minute. What does not fit any more is left.
    pub fn deepen(&self, below: u64, older: Vec<Publication>, bottom: Bottom) {
        let mut state = self.state();
        if state.extent().first == below {
            state.recent.deepen(older, bottom);
            state.recent.read(Instant::now());
        }
    }

    /// What came up to `offset` is kept no more; all, where none is given.
    pub fn forget(&self, offset: Option<u64>) {
        self.state().recent.forget(offset.unwrap_or(u64::MAX));
    }
}

impl State {
    /// Whether `reach` goes beneath the first that memory has, at `first`.
    fn is_beneath(&self, reach: Reach, first: u64) -> bool {
        match reach {
            Reach::From(From::Now) => false,
            Reach::From(From::Newest(count)) => count > self.recent.len(),
            Reach::From(From::Since(Since { position: Some(since), .. })) => {
                let known = since.epoch == self.last.epoch && since.offset <= self.last.offset;
                !known || since.offset + 1 < first
            }
            Reach::From(From::Since(_)) => true,
            Reach::Before(before, limit) => {
                let end = self.last.offset + 1;
                let known = before.epoch == self.last.epoch && before.offset <= end;
                // What is not known is a gap, which names the first of all that is kept.
                !known || before.offset.saturating_sub(length(limit) + 1) < first
            }
        }
    }

    fn start(&mut self, from: From) -> Start {
        self.recent.trim(Instant::now());
        let last = self.last;
        let newest = |count| Position { epoch: last.epoch, offset: last.offset - length(count) };
        let (position, gap) = match from {
            From::Now => (newest(self.recent.greeting()), None),
            From::Newest(count) => (newest(count.min(self.recent.len())), None),
            From::Since(since) => self.extent().since(since.position),
        };
        Start { position, last, gap }
    }

    /// Where one begins that wants to go back from `before`.
    fn start_before(&mut self, before: Position) -> Start {
        self.recent.trim(Instant::now());
        let (position, gap) = self.extent().before(before);
        Start { position, last: self.last, gap }
    }

    /// What memory has.
    fn extent(&self) -> Extent {
        let first = self.recent.first().unwrap_or(self.last.offset + 1);
        Extent { last: self.last, first }
    }
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

impl Source for Channel {
    fn page(&self, offset: u64, bytes: usize) -> Page {
        let mut state = self.state();
        let position = Position { epoch: state.last.epoch, offset };
        let since = Since { position: Some(position), users: None };
        let start = state.start(From::Since(since));
        let mut publications = Vec::new();
        let mut size = 0;
        for publication in state.recent.after(start.position.offset) {
            size += publication.plain.len() + 64;
            if !publications.is_empty() && size > bytes {
                break;
            }
            publications.push(Arc::clone(publication));
        }
        let reached = publications.last().map_or(start.position, |newest| newest.position);
        let caught_up = reached.offset >= state.last.offset;
        if !caught_up {
            // The next page of it is asked for once this one was sent.
            state.recent.read(Instant::now());
        }
        drop(state);
        let gap: Option<Bytes> = start.gap.map(|gap| plain::gap(&self.name, &gap));
        Page { gap, publications, caught_up }
    }

    fn delivery(&self) -> DeliveryPolicy {
        self.policy.delivery
    }

    fn unsubscribe(&self, worker: usize) {
        let mut state = self.state();
        state.used_at = Instant::now();
        if let Some(count) = state.subscribers.get_mut(worker) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Bounds, Epoch};
    use crate::hub::recent::Recent;
    use std::time::Duration;

    const EPOCH: u64 = 5;

    fn position(offset: u64) -> Position {
        Position { epoch: Epoch::from_random(EPOCH), offset }
    }

    /// A channel of 10 publications of which the newest 4 are kept.
    fn state() -> State {
        let bounds = Bounds { messages: 4, age: Duration::from_mins(1), bytes: 1000 };
        let mut recent = Recent::new(bounds, false);
        for offset in 1..=10 {
            let (position, plain) = (position(offset), Bytes::from_static(b"1"));
            let at = Instant::now();
            let publication = Publication { position, sender: "".into(), at, plain };
            recent.push(Arc::new(publication));
        }
        let (last, used_at) = (position(10), Instant::now());
        State { last, recent, subscribers: vec![0], used_at, freed: false }
    }

    fn since(text: &str) -> From {
        From::Since(Since::parse(text).unwrap())
    }

    #[test]
    fn a_start_inside_the_history_is_exact() {
        for offset in 6..=10 {
            let start = state().start(since(&position(offset).to_string()));
            assert_eq!((start.position, start.gap), (position(offset), None));
        }
        assert_eq!(state().start(From::Now).position, position(10));
        assert_eq!(state().start(From::Newest(3)).position, position(7));
        assert_eq!(state().start(From::Newest(100)).position, position(6));
        let all = state().start(since("0"));
        assert_eq!((all.position, all.gap), (position(6), None));
    }

    #[test]
    fn what_cannot_be_had_is_told_as_gap_from_the_first_that_is_kept() {
        for text in [position(5).to_string(), position(11).to_string(), "zz-7".to_owned()] {
            let start = state().start(since(&text));
            assert_eq!(start.position, position(6), "{text}");
            assert_eq!(start.gap.unwrap().next, position(7), "{text}");
        }
    }

    #[test]
    fn going_back_tells_a_gap_where_what_came_before_cannot_be_had() {
        for offset in 8..=11 {
            let start = state().start_before(position(offset));
            assert_eq!((start.position, start.gap), (position(offset), None));
        }
        for offset in 0..=1 {
            assert_eq!(state().start_before(position(offset)).gap, None, "nothing to miss");
        }
        let stranger = Position { epoch: Epoch::from_random(EPOCH + 1), offset: 8 };
        for before in [position(2), position(7), position(12), position(u64::MAX), stranger] {
            let start = state().start_before(before);
            assert_eq!(start.position, position(6), "{before}");
            assert_eq!(start.gap.unwrap().next, position(7), "{before}");
        }
    }

    #[test]
    fn with_nothing_kept_the_gap_names_what_comes_next() {
        let mut state = state();
        let bounds = Bounds { messages: 0, age: Duration::ZERO, bytes: 0 };
        state.recent = Recent::new(bounds, false);
        let start = state.start(since(&position(3).to_string()));
        assert_eq!((start.position, start.gap.unwrap().next), (position(10), position(11)));
        assert_eq!(state.start(since(&position(10).to_string())).gap, None);
    }
}
