//! Memory that a crowd has left behind goes back to the operating system.

/// How many must have come or gone since the last time for it to be worth while: a handshake needs
/// far more memory than the connection that it leaves behind.
const CROWD: usize = 1000;

/// How many may come or go between two looks while things are calm.
const CALM: usize = 100;

/// Watches how many connections and clients there are.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// How many there were when memory was last given back, and at the last look.
    given_back_at: usize,
    seen: usize,
}

impl Memory {
    /// Gives memory back if a crowd has come or gone since the last time, once it has settled.
    pub(super) fn look(&mut self, now: usize) {
        let is_calm = self.seen.abs_diff(now) < CALM;
        self.seen = now;
        if is_calm && self.given_back_at.abs_diff(now) >= CROWD {
            self.given_back_at = now;
            give_back();
        }
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
