//! Small files, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Whom a file is for: its owner alone.
pub(super) const OWNER_ONLY: u32 = 0o600;

/// A file below this size is small; a larger one is none of ours.
const MAX_SMALL: u64 = 1024;
/// How much of a file is read at a time.
const PIECE: usize = 256 * 1024;

/// Makes an empty file at `path` for its owner alone, where there is none.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    if path.exists() { Ok(()) } else { open_to_append(path).map(drop) }
}

/// Makes an empty file at `path` for its owner alone, unless there is one: then `false`.
pub(super) fn make_new(path: &Path) -> Result<bool, StoreError> {
    match open_new(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("create", path)(error)),
    }
}

/// Copies a file to `to`, where none is, and hands out what is copied. Waits for the disk.
pub(super) fn copy(from: &Path, to: &Path, mut take: impl FnMut(&[u8])) -> Result<(), StoreError> {
    let mut copy = open_new(to).map_err(StoreError::io("create", to))?;
    let mut written = Ok(());
    read_in_pieces(from, &mut |piece| {
        take(piece);
        if written.is_ok() {
            written = copy.write_all(piece);
        }
    })?;
    written.and_then(|()| copy.sync_all()).map_err(StoreError::io("write", to))
}

/// Hands out what is in a file.
pub(super) fn read_in_pieces(path: &Path, take: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
    let mut read = || {
        let (mut file, mut piece) = (File::open(path)?, vec![0; PIECE]);
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => take(piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    read().map_err(StoreError::io("read", path))
}

/// Waits until what is in a file is on disk.
pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(StoreError::io("sync", path))
}

/// Gives the files beside `path`, with these endings, the mode of the file itself: where that was once
/// read-only, they were made so.
pub(super) fn share_mode(path: &Path, endings: &[&str]) -> Result<(), StoreError> {
    let told = StoreError::io("look at", path);
    let mode = fs::metadata(path).map_err(told)?.permissions().mode() & 0o777;
    for ending in endings {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let beside = PathBuf::from(name);
        let differs = |found: fs::Metadata| found.permissions().mode() & 0o777 != mode;
        if mode & 0o200 != 0 && fs::metadata(&beside).is_ok_and(differs) {
            // Only tried: where they are another's, SQLite says what it thinks of them.
            let _ = fs::set_permissions(&beside, fs::Permissions::from_mode(mode));
        }
    }
    Ok(())
}

/// Makes `path` hold `content`: a crash leaves the old content or the new one. Waits for the disk.
///
/// The caller sees to it that no two do this to one file at a time: they would share a draft.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    Draft::write(path, content)?.commit()
}

/// The new content of a file, on disk beside it.
pub(super) struct Draft<'a> {
    path: &'a Path,
    draft: PathBuf,
}

impl<'a> Draft<'a> {
    /// Writes the draft. A failure, a full disk say, has changed nothing.
    pub(super) fn write(path: &'a Path, content: &[u8]) -> Result<Self, StoreError> {
        let draft = path.with_extension("tmp");
        // What a crash has left there would make `create_new` fail for good.
        remove_if_there(&draft)?;
        write_draft(&draft, content)?;
        Ok(Self { path, draft })
    }

    /// Puts the draft in place of the file. After a failure either may be what a restart finds.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        fs::rename(&self.draft, self.path).map_err(StoreError::io("replace", self.path))?;
        sync_parent(self.path)
    }
}

/// Makes a file `path` with `content`, or leaves the one that is there: then `false`. Waits for the disk.
pub(super) fn create(path: &Path, draft: &Path, content: &[u8]) -> Result<bool, StoreError> {
    write_draft(draft, content)?;
    // Unlike a rename, a link does not clobber a file that another process made meanwhile.
    let linked = fs::hard_link(draft, path);
    let removed = remove_if_there(draft);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(StoreError::io("create", path)(error)),
    }
    removed?;
    sync_parent(path)?;
    Ok(true)
}

/// The text of a small file; none if there is no file. A large one is cut, bytes that are no UTF-8 are replaced.
pub(super) fn read_small(path: &Path) -> Result<Option<String>, StoreError> {
    let read = |file: File| {
        let mut bytes = Vec::new();
        file.take(MAX_SMALL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match File::open(path).and_then(read) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

/// Takes the file from everyone but its owner.
pub(super) fn tighten(path: &Path) -> Result<(), StoreError> {
    let told = StoreError::io("look at", path);
    let mode = fs::metadata(path).map_err(told)?.permissions().mode();
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    let only_owner = fs::Permissions::from_mode(OWNER_ONLY);
    fs::set_permissions(path, only_owner).map_err(StoreError::io("close to others", path))
}

/// A file to add to, made if missing.
pub(super) fn open_to_append(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(OWNER_ONLY);
    options.open(path).map_err(StoreError::io("open", path))
}

/// Waits until the directory that `path` is in knows of it on disk.
pub(super) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let synced = File::open(parent).and_then(|directory| directory.sync_all());
    synced.map_err(StoreError::io("sync", parent))
}

/// A file to write to, where there was none.
fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)
}

fn write_draft(draft: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = open_new(draft).map_err(StoreError::io("create", draft))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a draft is of no use, and on a full disk its space is.
        let _ = fs::remove_file(draft);
        StoreError::io("write", draft)(error)
    })
}

/// Removes a file, if there is one.
pub(super) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
