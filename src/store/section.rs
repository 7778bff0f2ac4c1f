//! A page of a channel as a database has it.

use super::database::Window;
use crate::channel::{Extent, Gap, Position, Since, Stored};

/// Which page of a channel is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What is kept of the channel.
    pub window: Window,
    /// Where it begins.
    pub side: Side,
    /// How many messages it has at the most.
    pub limit: usize,
}

/// Where a page begins, and which way it goes.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// After a position, or with the first that is kept: oldest first.
    Since(Option<Position>),
    /// Before a position: newest first.
    Before(Position),
}

/// A page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The messages, in the order that they were asked for.
    pub kept: Vec<Stored>,
    /// Where it begins.
    pub start: Position,
    /// Whether there is a next page.
    pub is_more: bool,
    /// What was asked for and cannot be had.
    pub gap: Option<Gap>,
    /// The number of one that is missing among those that are kept: it was lost.
    pub hole: Option<u64>,
}

/// How many of the oldest rows are looked at, at the most, for those that a bound of bytes leaves out. More
/// are in the way where many keys are remembered, or bounds were made smaller: then it is counted from the
/// newest.
pub(super) const PASSED: i64 = 20_000;
/// How many bytes of messages a page has, or one message: pages wait in memory for readers that are slow.
pub(super) const BYTES: i64 = 1 << 20;

impl Section {
    /// The number up to which nothing is kept, for what was forgotten and for the bound of messages.
    pub(super) fn floor(&self, last: Position, forgotten: u64) -> i64 {
        let messages = u64::try_from(self.window.bounds.messages).unwrap_or(u64::MAX);
        whole(forgotten.max(last.offset.saturating_sub(messages)))
    }

    /// The time up to which nothing is kept.
    pub(super) fn since(&self) -> i64 {
        whole(self.window.since())
    }

    /// How many bytes are kept.
    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.window.bounds.bytes).unwrap_or(u64::MAX)
    }

    /// How many bytes of a channel that has so many are too many.
    pub(super) fn excess(&self, bytes: u64) -> u64 {
        bytes.saturating_sub(self.bytes())
    }

    /// Where the bound of bytes begins in a channel that has so many: what is too much comes off the oldest
    /// `rows`, place and length of each. None where these are not enough.
    pub(super) fn behind<E>(
        &self,
        bytes: u64,
        rows: impl Iterator<Item = Result<(u64, u64), E>>,
    ) -> Result<Option<u64>, E> {
        let (mut first, mut excess) = (0, self.excess(bytes));
        for row in rows {
            if excess == 0 {
                break;
            }
            let (place, length) = row?;
            (first, excess) = (place + 1, excess.saturating_sub(length));
        }
        Ok((excess == 0).then_some(first))
    }

    /// What is kept of a channel: from `first` on, by number and time, and from `within` on, by bytes.
    pub(super) fn extent(last: Position, first: Option<u64>, within: u64) -> Extent {
        let end = last.offset + 1;
        Extent { last, first: first.unwrap_or(end).max(within).min(end) }
    }

    /// The same where the newest greets, and is there.
    pub(super) fn greeted(&self, extent: Extent, has_newest: bool) -> Extent {
        let first = extent.first.min(extent.last.offset);
        if self.window.greets && has_newest { Extent { first, ..extent } } else { extent }
    }

    /// How many rows it has at the most.
    pub(super) fn count(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }

    /// The offsets that the page lies between, as a database counts.
    pub(super) fn between(&self, extent: &Extent) -> (i64, i64) {
        let (above, below) = match self.side {
            Side::Since(since) => (extent.since(since).0.offset, extent.last.offset + 1),
            // What it lies before is of an order that is over.
            Side::Before(before) if before.epoch != extent.last.epoch => (0, 0),
            Side::Before(before) => {
                (extent.before_first().offset, before.offset.min(extent.last.offset + 1))
            }
        };
        (whole(above), whole(below))
    }

    /// The page, of the rows between its offsets, in its order. Before a row that is missing it ends; where
    /// it would begin with that, it begins behind, with a gap.
    pub(super) fn page(&self, extent: &Extent, rows: Vec<Stored>) -> Found {
        let last = extent.last.offset;
        let (start, gap, asked, mut next) = match self.side {
            Side::Since(since) => {
                let (start, gap) = extent.since(since);
                (start, gap, since, start.offset + 1)
            }
            Side::Before(before) => {
                let (start, gap) = extent.before(before);
                (start, gap, Some(before), before.offset.saturating_sub(1).min(last))
            }
        };
        let mut page = Found { kept: Vec::new(), start, is_more: false, gap, hole: None };
        if rows.is_empty() && page.gap.is_some() {
            return page;
        }
        let missing = |next| Some(Gap { since: Since { position: asked, users: None }, next });
        for stored in rows {
            let place = stored.position.offset;
            if place != next {
                page.hole = Some(next);
                if !page.kept.is_empty() {
                    break;
                }
                page.gap = missing(stored.position);
            }
            next = if self.is_back() { place.saturating_sub(1) } else { place + 1 };
            page.kept.push(stored);
        }
        page.is_more = if self.is_back() { next >= extent.first } else { next <= last };
        if page.kept.is_empty() && page.is_more {
            // Nothing is left on that side.
            page.hole = Some(next);
            let end = if self.is_back() { extent.before_first() } else { extent.last };
            (page.start, page.gap, page.is_more) = (end, missing(end.next()), false);
        }
        page
    }

    /// Whether it goes from new to old.
    pub(super) const fn is_back(&self) -> bool {
        matches!(self.side, Side::Before(_))
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
