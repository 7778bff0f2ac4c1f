//! What a copy holds.

use std::fs;
use std::io;
use std::path::Path;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::super::directory::hex;
use super::super::error::StoreError;
use super::super::files;
use super::{DATABASE, FILES};

/// The file of a copy that says what the others are. Empty until they are there.
pub(in crate::store) const MANIFEST: &str = "manifest";
/// The version of copies that this build makes and knows.
const VERSION: u32 = 1;

/// The file `manifest` of a copy: JSON.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::store) struct Manifest {
    version: u32,
    /// Whether topics and durable channels are in the copy, not elsewhere.
    database: bool,
    files: Vec<Copied>,
}

/// A file of a copy.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Copied {
    name: String,
    bytes: u64,
    /// In hexadecimal digits.
    sha256: String,
}

/// What any manifest has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Manifest {
    pub(super) const fn of(files: Vec<Copied>, database: bool) -> Self {
        Self { version: VERSION, database, files }
    }

    /// That of the copy in `directory`.
    pub(in crate::store) fn read(directory: &Path) -> Result<Self, StoreError> {
        let refused =
            |why: &str| StoreError::Copy { path: directory.to_owned(), why: why.to_owned() };
        let path = directory.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) if text.is_empty() => {
                return Err(refused("the backup did not come to its end"));
            }
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => {
                return Err(refused("it has no manifest, which a backup writes last"));
            }
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let damaged = |_| refused("its manifest is damaged");
        let Versioned { version } = serde_json::from_slice(&text).map_err(damaged)?;
        if version != VERSION {
            let why = format!("it has version {version}, and this build knows {VERSION}");
            return Err(refused(&why));
        }
        serde_json::from_slice(&text).map_err(damaged)
    }

    /// Puts it in its place, with all that it speaks of on disk already. Waits for the disk.
    pub(super) fn write(&self, directory: &Path) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        files::replace(&directory.join(MANIFEST), &text)
    }

    /// Whether topics and durable channels are in the copy.
    pub(super) const fn has_database(&self) -> bool {
        self.database
    }

    /// Whether the copy has a file of this name.
    pub(super) fn names(&self, name: &str) -> bool {
        self.file(name).is_some()
    }

    /// Looks that `found` in `directory` is what it says, but for what is in the files.
    pub(super) fn check(&self, directory: &Path, found: &[String]) -> Result<(), StoreError> {
        let wrong = |why: String| StoreError::Copy { path: directory.to_owned(), why };
        for Copied { name, bytes, .. } in &self.files {
            if !FILES.contains(&name.as_str()) && name != DATABASE {
                return Err(wrong(format!("{name} is nothing that this build knows")));
            }
            if !found.contains(name) {
                return Err(wrong(format!("{name} is missing")));
            }
            let path = directory.join(name);
            let length = fs::metadata(&path).map_err(StoreError::io("look at", &path))?.len();
            if length != *bytes {
                return Err(wrong(format!("{name} has {length} bytes of {bytes}")));
            }
        }
        match found.iter().find(|name| *name != MANIFEST && !self.names(name)) {
            Some(name) => Err(wrong(format!("{name} is not of it"))),
            None => Ok(()),
        }
    }

    /// Copies a file that it names from one directory into another, if it is what it was.
    pub(super) fn copy(&self, from: &Path, to: &Path, name: &str) -> Result<(), StoreError> {
        let copied = Copied::by(name, |take| files::copy(&from.join(name), &to.join(name), take))?;
        match self.file(name) {
            Some(file) if (file.bytes, &file.sha256) == (copied.bytes, &copied.sha256) => Ok(()),
            _ => Err(StoreError::Copy {
                path: from.to_owned(),
                why: format!("{name} is damaged: it is not what the backup wrote"),
            }),
        }
    }

    fn file(&self, name: &str) -> Option<&Copied> {
        self.files.iter().find(|file| file.name == name)
    }
}

impl Copied {
    /// What there is of a file in a directory.
    pub(super) fn of(directory: &Path, name: &str) -> Result<Self, StoreError> {
        Self::by(name, |take| files::read_in_pieces(&directory.join(name), take))
    }

    /// What `read` hands out of a file.
    fn by(
        name: &str,
        read: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let (mut bytes, mut sum) = (0_u64, Context::new(&SHA256));
        read(&mut |piece| {
            bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            sum.update(piece);
        })?;
        Ok(Self { name: name.to_owned(), bytes, sha256: hex(sum.finish().as_ref()) })
    }
}
