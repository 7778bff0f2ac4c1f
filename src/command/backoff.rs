//! How long to wait before trying again: full jitter, and what `Retry-After` asks for.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// The longest wait of one's own accord.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that a gateway is obeyed in.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// Waits of up to 1, 2, 4 … 30 seconds, drawn evenly from zero on so that many clients spread.
///
/// Source: robustness.md, L1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Begins anew: something arrived.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait; never below `asked`, and then spread over a second more.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        match asked {
            Some(asked) => {
                asked.min(LONGEST_ASKED).saturating_add(jitter(Duration::from_secs(1), random()))
            }
            None => jitter(ceiling, random()),
        }
    }

    fn ceiling(&self) -> Duration {
        Duration::from_secs(2_u64.saturating_pow(self.failures)).min(LONGEST)
    }
}

/// A share of `ceiling`, from nothing to all of it, as `random` has it.
fn jitter(ceiling: Duration, random: u64) -> Duration {
    let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % millis.saturating_add(1))
}

/// A random number; without a source of them, a constant in the middle of the shorter waits.
fn random() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return 500;
    }
    u64::from_le_bytes(bytes)
}

/// What a `Retry-After` header asks for: seconds, or an HTTP date seen from `now`.
pub(crate) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(header).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_thirty_seconds_and_begin_anew() {
        let mut backoff = Backoff::default();
        let mut ceilings = Vec::new();
        for _ in 0..7 {
            let ceiling = backoff.ceiling();
            ceilings.push(ceiling.as_secs());
            assert!(backoff.next(None) <= ceiling);
        }
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.ceiling(), Duration::from_secs(1));
    }

    #[test]
    fn jitter_covers_everything_from_nothing_to_the_ceiling() {
        let ceiling = Duration::from_secs(4);
        assert_eq!(jitter(ceiling, 0), Duration::ZERO);
        assert_eq!(jitter(ceiling, 4_000), ceiling);
        assert_eq!(jitter(ceiling, 4_001), Duration::ZERO);
    }

    #[test]
    fn a_wait_that_was_asked_for_is_never_shortened() {
        let mut backoff = Backoff::default();
        let wait = backoff.next(Some(Duration::from_secs(7)));
        assert!((Duration::from_secs(7)..=Duration::from_secs(8)).contains(&wait));
        assert!(backoff.next(Some(Duration::MAX)) <= LONGEST_ASKED + Duration::from_secs(1));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-21T13:20:30Z".parse().unwrap();
        assert_eq!(retry_after(" 12 ", now), Some(Duration::from_secs(12)));
        assert_eq!(
            retry_after("Sat, 21 Nov 2026 13:21:00 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(retry_after("Sat, 21 Nov 2026 13:20:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
