//! What is kept of a channel in memory: the newest messages, within bounds of count, age and bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::channel::{Bounds, Publication};

/// The recent history of one channel, oldest first, offsets consecutive.
///
/// Bound: exactly that of the channel's policy, save that where newcomers are greeted the newest is
/// kept whatever it is. A durable channel has in memory what was read of it within the last minute, and
/// at least the newest [`MESSAGES`] within [`BYTES`]; what is older is in the store.
#[derive(Debug)]
pub(super) struct Recent {
    kept: VecDeque<Arc<Publication>>,
    bytes: usize,
    bounds: Bounds,
    greets: bool,
    store: Option<Beneath>,
}

/// What the store has of a durable channel beneath what memory has.
#[derive(Clone, Copy, Debug)]
struct Beneath {
    bottom: Bottom,
    /// Until when all that was read stays.
    read_until: Instant,
}

/// What lies beneath what was read of a durable channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bottom {
    /// More, to be read when it is needed.
    More,
    /// What cannot follow on it, since a message between was lost.
    Hole,
    /// Nothing: what is older is beyond the bounds.
    Nothing,
}

/// How much of a durable channel is in memory where nobody reads further back.
pub(super) const MESSAGES: usize = 1000;
pub(super) const BYTES: usize = 1 << 20;
/// How long what is older stays after it was read.
const READ: Duration = Duration::from_mins(1);

