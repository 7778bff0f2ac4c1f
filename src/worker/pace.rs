//! A subscription that wants no more than so many updates a second: what came in between.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Full, Joined, Outbox};
use crate::channel::DeliveryPolicy;

/// The pace of one connection to a `latest` channel, and the newest of each sender that waits for
/// its turn.
///
/// Owner: the worker of the connection. Bound: as its outbox.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    /// When something may leave again.
    next: Instant,
    held: Outbox,
}

impl Pace {
    /// One update each time `every` is over; the first leaves at once.
    pub(super) fn new(every: Duration, now: Instant) -> Self {
        Self { every, next: now, held: Outbox::default() }
    }

    /// Whether something may leave now; if so, the next time is one step later.
    pub(super) fn may_send(&mut self, now: Instant) -> bool {
        let may = self.next <= now && self.held.is_empty();
        if may {
            self.next = now + self.every;
        }
        may
    }

    /// Holds the publications of `joined` from `from` on, in the place of earlier ones.
    pub(super) fn hold(
        &mut self,
        joined: &Arc<Joined>,
        from: usize,
        limit: usize,
        now: Instant,
    ) -> Result<(), Full> {
        self.held.add(joined, from, (DeliveryPolicy::Latest, limit), now)
    }

    /// When what is held may leave.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.held.is_empty()).then_some(self.next)
    }

    /// What is held, once its time has come.
    pub(super) fn release(&mut self, now: Instant) -> Option<Outbox> {
        if self.due()? > now {
            return None;
        }
        self.next = now + self.every;
        Some(std::mem::take(&mut self.held))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::joined::{Frame, Mark};
    use super::*;

    fn joined(sender: &str, text: &str) -> Arc<Joined> {
        let frame = Frame { end: text.len(), mark: Mark::Other, sender: Some(sender.into()) };
        Arc::new(Joined { bytes: Bytes::from(text.to_owned()), frames: vec![frame] })
    }

    #[test]
    fn between_two_times_only_the_newest_of_each_sender_is_kept() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(Duration::from_millis(100), start);
        assert!(pace.may_send(start));
        assert!(!pace.may_send(at(50)));
        for (sender, text) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
            pace.hold(&joined(sender, text), 0, 1000, at(50)).unwrap();
        }
        assert_eq!(pace.due(), Some(at(100)));
        assert!(pace.release(at(99)).is_none());
        let mut held = pace.release(at(100)).unwrap();
        let texts: Vec<_> = held.take_all_frames().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["b1", "a2"]);
        assert_eq!(pace.due(), None);
        assert!(!pace.may_send(at(150)));
        assert!(pace.may_send(at(200)));
    }

    #[test]
    fn what_is_held_leaves_before_what_comes_later() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(100), start);
        assert!(pace.may_send(start));
        pace.hold(&joined("a", "a1"), 0, 1000, start).unwrap();
        assert!(!pace.may_send(start + Duration::from_secs(1)));
    }
}
