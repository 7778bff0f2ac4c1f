//! How long echoes took, in little memory.

use std::time::Duration;

/// Steps from one power of two to the next, so that what is told is at most 7 % above the truth.
const STEPS: u64 = 16;
/// Up to 2³⁶ microseconds, which is 19 hours; the last one is for what took longer.
const BUCKETS: usize = 16 * 33;

/// A histogram of durations with fine steps for short ones and coarse ones for long ones.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Latencies {
    /// One more.
    pub(crate) fn add(&mut self, took: Duration) {
        let bucket = bucket(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if let Some(count) = self.counts.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// What so many of a hundred did not exceed; `None` if there were none at all.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.total * percent).div_ceil(100).max(1);
        let mut so_far = 0;
        let reaches = |count: &u64| {
            so_far += count;
            so_far >= rank
        };
        self.counts.iter().position(reaches).map(|bucket| Duration::from_micros(end(bucket)))
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }
}

/// The bucket of a number: each of the first sixteen has one, then each power of two has sixteen.
fn bucket(micros: u64) -> usize {
    if micros < STEPS {
        return usize::try_from(micros).unwrap_or(0);
    }
    let shift = u64::from(micros.ilog2()).saturating_sub(4);
    usize::try_from(shift * STEPS + (micros >> shift)).unwrap_or(usize::MAX)
}

/// The first number beyond a bucket.
fn end(bucket: usize) -> u64 {
    let next = u64::try_from(bucket).unwrap_or(u64::MAX).saturating_add(1);
    if next < 2 * STEPS {
        return next;
    }
    let shift = next / STEPS - 1;
    (STEPS + next % STEPS) << shift.min(48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut before = 0;
        for micros in 0..2_000_000 {
            let bucket = bucket(micros);
            assert!(bucket == before || bucket == before + 1, "{micros} after {before}");
            let end = end(bucket);
            assert!(micros < end && end <= micros + 1 + micros / 16, "{micros} before {end}");
            before = bucket;
        }
        assert!(bucket(1 << 36) >= BUCKETS && bucket((1 << 36) - 1) < BUCKETS);
    }

    #[test]
    fn percentiles_are_near_the_truth_and_not_below() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        for micros in 1..=10_000 {
            latencies.add(Duration::from_micros(micros));
        }
        let near = |percent, micros: u64| {
            let told = u64::try_from(latencies.percentile(percent).unwrap().as_micros()).unwrap();
            assert!((micros..=micros * 107 / 100).contains(&told), "{percent} %: {told}");
        };
        near(50, 5000);
        near(99, 9900);
        near(100, 10_000);
        latencies.clear();
        latencies.add(Duration::from_hours(2000));
        assert!(latencies.percentile(99).unwrap() >= Duration::from_hours(19));
    }
}
