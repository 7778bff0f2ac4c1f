//! What is counted of events.

use std::borrow::Cow;

use super::failure::Reason;
use crate::metrics::{By, Label};
use crate::presence::Edge;

/// The counts of the webhook.
#[derive(Debug, Default)]
pub struct Tally {
    /// Events that ended.
    pub events: By<(Edge, Outcome), 6>,
    /// Attempts that failed.
    pub failures: By<Reason, 5>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The receiver answered 2xx.
    Delivered,
    /// The last attempt failed.
    GivenUp,
    /// It found the queue full, or the node ended before it was sent.
    Dropped,
}

impl Tally {
    pub(super) fn ended(&self, edge: Edge, outcome: Outcome) {
        self.events.add((edge, outcome), 1);
    }

    pub(super) fn failed(&self, reason: Reason) {
        self.failures.add(reason, 1);
    }
}

impl Label for Outcome {
    const ALL: &'static [Self] = &[Self::Delivered, Self::GivenUp, Self::Dropped];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        })
    }
}
