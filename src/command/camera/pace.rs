//! When to speak.

use std::time::Duration;

use tokio::time::Instant;

/// Instants that follow each other evenly for ever: each is counted from the first, so that no
/// delay adds up, and those that were missed are left out instead of made up for.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    first: Instant,
    /// Nanoseconds.
    period: u64,
    next: u64,
}

impl Pace {
    /// `rate` times a second, the first one at `first`.
    pub(crate) fn new(first: Instant, rate: f64) -> Self {
        let period = Duration::from_secs_f64(1.0 / rate).as_nanos();
        Self { first, period: u64::try_from(period).unwrap_or(u64::MAX).max(1), next: 0 }
    }

    /// When it is time again.
    pub(crate) fn due(&self) -> Instant {
        self.time(self.next)
    }

    /// It is done at `now`: which time that is for, the newest that has come, and how many before it
    /// were missed and are left out.
    pub(crate) fn take(&mut self, now: Instant) -> (Instant, u64) {
        let taken = self.next.max(self.later_than(now).saturating_sub(1));
        let missed = taken - self.next;
        self.next = taken.saturating_add(1);
        (self.time(taken), missed)
    }

    /// Goes on at the first time from `now` on, as if the ones before had never been.
    pub(crate) fn resume(&mut self, now: Instant) {
        if self.due() < now {
            self.next = self.later_than(now);
        }
    }

    fn time(&self, number: u64) -> Instant {
        let since = Duration::from_nanos(self.period.saturating_mul(number));
        self.first.checked_add(since).unwrap_or(self.first)
    }

    /// The first time after `now`.
    fn later_than(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.first).as_nanos();
        u64::try_from(since / u128::from(self.period)).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Until camera `index` of `count` begins, so that several speak one after the other and not at once.
pub(crate) fn stagger(rate: f64, index: u16, count: u16) -> Duration {
    Duration::from_secs_f64(f64::from(index) / f64::from(count.max(1)) / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn small_delays_do_not_add_up() {
        let first = Instant::now();
        let mut pace = Pace::new(first, 10.0);
        for number in 0..10_000_u32 {
            assert_eq!(pace.due(), first + millis(100) * number);
            let late = millis(u64::from(number) % 90);
            let due = first + millis(100) * number;
            assert_eq!(pace.take(due + late), (due, 0));
        }
    }

    #[test]
    fn thirds_of_a_second_are_a_second_in_the_long_run() {
        let first = Instant::now();
        let mut pace = Pace::new(first, 3.0);
        for _ in 0..3 * 86_400 {
            pace.take(pace.due());
        }
        let drift = (first + Duration::from_hours(24)) - pace.due();
        assert!(drift < millis(1), "{drift:?}");
    }

    #[test]
    fn what_was_missed_is_left_out() {
        let first = Instant::now();
        let mut pace = Pace::new(first, 10.0);
        // Late by three and a half: three are left out, the fourth is done, the next one is due.
        assert_eq!(pace.take(first + millis(350)), (first + millis(300), 3));
        assert_eq!(pace.due(), first + millis(400));
        assert_eq!(pace.take(first + millis(400)), (first + millis(400), 0));
        // Early, as a timer may be: nothing is done twice.
        assert_eq!(pace.take(first + millis(499)), (first + millis(500), 0));
        assert_eq!(pace.due(), first + millis(600));
    }

    #[test]
    fn after_an_outage_it_goes_on_in_step() {
        let first = Instant::now();
        let mut pace = Pace::new(first, 10.0);
        pace.resume(first);
        assert_eq!(pace.due(), first);
        pace.resume(first + millis(12_345));
        assert_eq!(pace.due(), first + millis(12_400));
        pace.resume(first + millis(12_346));
        assert_eq!(pace.due(), first + millis(12_400));
    }

    #[test]
    fn several_take_turns() {
        assert_eq!(stagger(10.0, 0, 4), Duration::ZERO);
        assert_eq!(stagger(10.0, 1, 4), millis(25));
        assert_eq!(stagger(10.0, 3, 4), millis(75));
    }
}