impl Recent {
    pub(super) const fn new(bounds: Bounds, greets: bool) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, bounds, greets, store: None }
    }

    /// The same of a durable channel.
    pub(super) fn durable(self, now: Instant) -> Self {
        let store = Some(Beneath { bottom: Bottom::Nothing, read_until: now });
        Self { store, ..self }
    }

    /// What lies beneath what memory has.
    pub(super) fn bottom(&self) -> Bottom {
        self.store.map_or(Bottom::Nothing, |beneath| beneath.bottom)
    }

    /// What of the bounds is left for what the store has.
    pub(super) fn left(&self) -> Bounds {
        Bounds {
            messages: self.bounds.messages.saturating_sub(self.kept.len()),
            age: self.bounds.age,
            bytes: self.bounds.bytes.saturating_sub(self.bytes),
        }
    }

    /// Somebody reads what is old: it stays for a while.
    pub(super) fn read(&mut self, now: Instant) {
        if let Some(beneath) = &mut self.store {
            beneath.read_until = now + READ;
        }
    }

    /// Puts what the store has beneath, oldest first; and what there is further down.
    pub(super) fn deepen(&mut self, older: Vec<Publication>, bottom: Bottom) {
        for publication in older.into_iter().rev() {
            self.bytes += publication.plain.len();
            self.kept.push_front(Arc::new(publication));
        }
        if let Some(beneath) = &mut self.store {
            beneath.bottom = bottom;
        }
    }

    /// Nothing follows on what is here.
    pub(super) fn clear(&mut self) {
        (self.kept, self.bytes) = (VecDeque::new(), 0);
        if let Some(beneath) = &mut self.store {
            beneath.bottom = Bottom::More;
        }
    }

    /// What came up to `offset` is kept no more.
    pub(super) fn forget(&mut self, offset: u64) {
        let has_rest = self.first().is_some_and(|first| first <= offset.saturating_add(1));
        while self.first().is_some_and(|first| first <= offset) {
            self.drop_oldest();
        }
        if let Some(beneath) = &mut self.store
            && has_rest
        {
            beneath.bottom = Bottom::Nothing;
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.bytes -= oldest.plain.len();
        }
    }

    /// Whether nothing is kept, or nothing but a greeting, by the last [`trim`](Self::trim).
    pub(super) fn is_over(&self, now: Instant) -> bool {
        match self.kept.front() {
            Some(newest) if self.kept.len() == 1 => !self.is_within(newest, now),
            oldest => oldest.is_none(),
        }
    }

    /// How many newcomers begin with, who ask for nothing: 1 or none.
    pub(super) fn greeting(&self) -> usize {
        usize::from(self.greets).min(self.kept.len())
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Adds the newest publication.
    pub(super) fn push(&mut self, publication: Arc<Publication>) {
        let now = publication.at;
        self.bytes += publication.plain.len();
        self.kept.push_back(publication);
        self.trim(now);
    }

    /// Drops what is beyond the bounds.
    pub(super) fn trim(&mut self, now: Instant) {
        let least = usize::from(self.greets);
        let mut is_shorter = false;
        while let Some(oldest) = self.kept.front().filter(|_| self.kept.len() > least) {
            if self.is_within(oldest, now) {
                break;
            }
            self.drop_oldest();
            is_shorter = true;
        }
        if let Some(beneath) = self.store {
            let mut bottom = if is_shorter { Bottom::Nothing } else { beneath.bottom };
            let mut is_less = false;
            while now >= beneath.read_until && self.is_more_than_needed() {
                self.drop_oldest();
                (is_less, bottom) = (true, Bottom::More);
            }
            is_shorter |= is_less;
            self.store = Some(Beneath { bottom, ..beneath });
        }
        if is_shorter {
            self.kept.shrink_to(16);
        }
    }

    fn is_more_than_needed(&self) -> bool {
        self.kept.len() > MESSAGES || (self.bytes > BYTES && self.kept.len() > 1)
    }

    /// Whether `oldest`, with all that is newer, is within the bounds.
    fn is_within(&self, oldest: &Publication, now: Instant) -> bool {
        self.kept.len() <= self.bounds.messages
            && self.bytes <= self.bounds.bytes
            && now.saturating_duration_since(oldest.at) < self.bounds.age
    }

    /// The newest, as its subscribers get it.
    pub(super) fn newest(&self) -> Option<&Bytes> {
        self.kept.back().map(|publication| &publication.plain)
    }

    /// The offset of the oldest that is kept.
    pub(super) fn first(&self) -> Option<u64> {
        self.kept.front().map(|publication| publication.position.offset)
    }

    /// What is kept after `offset`, oldest first.
    pub(super) fn after(&self, offset: u64) -> impl Iterator<Item = &Arc<Publication>> {
        let first = self.first().unwrap_or(0);
        let skip = usize::try_from((offset + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip)
    }

    /// What is kept before `offset`, newest first.
    pub(super) fn before(&self, offset: u64) -> impl Iterator<Item = &Arc<Publication>> {
        let first = self.first().unwrap_or(0);
        let take = usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX);
        let take = take.min(self.kept.len());
        self.kept.iter().take(take).rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Epoch, Position};

    fn recent(messages: usize, seconds: u64, bytes: usize) -> Recent {
        Recent::new(Bounds { messages, age: Duration::from_secs(seconds), bytes }, false)
    }

    fn publication(offset: u64, len: usize) -> Arc<Publication> {
        publication_at(offset, len, Instant::now())
    }

    fn publication_at(offset: u64, len: usize, at: Instant) -> Arc<Publication> {
        let position = Position { epoch: Epoch::from_random(0), offset };
        Arc::new(Publication { position, sender: "".into(), at, plain: vec![b'x'; len].into() })
    }

    fn after(recent: &Recent, offset: u64) -> Vec<u64> {
        recent.after(offset).map(|publication| publication.position.offset).collect()
    }

    #[test]
    fn exactly_the_newest_within_each_bound_are_kept() {
        let now = Instant::now();
        let mut by_count = recent(3, 60, 1000);
        let mut by_bytes = recent(100, 60, 10);
        let mut by_age = recent(100, 10, 1000);
        for offset in 1..=5 {
            let at = now + Duration::from_secs(offset);
            by_count.push(publication_at(offset, 1, at));
            by_bytes.push(publication_at(offset, 5, at));
            by_age.push(publication_at(offset, 1, at));
        }
        assert_eq!(after(&by_count, 0), [3, 4, 5]);
        assert_eq!(after(&by_bytes, 0), [4, 5]);
        by_age.trim(now + Duration::from_secs(13));
        assert_eq!(after(&by_age, 0), [4, 5]);
    }

    #[test]
    fn a_message_larger_than_the_bound_is_not_kept() {
        let mut recent = recent(10, 60, 10);
        recent.push(publication(1, 11));
        assert!(recent.is_over(Instant::now()));
        assert_eq!((recent.len(), recent.bytes), (0, 0));
    }

    #[test]
    fn where_newcomers_are_greeted_the_newest_stays_and_holds_no_channel() {
        let (now, age) = (Instant::now(), Duration::from_secs(10));
        let mut recent = Recent::new(Bounds { messages: 0, age, bytes: 0 }, true);
        assert_eq!(recent.greeting(), 0);
        for offset in 1..=3 {
            recent.push(publication_at(offset, 5, now));
        }
        assert_eq!((after(&recent, 0), recent.greeting()), (vec![3], 1));
        assert!(recent.is_over(now), "nothing is kept but the greeting");
        let mut recent = Recent::new(Bounds { messages: 10, age, bytes: 100 }, true);
        recent.push(publication_at(1, 5, now));
        recent.trim(now + age);
        assert!(!recent.is_over(now) && recent.is_over(now + age));
        assert_eq!(recent.len(), 1);
    }

    #[test]
    fn ranges_go_both_ways() {
        let mut recent = recent(4, 60, 1000);
        for offset in 1..=6 {
            recent.push(publication(offset, 1));
        }
        assert_eq!(after(&recent, 4), [5, 6]);
        assert_eq!(after(&recent, 6), [0; 0]);
        assert_eq!(after(&recent, 99), [0; 0]);
        let before: Vec<_> = recent.before(5).map(|kept| kept.position.offset).collect();
        assert_eq!(before, [4, 3]);
        assert_eq!(recent.before(3).count(), 0);
        assert_eq!(recent.before(99).count(), 4);
    }
}
