//! Memory that a crowd has left behind goes back to the operating system.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

/// Has the allocator and the kernel keep no more than what is in use; for a process of its own, as
/// early as can be.
pub fn be_frugal() {
    keep_pages_small();
    set_purge_delay();
}

/// How many must have come or gone since the last time for it to be worth while: a handshake needs
/// far more memory than the connection that it leaves behind.
const CROWD: usize = 1000;

/// How many looks long it is given back: maps shrink a while after a crowd has left, and a thread may
/// be busy the first time.
const AGAIN: u32 = 8;

/// How many may come or go between two looks while things are calm.
const CALM: usize = 100;

/// Watches how many connections and clients there are.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The least and the most since memory was last given back, and how many at the last look.
    least: usize,
    most: usize,
    seen: usize,
    /// How many more times memory is to be given back.
    again: u32,
}

impl Memory {
    /// Has memory given back if a crowd has come or gone since the last time, once that has settled.
    /// Whether it has: then every thread is to be woken.
    pub(super) fn look(&mut self, now: usize) -> bool {
        if self.is_due(now) {
            self.again = AGAIN;
        }
        let is_due = self.again > 0;
        self.again = self.again.saturating_sub(1);
        if is_due {
            ASKED.fetch_add(1, Ordering::Relaxed);
        }
        is_due
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

/// Has the kernel give this process pages of its usual size: of a huge page that one connection
/// lies on, 2 MiB stay ours. Measured: 3.0 KB for an SSE stream became 1.3 KB, and 10 MB at the
/// start 1.5 MB.
#[allow(unsafe_code, reason = "prctl has no safe counterpart in what we use")]
fn keep_pages_small() {
    // SAFETY: this operation takes numbers only. Where the kernel does not know it, nothing changes.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}

/// mimalloc's option `purge_delay`, which its bindings do not name: after how many milliseconds a
/// page that nothing lies on goes back.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// Shorter than the default of a second: with that, pages were still ours long after a crowd had settled.
const PURGE_DELAY_MS: std::ffi::c_long = 10;

#[allow(unsafe_code, reason = "mi_option_set has no safe counterpart in the bindings")]
fn set_purge_delay() {
    // SAFETY: takes no pointer, and the option is one that mimalloc knows.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) }
}

/// How often threads were asked to give back what they hold.
static ASKED: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// How often this one was asked when it last did.
    static DONE: Cell<u32> = const { Cell::new(0) };
}

/// Gives back what this thread holds and does not use, if it was asked to since the last time. A
/// thread calls it when it has nothing to do: no other can, since each has a heap of its own.
pub fn give_back_if_asked() {
    let asked = ASKED.load(Ordering::Relaxed);
    if DONE.replace(asked) != asked {
        give_back();
    }
}

/// Has the allocator return every page that nothing of this thread lies on.
#[allow(unsafe_code, reason = "mi_collect has no safe counterpart in the bindings")]
fn give_back() {
    // SAFETY: takes no pointer, may be called at any time from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

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
