//! How long an event waits before it is tried again.

use std::time::Duration;

const LONGEST: u64 = 60;

/// A wait after `failures` attempts before the last failed: up to 1, 2, 4 … 60 seconds, drawn evenly
/// from zero on, so that a crowd of events does not come back at once.
pub(super) fn wait(failures: u32) -> Duration {
    // Without a source of random numbers there is no server at all.
    let random = getrandom::u64().unwrap_or(0);
    let millis = u64::try_from(ceiling(failures).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % millis.saturating_add(1))
}

fn ceiling(failures: u32) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(failures).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let ceilings: Vec<u64> = (0..9).map(|failures| ceiling(failures).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(ceiling(u32::MAX).as_secs(), 60);
        assert!((0..1000).all(|_| wait(2) <= Duration::from_secs(4)));
    }
}
