//! One process at a time uses a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::StoreError;
use super::files::OWNER_ONLY;

/// The right to use a data directory, which the kernel takes back when the process ends, however it
/// does.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, and never read")] File);

impl Lock {
    /// Takes the lock that is the file at `path`, which then tells the id of this process.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it; [`StoreError::Io`]. A file system that has
    /// no locks is used without.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::io("lock", path)(error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY);
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // It may be about to write: then nobody is named.
                let _ = file.read_to_string(&mut text);
                let directory = path.parent().unwrap_or(path).to_owned();
                return Err(StoreError::InUse { directory, process: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(path = %path.display(), "no locks here: see that one gateway runs");
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(failed)?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_was_first() {
        let scratch = Scratch::new();
        let path = scratch.0.join("lock");
        let first = Lock::take(&path).unwrap();
        let refused = Lock::take(&path).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        Lock::take(&path).unwrap();
    }
}
