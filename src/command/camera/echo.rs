//! What was sent and has not come back yet.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::place::Place;

/// The most positions that may be under way: ten seconds at the highest rate.
const MOST: usize = 1000;

/// The positions of one connection that are under way to the gateway and back, the oldest first.
///
/// An echo is known by its position: it comes back with the same digits, and what comes back
/// comes in order. Older ones that did not come by then were replaced by newer ones.
#[derive(Debug, Default)]
pub(crate) struct Awaited(VecDeque<(Place, Instant)>);

impl Awaited {
    /// `place` was sent, at `now`. With too many under way the oldest is given up.
    pub(crate) fn sent(&mut self, place: Place, now: Instant) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((place, now));
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long `place` was under way if it is one of ours; `None` if it is another's.
    pub(crate) fn came_back(&mut self, place: Place, now: Instant) -> Option<Duration> {
        let at = self.0.iter().position(|(awaited, _)| *awaited == place)?;
        let (_, sent) = self.0.drain(..=at).next_back()?;
        Some(now.saturating_duration_since(sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(x: f64) -> Place {
        Place::rounded(x, 0.0, 0.0)
    }

    #[test]
    fn an_echo_is_known_once_and_others_are_not() {
        let now = Instant::now();
        let mut awaited = Awaited::default();
        awaited.sent(place(1.0), now);
        let later = now + Duration::from_millis(3);
        assert_eq!(awaited.came_back(place(2.0), later), None);
        assert_eq!(awaited.came_back(place(1.0), later), Some(Duration::from_millis(3)));
        assert_eq!(awaited.came_back(place(1.0), later), None);
    }

    #[test]
    fn an_echo_ends_the_wait_for_older_ones() {
        let now = Instant::now();
        let mut awaited = Awaited::default();
        for number in 0..5 {
            awaited.sent(place(f64::from(number)), now + Duration::from_millis(1) * number);
        }
        let took = awaited.came_back(place(3.0), now + Duration::from_millis(10));
        assert_eq!(took, Some(Duration::from_millis(7)));
        assert_eq!(awaited.came_back(place(2.0), now), None);
        assert_eq!(awaited.0.len(), 1);
    }

    #[test]
    fn who_stands_still_gets_one_echo_for_each() {
        let now = Instant::now();
        let mut awaited = Awaited::default();
        awaited.sent(place(1.0), now);
        awaited.sent(place(1.0), now);
        assert!(awaited.came_back(place(1.0), now).is_some());
        assert!(awaited.came_back(place(1.0), now).is_some());
        assert!(awaited.came_back(place(1.0), now).is_none());
    }

    #[test]
    fn what_is_awaited_is_bounded() {
        let now = Instant::now();
        let mut awaited = Awaited::default();
        for number in 0..3000 {
            awaited.sent(place(f64::from(number)), now);
        }
        assert_eq!(awaited.0.len(), MOST);
        assert!(awaited.came_back(place(2000.0), now).is_some());
        assert!(awaited.came_back(place(1999.0), now).is_none());
    }
}
