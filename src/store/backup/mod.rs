//! A copy of the data directory, made while a gateway uses it, and put back.
//!
//! A copy is whole once its [`Manifest`] is: that begins empty, before anything else, and is put in its place
//! last. A data directory that is being filled has a [`Site`]. So whatever ends either of them, nobody
//! takes for whole what is not.

mod manifest;
mod site;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(super) use self::manifest::{MANIFEST, Manifest};
pub(super) use self::site::RESTORING;

use self::manifest::Copied;
use self::site::Site;
use super::directory::{DataDir, JOURNAL};
use super::error::StoreError;
use super::files;
use super::journal;
use super::sqlite;

/// The small files of a data directory.
const FILES: [&str; 4] = ["signing-key", "ended-tokens", "clock", JOURNAL];
/// Its file of SQLite.
const DATABASE: &str = "pushgate.db";
/// What the names of files end in that we or SQLite make beside these.
const ENDINGS: [&str; 5] = ["", "-wal", "-shm", "-journal", ".tmp"];

/// How much is copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// All of the data directory.
    Whole,
    /// All but the database: topics and durable channels are elsewhere.
    WithoutDatabase,
}

/// Copies the data directory `from` into `to`, which is made if missing. A gateway may use `from`
/// meanwhile: of each file the copy is what was on disk at a moment. Waits for the disk.
///
/// # Errors
/// [`StoreError::NotEmpty`] if `to` holds anything; [`StoreError::Inside`] if it is `from` or below that;
/// [`StoreError::NoData`] if `from` holds nothing of a gateway; [`StoreError::HalfRestored`];
/// [`StoreError::Copy`]; [`StoreError::NotAKey`] and the like where a gateway would not start with it;
/// [`StoreError::Database`], [`StoreError::Io`]. Nothing is left in `to` then.
pub fn backup(from: &Path, to: &Path, extent: Extent) -> Result<(), StoreError> {
    apart(from, to)?;
    let found = names_in(from)?;
    if found.iter().any(|name| name == RESTORING) {
        return Err(StoreError::HalfRestored { path: from.to_owned() });
    }
    if found.iter().any(|name| name == MANIFEST) {
        Manifest::read(from)?;
    }
    let names: Vec<_> =
        wanted(extent).filter(|name| found.iter().any(|found| found == name)).collect();
    if names.is_empty() {
        return Err(StoreError::NoData { path: from.to_owned() });
    }
    let target = DataDir::open(to)?;
    if !names_in(to)?.is_empty() || !files::make_new(&to.join(MANIFEST))? {
        return Err(StoreError::NotEmpty { path: to.to_owned() });
    }
    let copied = copy_all(from, &target, &names, extent);
    if copied.is_err() && remove_all(to).is_ok() {
        // What it is about is the failure before.
        let _ = files::remove_if_there(&to.join(MANIFEST));
    }
    copied
}

/// Puts the copy `from` in place of the data directory `to`, which is made if missing. Waits for the
/// disk.
///
/// What was said since the copy was made is gone, and its ids would be given again: so the orders of
/// all durable channels begin anew, and who comes with an id from before is told a gap. Who was here when
/// the copy was made is not here any more, what a backend was to be told then is not sent again, and what
/// it is told from now on has numbers far above all that were.
///
/// A restore that was ended may be repeated.
///
/// # Errors
/// [`StoreError::Copy`] if the copy is not whole; [`StoreError::Elsewhere`] if it has no database and one
/// is wanted; [`StoreError::InUse`] if a gateway uses `to`, else as [`backup`].
pub fn restore(from: &Path, to: &Path, extent: Extent) -> Result<(), StoreError> {
    apart(from, to)?;
    let manifest = Manifest::read(from)?;
    manifest.check(from, &names_in(from)?)?;
    if !manifest.has_database() && extent == Extent::Whole {
        return Err(StoreError::Elsewhere { path: from.to_owned() });
    }
    let target = DataDir::open(to)?;
    let site = Site::begin(&target)?;
    let restored = put_back(from, &target, &manifest, extent);
    if restored.is_err() {
        // What it is about is the failure before.
        let _ = site.clear();
        return restored;
    }
    site.finish()
}

