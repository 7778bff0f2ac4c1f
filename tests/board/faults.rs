//! A disk that fails on command: `faults.c`, compiled for the test and loaded into the node.

use std::path::PathBuf;

use super::common::node::{Home, Setup};
use super::common::preload::compile;

/// A disk that fails as long as it is told to.
pub(crate) struct Faults {
    home: Home,
    library: PathBuf,
}

impl Faults {
    pub(crate) fn new() -> Self {
        let home = Home::fresh();
        let library = compile("board/faults.c", &home);
        Self { home, library }
    }

    /// A node on this disk.
    pub(crate) fn apply(&self, setup: Setup) -> Setup {
        setup
            .env("LD_PRELOAD", self.library.to_str().unwrap())
            .env("FAULTS", self.file().to_str().unwrap())
    }

    /// From now on each write fails with `error`, a number of the system.
    pub(crate) fn fail_with(&self, error: i32) {
        std::fs::write(self.file(), error.to_string()).unwrap();
    }

    /// From now on each sync fails with `error`, and nothing else.
    #[allow(dead_code, reason = "not all of it is needed everywhere")]
    pub(crate) fn fail_syncs_with(&self, error: i32) {
        std::fs::write(self.file(), format!("{error}s")).unwrap();
    }

    /// From now on there is no room: each write breaks off before its end.
    #[allow(dead_code, reason = "not all of it is needed everywhere")]
    pub(crate) fn be_full(&self) {
        std::fs::write(self.file(), format!("{}p", libc::ENOSPC)).unwrap();
    }

    /// From now on it writes.
    pub(crate) fn heal(&self) {
        std::fs::remove_file(self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("faults")
    }
}
