//! One rate: a token bucket for each key.

use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::code::Limit;

/// How often something may be done, for each key: a burst, and so many a time in the long run.
///
/// Writers: `take`, without a lock but that of a shard for reading; it allocates for a key that was
/// not seen lately. Bound: the keys that took something since they were last full, as of the latest
/// `sweep`.
pub(super) struct Rate<K: Clone + Eq + Hash> {
    buckets: RateLimiter<K, DashMapStateStore<K>, Uptime, NoOpMiddleware<Nanos>>,
    limit: Option<Limit>,
    told: String,
}

/// Somebody does something more often than it may be done.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct TooFast<'a> {
    /// Which limit that is.
    pub(in crate::gate) limit: Option<Limit>,
    /// What it says.
    pub(in crate::gate) told: &'a str,
    /// How long until it may be done once more.
    pub(in crate::gate) wait: Duration,
}

/// The monotonic clock, as tests can pause it.
#[derive(Clone, Copy, Debug)]
struct Uptime {
    since: Instant,
}

impl Clock for Uptime {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.since.elapsed().into()
    }
}

impl<K: Clone + Eq + Hash> Rate<K> {
    /// `burst` at a stroke, `count` a second in the long run; `told` is what the refused are told.
    pub(super) fn a_second(count: u32, burst: u32, told: String) -> Self {
        Self::new(Quota::per_second(at_least_one(count)).allow_burst(at_least_one(burst)), told)
    }

    /// `count` at a stroke, and as many a minute in the long run.
    pub(super) fn a_minute(count: u32, told: String) -> Self {
        Self::new(Quota::per_minute(at_least_one(count)), told)
    }

    fn new(quota: Quota, told: String) -> Self {
        let clock = Uptime { since: Instant::now() };
        let buckets = RateLimiter::dashmap_with_clock(quota, clock);
        Self { buckets, limit: None, told }
    }

    /// The same rate under the name of its limit.
    pub(super) fn of(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Takes one out of the bucket of `key`.
    ///
    /// # Errors
    /// [`TooFast`]; nothing was taken then.
    pub(super) fn take(&self, key: &K) -> Result<(), TooFast<'_>> {
        self.buckets.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(self.buckets.clock().now());
            TooFast { limit: self.limit, told: &self.told, wait }
        })
    }

    /// Drops the buckets that are full again: they say the same as none.
    pub(super) fn sweep(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

impl<K: Clone + Eq + Hash> fmt::Debug for Rate<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are addresses and ids, which no log shows.
        f.debug_struct("Rate")
            .field("limit", &self.limit)
            .field("told", &self.told)
            .field("keys", &self.buckets.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `tries` pass at this moment.
    fn passed(rate: &Rate<u32>, key: u32, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(rate.take(&key).is_ok())).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::a_second(20, 30, String::new());
        assert_eq!(passed(&rate, 1, 100), 30);
        assert_eq!(passed(&rate, 2, 100), 30, "another key has its own");
        for _ in 0..5 {
            tokio::time::advance(Duration::from_millis(500)).await;
            assert_eq!(passed(&rate, 1, 100), 10);
        }
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(passed(&rate, 1, 100), 30, "no more is saved up than a burst");
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_is_exact() {
        let rate = Rate::a_minute(6, "six".to_owned());
        assert_eq!(passed(&rate, 1, 7), 6);
        tokio::time::advance(Duration::from_secs(3)).await;
        let refused = rate.take(&1).unwrap_err();
        assert_eq!((refused.wait, refused.told), (Duration::from_secs(7), "six"));
        tokio::time::advance(Duration::from_millis(6_999)).await;
        assert_eq!(rate.take(&1).unwrap_err().wait, Duration::from_millis(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(rate.take(&1).is_ok());
        assert!(rate.take(&1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_keys_is_forgotten_once_their_buckets_are_full() {
        let rate = Rate::a_second(10, 10, String::new());
        for key in 0..50_000 {
            rate.take(&key).unwrap();
        }
        assert_eq!(passed(&rate, 0, 10), 9);
        rate.sweep();
        assert_eq!(rate.buckets.len(), 50_000, "none is full yet");
        tokio::time::advance(Duration::from_millis(250)).await;
        rate.sweep();
        assert_eq!(rate.buckets.len(), 1, "key 0 has a way to go");
        assert_eq!(passed(&rate, 0, 10), 2);
        tokio::time::advance(Duration::from_secs(2)).await;
        rate.sweep();
        assert!(rate.buckets.is_empty());
        assert_eq!(rate.buckets.into_state_store().capacity(), 0, "its memory is given back");
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_numbers_of_a_configuration_are_no_trouble() {
        for (count, burst) in
            [(1_000_000_000, 1_000_000_000), (1, 1_000_000_000), (1_000_000_000, 1)]
        {
            let rate = Rate::a_second(count, burst, String::new());
            assert_eq!(passed(&rate, 1, 100), 100.min(burst));
        }
        let rate = Rate::a_minute(1_000_000_000, String::new());
        assert_eq!(passed(&rate, 1, 100), 100);
    }
}
