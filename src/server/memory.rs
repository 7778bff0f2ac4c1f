//! Memory that a crowd has left behind goes back to the operating system.

/// How many must have come or gone since the last time for it to be worth while: a handshake needs
/// far more memory than the connection that it leaves behind.
const CROWD: usize = 1000;

/// How many may come or go between two looks while things are calm.
const CALM: usize = 100;

/// Watches how many connections and clients there are.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The least and the most since memory was last given back, and how many at the last look.
    least: usize,
    most: usize,
    seen: usize,
}

impl Memory {
    /// Gives memory back if a crowd has come or gone since the last time, once that has settled.
    pub(super) fn look(&mut self, now: usize) {
        if self.is_due(now) {
            give_back();
        }
    }

    fn is_due(&mut self, now: usize) -> bool {
        let is_calm = self.seen.abs_diff(now) < CALM;
        self.seen = now;
        self.least = self.least.min(now);
        self.most = self.most.max(now);
        let is_due = is_calm && (self.most - now >= CROWD || now - self.least >= CROWD);
        if is_due {
            (self.least, self.most) = (now, now);
        }
        is_due
    }
}

/// Has the allocator return every whole page that nothing lies on. glibc does that by itself only at
/// the upper end of its heaps; other allocators need no telling.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "malloc_trim has no safe counterpart in any library we use")]
fn give_back() {
    // SAFETY: takes no pointer, may be called at any time from any thread (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_a_crowd_has_settled() {
        let mut memory = Memory::default();
        let looks = [0, 0, 5000, 9000, 9010, 9020, 3000, 0, 0, 0, 900, 900, 0, 0];
        let due: Vec<_> = looks.into_iter().filter(|now| memory.is_due(*now)).collect();
        assert_eq!(due, [9010, 0]);
    }

    #[test]
    fn a_crowd_that_never_settled_is_noticed_when_it_has_left() {
        let mut memory = Memory::default();
        let due: Vec<_> = [0, 5000, 0, 0].into_iter().map(|now| memory.is_due(now)).collect();
        assert_eq!(due, [false, false, false, true]);
    }
}
