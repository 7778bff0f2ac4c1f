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

/// How many rows are looked at, at the most, for the first that is kept. More are in the way only until
/// they are trimmed, where bounds were made smaller.
pub(super) const PASSED: i64 = 20_000;

impl Section {
    /// What is kept, by the rows of a channel: place, time and length of each, oldest first. What came up
    /// to `forgotten` is not.
    pub(super) fn extent<E>(
        &self,
        (last, forgotten, mut bytes): (Position, u64, u64),
        rows: impl Iterator<Item = Result<(u64, u64, u64), E>>,
    ) -> Result<Extent, E> {
        let end = last.offset + 1;
        let mut first = end;
        for row in rows {
            let (place, at, length) = row?;
            first = place;
            if place > forgotten && !self.window.is_past(last.offset, place, at, bytes) {
                break;
            }
            (first, bytes) = (place + 1, bytes.saturating_sub(length));
        }
        Ok(Extent { last, first: first.max(forgotten + 1).min(end) })
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
        (i64::try_from(above).unwrap_or(i64::MAX), i64::try_from(below).unwrap_or(i64::MAX))
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
