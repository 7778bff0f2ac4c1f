//! A disk that forgets what was not synced: `powercut.c`, compiled for the test and loaded into the node.

use std::path::PathBuf;

use super::common::node::{Home, Setup, TestNode};
use super::common::preload::compile;
use super::crash::Random;

/// What a disk writes at once, or not at all.
const BLOCK: usize = 512;

/// A disk that loses its power.
pub(crate) struct Powercut {
    home: Home,
    library: PathBuf,
}

impl Powercut {
    pub(crate) fn new() -> Self {
        let home = Home::fresh();
        let library = compile("durable/powercut.c", &home);
        Self { home, library }
    }

    /// A node on this disk.
    pub(crate) fn apply(&self, setup: Setup) -> Setup {
        setup
            .env("LD_PRELOAD", self.library.to_str().unwrap())
            .env("SYNCED", self.home.path().to_str().unwrap())
    }

    /// Makes the files of a node that was killed what they are after the power was lost: what was
    /// synced, and of the rest nothing, or some blocks in no order.
    pub(crate) fn cut(&self, node: &TestNode, random: &mut Random) {
        let is_clean = random.below(2) == 0;
        for name in ["pushgate.db", "pushgate.db-wal"] {
            let (path, synced) = (node.data_dir().join(name), self.home.path().join(name));
            let written = std::fs::read(&path).unwrap_or_default();
            let Ok(mut left) = std::fs::read(&synced) else {
                // Not even its name was.
                let _ = std::fs::remove_file(&path);
                continue;
            };
            if !is_clean {
                tear(&mut left, &written, random);
            }
            std::fs::write(&path, &left).unwrap();
            std::fs::write(&synced, &left).unwrap();
        }
        let _ = std::fs::remove_file(node.data_dir().join("pushgate.db-shm"));
    }
}

/// Writes some of the blocks of `written` over `left`.
fn tear(left: &mut Vec<u8>, written: &[u8], random: &mut Random) {
    if written.len() > left.len() {
        let more = u64::try_from(written.len() - left.len()).unwrap();
        left.resize(left.len() + usize::try_from(random.below(more + 1)).unwrap(), 0);
    }
    for (left, written) in left.chunks_mut(BLOCK).zip(written.chunks(BLOCK)) {
        if random.below(2) == 0 {
            let length = left.len().min(written.len());
            left[..length].copy_from_slice(&written[..length]);
        }
    }
}
