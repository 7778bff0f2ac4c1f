//! Pings and pongs that a peer sends without being asked: how many are heard.

use std::time::Duration;

use tokio::time::Instant;

/// Control frames of one connection within a second. A ping costs its answer, and neither is a
/// message that somebody above counts.
///
/// Owner: the connection, from its first such frame until its next heartbeat that finds it quiet.
#[derive(Debug)]
pub(super) struct Controls {
    since: Instant,
    count: u32,
}

/// What is counted together.
const SPAN: Duration = Duration::from_secs(1);

impl Controls {
    /// Nothing came yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    /// Counts a frame; whether it is one of the first `limit` in its second.
    pub(super) fn allows(&mut self, limit: u32, now: Instant) -> bool {
        if self.is_over(now) {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
        self.count <= limit
    }

    /// Whether the second is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.since + SPAN <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_count() {
        let start = Instant::now();
        let mut controls = Controls::new(start);
        for second in 0..3 {
            let now = start + SPAN * second;
            assert!((0..5).all(|_| controls.allows(5, now)));
            assert!(!controls.allows(5, now + SPAN / 2));
        }
    }
}
