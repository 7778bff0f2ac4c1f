//! A data directory that is being filled.

use std::path::{Path, PathBuf};

use super::super::directory::{DataDir, LOCK};
use super::super::error::StoreError;
use super::super::files;
use super::super::lock::Lock;
use super::{is_ours, names_in, remove_all};

/// The file that a data directory has as long as a restore into it has not come to its end. No gateway
/// starts there.
pub(in crate::store) const RESTORING: &str = "restoring";

/// The right to fill a data directory, which was empty. Dropped, it leaves the directory as one that no
/// gateway takes.
pub(super) struct Site {
    path: PathBuf,
    _lock: Lock,
}

impl Site {
    /// Takes the lock of a directory and marks it, if nothing is in it but what an earlier restore has
    /// left: that is removed.
    pub(super) fn begin(directory: &DataDir) -> Result<Self, StoreError> {
        let path = directory.path();
        let found = names_in(path)?;
        if let Err(error) = is_free(path, &found) {
            // That a gateway runs there says more.
            if found.iter().any(|name| name == LOCK) {
                directory.lock_unlooked()?;
            }
            return Err(error);
        }
        let lock = directory.lock_unlooked()?;
        // Whoever had it until now may have used it.
        is_free(path, &names_in(path)?)?;
        let site = Self { path: path.to_owned(), _lock: lock };
        files::make_new(&site.marker())?;
        files::sync_parent(&site.marker())?;
        remove_all(path)?;
        Ok(site)
    }

    /// Has the directory be one that a gateway takes.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        files::sync_parent(&self.marker())?;
        self.unmark()
    }

    /// Has the directory be as empty as it was.
    pub(super) fn clear(self) -> Result<(), StoreError> {
        remove_all(&self.path)?;
        self.unmark()
    }

    fn unmark(&self) -> Result<(), StoreError> {
        files::remove_if_there(&self.marker())?;
        files::sync_parent(&self.marker())
    }

    fn marker(&self) -> PathBuf {
        self.path.join(RESTORING)
    }
}

/// Looks that nothing is there, or what a restore has left.
fn is_free(path: &Path, found: &[String]) -> Result<(), StoreError> {
    let is_marked = found.iter().any(|name| name == RESTORING);
    let may_stay = |name: &String| name == LOCK || (is_marked && is_ours(name));
    if found.iter().all(may_stay) {
        return Ok(());
    }
    Err(StoreError::NotEmpty { path: path.to_owned() })
}
