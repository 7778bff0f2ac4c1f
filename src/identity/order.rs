//! The one sequence that a node's tokens and logouts are ordered by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::TokenTime;

/// The sequence that orders tokens and logouts; clones draw from the same one.
///
/// Owner: the [`Signer`](super::Signer), which draws one at each mint and has seen that of every
/// token it verified; [`LiveTokens`](super::LiveTokens) draws one at each logout. So a token is
/// older than a logout exactly if it was minted before it, also within one millisecond.
///
/// Units: milliseconds since the epoch, as long as fewer than a thousand are drawn a second; under
/// a longer burst it runs ahead of the time and stays in order all the same.
/// Waits: no. Locks: no, one atomic.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    last: Arc<AtomicU64>,
}

impl Orders {
    /// A sequence that has given out nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next of the sequence: `now` in milliseconds, or one more than the last if that is later.
    pub fn next(&self, now: TokenTime) -> u64 {
        let after = |last: u64| now.millis().max(last.saturating_add(1));
        // Relaxed is enough: the order of changes to this one number is all that counts.
        let last =
            self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        after(last.unwrap_or_else(|last| last))
    }

    /// Makes everything drawn from here on later than `order`, which came from an earlier run or another node.
    pub fn observe(&self, order: u64) {
        // A look before the write keeps the line shared between cores: tokens seen are mostly old.
        if order > self.last.load(Ordering::Relaxed) {
            self.last.fetch_max(order, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_time_and_rises_within_a_millisecond() {
        let orders = Orders::new();
        let drawn = [50, 50, 50, 51, 90, 10].map(|ms| orders.next(TokenTime::from_millis(ms)));
        assert_eq!(drawn, [50, 51, 52, 53, 90, 91]);
    }

    #[test]
    fn what_was_observed_is_earlier_than_what_is_drawn() {
        let orders = Orders::new();
        orders.observe(1_000);
        orders.observe(7);
        assert_eq!(orders.next(TokenTime::from_millis(5)), 1_001);
    }

    #[test]
    fn its_end_does_not_wrap() {
        let orders = Orders::new();
        orders.observe(u64::MAX);
        assert_eq!(orders.next(TokenTime::from_millis(5)), u64::MAX);
    }

    #[test]
    fn threads_never_draw_the_same() {
        let orders = Orders::new();
        let draw = |_| {
            let orders = orders.clone();
            std::thread::spawn(move || {
                (0..1_000).map(|_| orders.next(TokenTime::from_millis(9))).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..4).map(draw).collect();
        let mut all: Vec<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4_000);
    }
}
