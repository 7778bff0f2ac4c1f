//! A copy of the data directory, made while a gateway uses it, and put back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::directory::{DataDir, JOURNAL};
use super::error::StoreError;
use super::files;
use super::journal;
use super::sqlite;

/// The small files of a data directory.
const FILES: [&str; 4] = ["signing-key", "ended-tokens", "clock", JOURNAL];
/// Its file of SQLite.
const DATABASE: &str = "pushgate.db";

/// Copies the data directory `from` into `to`, which is made if missing. A gateway may use `from`
/// meanwhile: the copy is what was on disk at a moment. Waits for the disk.
///
/// # Errors
/// [`StoreError::NotEmpty`] if `to` holds anything; [`StoreError::NoData`] if `from` holds nothing of
/// a gateway; [`StoreError::Database`], [`StoreError::Io`]. Nothing is left in `to` then.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    copy(from, to, |_, _| Ok(()))
}

/// Puts the copy `from` in place of the data directory `to`, which is made if missing. Waits for the
/// disk.
///
/// What was said since the copy was made is gone, and its ids would be given again: so the orders of
/// all durable channels begin anew, and who comes with an id from before is told a gap. Who was here when
/// the copy was made is not here any more, and what a backend was to be told then is not sent again.
///
/// # Errors
/// As [`backup`].
pub fn restore(from: &Path, to: &Path) -> Result<(), StoreError> {
    copy(from, to, |name, path| match name {
        DATABASE => sqlite::begin_anew(path),
        JOURNAL => journal::forget(path),
        _ => Ok(()),
    })
}

fn copy(
    from: &Path,
    to: &Path,
    then: impl Fn(&str, &Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let names = FILES.iter().chain([&DATABASE]).filter(|name| from.join(name).exists());
    let names: Vec<_> = names.copied().collect();
    if names.is_empty() {
        return Err(StoreError::NoData { path: from.to_owned() });
    }
    let target = DataDir::open(to)?;
    let mut entries = fs::read_dir(target.path()).map_err(StoreError::io("read", to))?;
    if entries.next().is_some() {
        return Err(StoreError::NotEmpty { path: to.to_owned() });
    }
    let copied = copy_files(from, to, &names, then);
    if copied.is_err() {
        for path in names.iter().flat_map(|name| left(to, name)) {
            // What it is about is the failure before.
            let _ = fs::remove_file(path);
        }
    }
    copied
}

fn copy_files(
    from: &Path,
    to: &Path,
    names: &[&str],
    then: impl Fn(&str, &Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for name in names {
        let (source, target) = (from.join(name), to.join(name));
        if *name == DATABASE {
            files::make_private(&target)?;
            sqlite::copy(&source, &target)?;
            then(name, &target)?;
            let synced = fs::File::open(&target).and_then(|file| file.sync_all());
            synced.map_err(StoreError::io("sync", &target))?;
        } else {
            let content = fs::read(&source).map_err(StoreError::io("read", &source))?;
            let draft = target.with_extension("tmp");
            if !files::create(&target, &draft, &content)? {
                let taken = io::Error::from(io::ErrorKind::AlreadyExists);
                return Err(StoreError::io("create", &target)(taken));
            }
            then(name, &target)?;
        }
    }
    files::sync_parent(&to.join(DATABASE))
}

/// What a copy that failed may have left of a file.
fn left(to: &Path, name: &str) -> Vec<PathBuf> {
    let endings = ["", "-wal", "-shm", "-journal"];
    endings.iter().map(|ending| to.join(format!("{name}{ending}"))).collect()
}
