//! What happens often and is told seldom.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const PAUSE: Duration = Duration::from_mins(1);

/// Something that is told at once and then at most once a minute, with how often it happened.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    untold: AtomicU64,
    told_at: Mutex<Option<Instant>>,
}

impl Seldom {
    /// It happened once more. Waits: no. Locks: nothing.
    pub(super) fn note(&self) {
        self.untold.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it happened since it was told, if it is to be told now.
    pub(super) fn due(&self, now: Instant) -> Option<u64> {
        if self.untold.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_some_and(|told_at| now < told_at + PAUSE) {
            return None;
        }
        *told_at = Some(now);
        drop(told_at);
        Some(self.untold.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_and_then_once_a_minute_with_its_number() {
        let (seldom, now) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.due(now), None);
        seldom.note();
        assert_eq!(seldom.due(now), Some(1));
        seldom.note();
        seldom.note();
        assert_eq!(seldom.due(now + PAUSE / 2), None);
        assert_eq!(seldom.due(now + PAUSE), Some(2));
        assert_eq!(seldom.due(now + PAUSE * 2), None);
    }
}
