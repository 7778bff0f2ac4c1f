//! The time that tokens are judged by.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A moment that tokens are judged at.
///
/// Units: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenTime(u64);

/// Tells the time that tokens are judged by: the wall time at the start plus the monotonic time since.
///
/// A wall clock that jumps while we run changes nothing here, and one that was set back between
/// two runs cannot revive a token: the start is never earlier than the latest time written down.
/// Whoever owns the clock writes `now()` down now and then; a token that expired since the last
/// writing is all that a crash together with a clock set back could bring back, and only for so long.
///
/// Waits: no. Locks: no.
///
/// Source: robustness.md trap 8 and A3.
#[derive(Clone, Copy, Debug)]
pub struct TokenClock {
    start: TokenTime,
    started: Instant,
}

impl TokenTime {
    /// The moment this many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, as `iat` and `exp` count them.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

impl TokenClock {
    /// A clock that begins at `wall_now`, or at `latest_written` if that is later.
    ///
    /// Units: `latest_written` is in milliseconds since the epoch. A wall clock before 1970 counts as 1970.
    pub fn start(wall_now: SystemTime, latest_written: Option<u64>) -> Self {
        let wall = wall_now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        Self { start: TokenTime(wall.max(latest_written.unwrap_or(0))), started: Instant::now() }
    }

    /// The time now; never earlier than an answer it gave before.
    pub fn now(&self) -> TokenTime {
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        TokenTime(self.start.0.saturating_add(since))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn wall(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_by_the_monotonic_clock() {
        let clock = TokenClock::start(wall(1_000), None);
        assert_eq!(clock.now().millis(), 1_000_000);
        tokio::time::advance(Duration::from_millis(1_999)).await;
        assert_eq!(clock.now().millis(), 1_001_999);
        assert_eq!(clock.now().seconds(), 1_001);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_a_day_between_two_runs_starts_at_the_time_written_down() {
        let first = TokenClock::start(wall(1_000_000), None);
        tokio::time::advance(Duration::from_mins(1)).await;
        let written = first.now().millis();
        let second = TokenClock::start(wall(1_000_000) - DAY, Some(written));
        assert_eq!(second.now().seconds(), 1_000_060);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(second.now().seconds(), 1_000_065);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_written_long_ago_does_not_hold_the_clock_back() {
        let clock = TokenClock::start(wall(1_000_000), Some(5));
        assert_eq!(clock.now().seconds(), 1_000_000);
    }

    #[tokio::test(start_paused = true)]
    async fn times_out_of_range_neither_panic_nor_wrap() {
        assert_eq!(TokenClock::start(UNIX_EPOCH - DAY, None).now().millis(), 0);
        let last = TokenClock::start(UNIX_EPOCH, Some(u64::MAX));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(last.now().millis(), u64::MAX);
    }
}