fn copy_all(
    from: &Path,
    target: &DataDir,
    names: &[&str],
    extent: Extent,
) -> Result<(), StoreError> {
    let to = target.path();
    files::sync_parent(&to.join(MANIFEST))?;
    for name in names {
        let (source, target) = (from.join(name), to.join(name));
        if *name == DATABASE {
            files::make_private(&target)?;
            sqlite::copy(&source, &target)?;
            files::sync(&target)?;
        } else {
            files::copy(&source, &target, |_| ())?;
        }
    }
    look_at(target, from, names)?;
    let copied = names.iter().map(|name| Copied::of(to, name)).collect::<Result<_, _>>()?;
    // That they are there, before it is said that all of them are.
    files::sync_parent(&to.join(MANIFEST))?;
    Manifest::of(copied, extent == Extent::Whole).write(to)
}

fn put_back(
    from: &Path,
    target: &DataDir,
    manifest: &Manifest,
    extent: Extent,
) -> Result<(), StoreError> {
    let to = target.path();
    let names: Vec<_> = wanted(extent).filter(|name| manifest.names(name)).collect();
    for name in &names {
        manifest.copy(from, to, name)?;
    }
    look_at(target, from, &names)?;
    if names.contains(&DATABASE) {
        sqlite::begin_anew(&to.join(DATABASE))?;
        files::sync(&to.join(DATABASE))?;
    }
    // Also where the copy has none: hooks may have been asked for since.
    journal::renumber(&to.join(JOURNAL))
}

/// Looks at the small files in `target` as a start does; what is wrong with them is told of those in
/// `from`.
fn look_at(target: &DataDir, from: &Path, names: &[&str]) -> Result<(), StoreError> {
    for name in names {
        let looked = match *name {
            "signing-key" => target.signing_key().map(drop),
            "ended-tokens" => target.ended_tokens().map(drop),
            "clock" => target.latest_time().map(drop),
            _ => Ok(()),
        };
        looked.map_err(|error| error.told_of(from.join(name)))?;
    }
    Ok(())
}

/// The files that are copied.
fn wanted(extent: Extent) -> impl Iterator<Item = &'static str> {
    let database = (extent == Extent::Whole).then_some(DATABASE);
    FILES.into_iter().chain(database)
}

/// The names of all that is in a directory.
fn names_in(path: &Path) -> Result<Vec<String>, StoreError> {
    let name = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let names = fs::read_dir(path).and_then(|entries| entries.map(name).collect());
    names.map_err(StoreError::io("read", path))
}

/// Whether a file of this name is one that a copy may have left.
fn is_ours(name: &str) -> bool {
    let files = FILES.iter().chain([&DATABASE, &MANIFEST, &RESTORING]);
    files.into_iter().any(|file| name.strip_prefix(file).is_some_and(|end| ENDINGS.contains(&end)))
}

/// Removes what a copy may have left in a directory, but for what tells that it is there.
fn remove_all(path: &Path) -> Result<(), StoreError> {
    for name in FILES.iter().chain([&DATABASE]) {
        for ending in ENDINGS {
            files::remove_if_there(&path.join(format!("{name}{ending}")))?;
        }
    }
    files::remove_if_there(&path.join(MANIFEST).with_extension("tmp"))?;
    files::sync_parent(&path.join(DATABASE))
}

/// Refuses a copy into itself.
fn apart(from: &Path, to: &Path) -> Result<(), StoreError> {
    if real(to).starts_with(real(from)) {
        return Err(StoreError::Inside { path: to.to_owned(), of: from.to_owned() });
    }
    Ok(())
}

/// Where a path leads to, that need not be there yet.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = whole.ancestors().filter_map(|above| {
        let below = whole.strip_prefix(above).ok()?;
        Some(above.canonicalize().ok()?.join(below))
    });
    real.next().unwrap_or_else(|| whole.clone())
}
