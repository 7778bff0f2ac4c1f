//! What there is of a channel, and where in it a reader begins.

use super::{Gap, Position, Since};

/// What is kept of a channel: without a hole, up to its newest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// The position of the newest publication that there ever was.
    pub last: Position,
    /// The offset of the oldest that is kept; where nothing is, that of the next.
    pub first: u64,
}

impl Extent {
    /// The position before the first that can be had: where nothing is kept, the newest one.
    pub const fn before_first(&self) -> Position {
        Position { epoch: self.last.epoch, offset: self.first.saturating_sub(1) }
    }

    /// Where one begins that has everything up to `since`; nothing, where it says so. With a gap, where
    /// what follows `since` is not kept, or where it is of another epoch or from the future.
    pub fn since(&self, since: Option<Position>) -> (Position, Option<Gap>) {
        match since {
            None => (self.before_first(), None),
            Some(since)
                if self.is_known(since, self.last.offset) && since.offset + 1 >= self.first =>
            {
                (since, None)
            }
            Some(since) => self.gap(since),
        }
    }

    /// Where one begins that wants to go back from `before`: there, or, with a gap, before the first
    /// that is kept.
    pub fn before(&self, before: Position) -> (Position, Option<Gap>) {
        let is_known = self.is_known(before, self.last.offset.saturating_add(1));
        // Before the first of an epoch there is nothing to miss.
        if is_known && (before.offset <= 1 || before.offset > self.first) {
            return (before, None);
        }
        self.gap(before)
    }

    fn is_known(&self, position: Position, newest: u64) -> bool {
        position.epoch == self.last.epoch && position.offset <= newest
    }

    fn gap(&self, asked: Position) -> (Position, Option<Gap>) {
        let since = Since { position: Some(asked), users: None };
        (self.before_first(), Some(Gap { since, next: self.before_first().next() }))
    }
}
