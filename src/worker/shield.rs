//! A bug that one connection meets ends that connection, no other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Ending;
use super::connections::{Connections, SCRATCH};
use crate::metrics::Tally as _;

impl Connections {
    /// Does something for the connection at `key`. If that panics the connection is dropped: what
    /// all share is put right again, and what cannot be is the end of the worker.
    pub(super) fn shielded(&mut self, key: usize, act: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| act(self))).is_ok() {
            return;
        }
        self.handle.tally().panics.add(1);
        tracing::error!("a connection met a bug and is ended; the others go on");
        // It may have been lent to what panicked, and an empty one reads as the end of every stream.
        if self.scratch.is_empty() {
            self.scratch = vec![0; SCRATCH];
        }
        self.drop_now(key, Ending::Dropped);
    }
}
