//! The syncs of a gateway: counted where it asks the system for them, and longer where a disk is to
//! be slower than ours (`syncs.c`, which is compiled here and loaded before the system's library).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What is loaded into one gateway.
#[derive(Debug)]
pub(crate) struct Syncs {
    folder: PathBuf,
    longer: Duration,
}

impl Syncs {
    /// Needs a C compiler. Each sync takes so much `longer` than the disk takes.
    pub(crate) fn new(disk: &Path, longer: Duration) -> io::Result<Self> {
        let name = format!("pushgate-bench-{}-syncs-{}", std::process::id(), longer.as_micros());
        let syncs = Self { folder: disk.join(name), longer };
        std::fs::create_dir(&syncs.folder)?;
        std::fs::write(syncs.counter(), [0; 8])?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/syncs.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(syncs.library()).arg(source);
        if compiler.arg("-ldl").status()?.success() {
            Ok(syncs)
        } else {
            Err(io::Error::other("syncs.c could not be compiled"))
        }
    }

    /// What the gateway is started with.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 3] {
        [
            ("LD_PRELOAD", self.library().into()),
            ("SYNCS", self.counter().into()),
            ("SYNC_MICROS", self.longer.as_micros().to_string().into()),
        ]
    }

    /// How many there were.
    pub(crate) fn count(&self) -> io::Result<u64> {
        let bytes = std::fs::read(self.counter())?;
        let bytes = bytes.try_into().map_err(|_| io::Error::other("a count of another length"))?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn library(&self) -> PathBuf {
        self.folder.join("syncs.so")
    }

    fn counter(&self) -> PathBuf {
        self.folder.join("count")
    }
}

impl Drop for Syncs {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
