//! Time in which the process did not run: stopped by a signal, frozen with its machine or container.
//!
//! Nobody who was healthy is to be ended for what we did not do meanwhile. A deadline of a peer is
//! judged only after its socket was looked at; and a stall moves the deadlines by its length, so that
//! they come one after the other as they would have.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Beat, Connection, Phase};
use super::connections::Connections;
use crate::transport::Transport;

/// How much later than it meant to a worker may come before that is a stall. Far above what a busy
/// machine makes of a turn.
const LATE: Duration = Duration::from_secs(1);
/// How much of a stall counts as time: enough that deadlines come also where every turn stalls.
const COUNTED: Duration = Duration::from_millis(100);

/// The turns of a worker's loop.
#[derive(Debug)]
pub(super) struct Turns {
    last: Instant,
}

impl Turns {
    /// No turn yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self { last: now }
    }

    /// A turn begins that was meant to come `wait` after the last one ended. Answers how much time
    /// was lost if it comes far too late.
    pub(super) fn begin(&mut self, wait: Option<Duration>, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.last);
        self.last = now;
        let is_late = wait.is_some_and(|wait| passed > wait + LATE);
        is_late.then(|| passed.saturating_sub(COUNTED))
    }
}

impl Connections {
    /// Gives every peer the time again that was lost.
    pub(super) fn spare(&mut self, lost: Duration) {
        tracing::warn!(seconds = lost.as_secs(), "this process did not run for a while");
        for (_, connection) in &mut self.slab {
            connection.spare(lost);
        }
    }
}

impl Connection {
    /// Token and poll keep their time: both are promises in seconds on the clock.
    fn spare(&mut self, lost: Duration) {
        if let Phase::Closing { until, .. } = &mut self.phase {
            *until += lost;
        }
        if let Beat::Due(at) | Beat::Awaited(at) = &mut self.beat
            && self.encoding.transport() != Transport::Poll
        {
            *at += lost;
        }
        if let Some(outbox) = &mut self.outbox {
            outbox.spare(lost);
        }
        if let super::Sink::Body(outlet) = &self.sink {
            outlet.spare(lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_comes_far_too_late_has_lost_its_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let wait = |millis| Some(Duration::from_millis(millis));
        let mut turns = Turns::new(start);
        assert_eq!(turns.begin(wait(5_000), at(5_000)), None);
        assert_eq!(turns.begin(wait(0), at(5_900)), None);
        assert_eq!(turns.begin(wait(5_000), at(15_900)), wait(9_900));
        assert_eq!(turns.begin(wait(5_000), at(16_000)), None);
        // Whoever waits for nothing in particular cannot be late.
        assert_eq!(turns.begin(None, at(60_000)), None);
    }
}
