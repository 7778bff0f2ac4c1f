//! One process at a time uses a data directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::StoreError;
use super::files::OWNER_ONLY;

/// The right to use a data directory, which the kernel takes back when the process ends, however it
/// does.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    held: Mutex<File>,
}

impl Lock {
    /// Takes the lock that is the file at `path`, which then tells the id of this process.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it; [`StoreError::Io`]. A file system that has
    /// no locks is used without.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let held = Mutex::new(hold(path)?);
        Ok(Self { path: path.to_owned(), held })
    }

    /// Sees that the file is still the one that is held: whoever removes it, or puts another in its
    /// place, lets a second process in. Where there is no other yet it is taken anew; answers whether it
    /// had to be.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has the new one by now; [`StoreError::Io`].
    pub fn renew(&self) -> Result<bool, StoreError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = is_at(&held, &self.path).map_err(StoreError::io("look at", &self.path))?;
        if !is_ours {
            *held = hold(&self.path)?;
        }
        drop(held);
        Ok(!is_ours)
    }
}

fn hold(path: &Path) -> Result<File, StoreError> {
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
    Ok(file)
}

/// Whether the file at `path` is this one.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let mine = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (mine.dev(), mine.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
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

    #[test]
    fn a_file_that_was_removed_is_taken_anew_unless_another_has_it() {
        let scratch = Scratch::new();
        let path = scratch.0.join("lock");
        let first = Lock::take(&path).unwrap();
        assert!(!first.renew().unwrap());
        fs::remove_file(&path).unwrap();
        assert!(first.renew().unwrap() && !first.renew().unwrap());
        assert!(matches!(Lock::take(&path), Err(StoreError::InUse { .. })));
        fs::remove_file(&path).unwrap();
        let second = Lock::take(&path).unwrap();
        assert!(matches!(first.renew(), Err(StoreError::InUse { .. })));
        drop(second);
        assert!(first.renew().unwrap());
    }
}
