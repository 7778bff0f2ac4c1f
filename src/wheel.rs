//! A timer wheel: many deadlines, most of which are moved or forgotten before they come.
//!
//! Used by every worker for its connections and by presence for its clients. Adding is O(1);
//! nothing is ever removed early: whoever takes a due entry checks whether it still matters.

use std::time::Duration;
use tokio::time::Instant;

const SLOTS: usize = 512;
/// Entries that an empty slot keeps room for.
const KEPT: usize = 8;

/// Deadlines with a value each, kept in [`SLOTS`] buckets of one tick.
///
/// Owner: one loop. Time enters as an argument. Bound: as many entries as the owner adds; the
/// owner keeps at most a few per connection or client.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Vec<Vec<(u64, T)>>,
    tick: Duration,
    start: Instant,
    /// The first tick that was not handed out yet.
    next: u64,
    /// No entry is due before this tick.
    clear: u64,
    len: usize,
}

impl<T> Wheel<T> {
    /// An empty wheel that counts from `start` in steps of `tick`.
    pub(crate) fn new(start: Instant, tick: Duration) -> Self {
        let slots = std::iter::repeat_with(Vec::new).take(SLOTS).collect();
        Self { slots, tick, start, next: 0, clear: 0, len: 0 }
    }

    /// Adds `value`, to be handed out by the first [`expired`](Self::expired) at or after `deadline`.
    pub(crate) fn add(&mut self, deadline: Instant, value: T) {
        let tick = self.tick_after(deadline).max(self.next);
        if let Some(slot) = self.slots.get_mut(slot_of(tick)) {
            slot.push((tick, value));
            self.clear = self.clear.min(tick);
            self.len += 1;
        }
    }

    /// What is due at `now`, in the order of the ticks.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<T> {
        let reached = self.tick_before(now);
        let mut due = Vec::new();
        if self.len == 0 {
            self.next = self.next.max(reached + 1);
            return due;
        }
        let from = self.next;
        if reached < from {
            return due;
        }
        // A long pause passes every slot once at most.
        let rounds = (reached - from + 1).min(u64::try_from(SLOTS).unwrap_or(u64::MAX));
        for step in 0..rounds {
            let Some(slot) = self.slots.get_mut(slot_of(from + step)) else {
                continue;
            };
            let mut index = 0;
            while let Some((tick, _)) = slot.get(index) {
                if *tick <= reached {
                    due.push(slot.swap_remove(index).1);
                    self.len -= 1;
                } else {
                    index += 1;
                }
            }
            // What a crowd needed is not kept for the few.
            if slot.is_empty() && slot.capacity() > KEPT {
                *slot = Vec::new();
            }
        }
        self.next = reached + 1;
        due
    }

    /// How many entries there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Drops every entry that does not matter any more.
    pub(crate) fn retain(&mut self, matters: impl Fn(&T) -> bool) {
        for slot in &mut self.slots {
            slot.retain(|(_, value)| matters(value));
            if slot.len() < slot.capacity() / 2 {
                slot.shrink_to(KEPT.min(slot.len()));
            }
        }
        self.len = self.slots.iter().map(Vec::len).sum();
    }

    /// How long after `now` the next entry is due; `None` while the wheel is empty.
    ///
    /// Never later than the truth; at most a turn of the wheel, since entries of a later round
    /// are not looked for. What was looked through once is not looked through again.
    pub(crate) fn until_next(&mut self, now: Instant) -> Option<Duration> {
        if self.len == 0 {
            return None;
        }
        let turn = self.next + u64::try_from(SLOTS).unwrap_or(u64::MAX);
        let is_empty = |tick: &u64| self.slots.get(slot_of(*tick)).is_none_or(Vec::is_empty);
        let first = self.next.max(self.clear);
        self.clear = (first..turn).find(|tick| !is_empty(tick)).unwrap_or(turn);
        let ticks = u32::try_from(self.clear).unwrap_or(u32::MAX);
        Some((self.start + self.tick * ticks).saturating_duration_since(now))
    }

    fn tick_after(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since.div_ceil(self.tick.as_nanos())).unwrap_or(u64::MAX)
    }

    fn tick_before(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since / self.tick.as_nanos()).unwrap_or(u64::MAX)
    }
}

fn slot_of(tick: u64) -> usize {
    usize::try_from(tick % u64::try_from(SLOTS).unwrap_or(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn an_entry_is_handed_out_once_and_never_early() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        wheel.add(start + Duration::from_millis(25), 'a');
        assert!(wheel.expired(start + Duration::from_millis(20)).is_empty());
        assert_eq!(wheel.expired(start + Duration::from_millis(30)), ['a']);
        assert!(wheel.expired(start + Duration::from_mins(1)).is_empty());
    }

    #[test]
    fn an_entry_of_a_later_round_waits_for_its_round() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        let round = TICK * u32::try_from(SLOTS).unwrap();
        wheel.add(start + round + TICK, 'b');
        assert!(wheel.expired(start + TICK * 2).is_empty());
        assert_eq!(wheel.expired(start + round + TICK), ['b']);
    }

    #[test]
    fn a_deadline_in_the_past_is_due_at_the_next_tick() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        assert!(wheel.expired(start + Duration::from_secs(1)).is_empty());
        wheel.add(start, 'c');
        assert_eq!(wheel.expired(start + Duration::from_millis(1010)), ['c']);
    }

    #[test]
    fn what_does_not_matter_any_more_is_not_handed_out() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        for number in 0..10 {
            wheel.add(start + TICK * number, number);
        }
        wheel.retain(|number| number % 2 == 0);
        assert_eq!(wheel.len(), 5);
        assert_eq!(wheel.expired(start + TICK * 10), [0, 2, 4, 6, 8]);
    }

    #[test]
    fn the_wait_reaches_to_the_next_entry() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        assert_eq!(wheel.until_next(start), None);
        wheel.add(start + Duration::from_millis(500), 'd');
        assert_eq!(wheel.until_next(start), Some(Duration::from_millis(500)));
        let later = start + Duration::from_millis(300);
        assert_eq!(wheel.until_next(later), Some(Duration::from_millis(200)));
        wheel.add(start + Duration::from_millis(400), 'c');
        assert_eq!(wheel.until_next(later), Some(Duration::from_millis(100)), "came behind");
        assert_eq!(wheel.expired(start + Duration::from_millis(400)), ['c']);
        assert_eq!(wheel.until_next(later), Some(Duration::from_millis(200)));
    }

    #[test]
    fn no_entry_is_slept_over() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        let rounds = 3 * u64::try_from(SLOTS).unwrap();
        let mut now = start;
        let mut seed = 7_u64;
        for step in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let deadline = now + TICK * u32::try_from((seed >> 33) % rounds).unwrap();
            if step % 3 == 0 {
                wheel.add(deadline, deadline);
            }
            let Some(wait) = wheel.until_next(now) else { continue };
            now += wait.min(TICK * 20);
            for due in wheel.expired(now) {
                assert!(due <= now && now <= due + TICK, "step {step}");
            }
        }
    }

    #[test]
    fn a_long_pause_hands_out_everything_that_came_due() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        for second in 1..=100 {
            wheel.add(start + Duration::from_secs(second), second);
        }
        assert_eq!(wheel.expired(start + Duration::from_secs(100)).len(), 100);
    }
}
