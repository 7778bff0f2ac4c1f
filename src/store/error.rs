//! What goes wrong with files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the data directory could not be read or written; names the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    Io {
        /// What we were about to do, such as `create`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses the directory.
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The id of that process, where it is known.
        process: Option<u32>,
    },
    /// The file of the signing key holds something else.
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The file of the clock holds something else.
    NotATime {
        /// The file.
        path: PathBuf,
    },
    /// A line that is not the last one is no record.
    NotARecord {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The database cannot be used.
    Database {
        /// Its file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The file of the authority that signs the certificate of the database cannot be used.
    Authority {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The address of the database cannot be used.
    Address {
        /// Why not; no part of it.
        why: String,
    },
    /// The server of the database cannot be reached, or says no.
    Server {
        /// Why.
        why: String,
    },
    /// A directory that is to be filled holds something.
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A directory holds nothing of a gateway.
    NoData {
        /// The directory.
        path: PathBuf,
    },
    /// A directory that is to be filled is the one that is to be copied, or below it.
    Inside {
        /// The directory.
        path: PathBuf,
        /// The other one.
        of: PathBuf,
    },
    /// A restore into a data directory did not come to its end.
    HalfRestored {
        /// The directory.
        path: PathBuf,
    },
    /// What should be a data directory is a copy of one.
    IsACopy {
        /// The directory.
        path: PathBuf,
    },
    /// What should be a copy is none that is whole.
    Copy {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A copy was made without the database.
    Elsewhere {
        /// The directory.
        path: PathBuf,
    },
    /// Writing failed before in a way that leaves unknown what the file holds: only a restart helps.
    Untrusted {
        /// The file.
        path: PathBuf,
    },
}

impl StoreError {
    /// Names what was done and where, for a failure that the system told.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// The same of a file that another was copied from, where what is in it is wrong.
    pub(super) fn told_of(mut self, original: PathBuf) -> Self {
        if let Self::NotAKey { path } | Self::NotATime { path } | Self::NotARecord { path, .. } =
            &mut self
        {
            *path = original;
        }
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, source } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            Self::InUse { directory, process } => {
                let who = process.map_or("another process".into(), |id| format!("process {id}"));
                let directory = directory.display();
                write!(f, "{directory} is in use by {who}: give this one its own with --data-dir")
            }
            Self::NotAKey { path } => write!(
                f,
                "{} does not hold a key of 64 hexadecimal digits; restore it, or remove it and all \
                 clients must log in again",
                path.display()
            ),
            Self::NotATime { path } => write!(
                f,
                "{} does not hold a time in milliseconds; restore it, or remove it if the clock of \
                 this machine is right",
                path.display()
            ),
            Self::NotARecord { path, line } => {
                write!(f, "line {line} of {} is damaged", path.display())
            }
            Self::Database { path, why } => {
                write!(f, "{} cannot be used as database: {why}", path.display())
            }
            Self::Authority { path, why } => {
                write!(f, "{}, the database.ca: {why}", path.display())
            }
            Self::Address { why } => write!(f, "the address of the database: {why}"),
            Self::Server { why } => write!(f, "the database cannot be used: {why}"),
            Self::NotEmpty { path } => {
                write!(f, "{} is not empty, and nothing in it is overwritten", path.display())
            }
            Self::NoData { path } => {
                write!(f, "{} holds no data of a gateway", path.display())
            }
            Self::Inside { path, of } => {
                write!(f, "{} is within {}, which is to be copied", path.display(), of.display())
            }
            Self::HalfRestored { path } => write!(
                f,
                "{}: a restore into it did not come to its end. Restore again, or remove all that \
                 is in it",
                path.display()
            ),
            Self::IsACopy { path } => write!(
                f,
                "{} is a copy of a data directory, as pushgate backup makes it: put it back into \
                 another one with pushgate restore",
                path.display()
            ),
            Self::Copy { path, why } => {
                write!(f, "{} is not a whole copy of a data directory: {why}", path.display())
            }
            Self::Elsewhere { path } => write!(
                f,
                "{} was made without topics and durable channels, which were in another database: \
                 --without-database puts the rest back",
                path.display()
            ),
            Self::Untrusted { path } => write!(
                f,
                "an earlier write to {} failed, what it holds is not known",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::NotAKey { .. }
            | Self::InUse { .. }
            | Self::NotATime { .. }
            | Self::NotARecord { .. }
            | Self::Database { .. }
            | Self::Address { .. }
            | Self::Authority { .. }
            | Self::NotEmpty { .. }
            | Self::NoData { .. }
            | Self::Server { .. }
            | Self::Inside { .. }
            | Self::HalfRestored { .. }
            | Self::IsACopy { .. }
            | Self::Copy { .. }
            | Self::Elsewhere { .. }
            | Self::Untrusted { .. } => None,
        }
    }
}
