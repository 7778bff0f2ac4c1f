//! Copies of the file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::ffi::{SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

use super::super::error::StoreError;
use super::log::{self, Damage, beside, log_of};
use super::messages;
use super::open::{Unfit, has_all_pages, open};

/// Copies the database at `from`, which a gateway may use, into the empty file `to`, and looks whether
/// the copy is sound. That has no log, so it can be read where nothing may be written.
pub(in crate::store) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = open_source(from).map_err(|why| refused(from, &why))?;
    let name = std::path::absolute(to).map_err(StoreError::io("find", to))?;
    if let Err(error) = source.execute("VACUUM INTO ?1", [name.to_string_lossy()]) {
        // The other one is read.
        return Err(match error.sqlite_error() {
            Some(told) if told.code == ErrorCode::DiskFull => {
                StoreError::io("write", to)(no_space())
            }
            Some(told) if is_about_writing(told.extended_code) => refused(to, &error.into()),
            _ => refused(from, &error.into()),
        });
    }
    match quick_check(to) {
        Ok(sound) if sound == "ok" => Ok(()),
        Ok(why) => Err(refused(from, &Unfit::Other(why))),
        Err(error) => Err(refused(from, &error.into())),
    }
}

/// A connection to read the file at `path` by.
fn open_source(path: &Path) -> Result<Connection, Unfit> {
    // Opened, the log would be taken for what can be read of it.
    let damage = log::damage(path).map_err(|error| Unfit::Other(error.to_string()))?;
    if let Some(Damage { at, .. }) = damage {
        let why = format!(
            "its log is damaged from byte {at} on: start a gateway on it, which keeps the log and has \
             clients told what they lost"
        );
        return Err(Unfit::Other(why));
    }
    let opened = || -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(path, flags)?;
        source.busy_timeout(super::open::PATIENCE)?;
        source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(source)
    };
    let source = match opened() {
        Ok(source) => source,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
            open_still(path)?.ok_or(error)?
        }
        Err(error) => return Err(error.into()),
    };
    has_all_pages(&source, path)?;
    Ok(source)
}

/// The same where nothing may be written, not even beside the file, if nobody else has it open: whoever
/// does has made files there.
fn open_still(path: &Path) -> Result<Option<Connection>, Unfit> {
    let beside = |ending| fs::metadata(beside(path, ending)).ok();
    if beside("-shm").is_some() {
        return Ok(None);
    }
    if beside("-wal").is_some_and(|log| log.len() > 0) {
        let why =
            "its log can be read only where files may be made beside it: copy all of it there";
        return Err(Unfit::Other(why.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = percent_encode(whole.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    Ok(Some(Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?))
}

fn quick_check(path: &Path) -> Result<String, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(path, flags)?;
    copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// What SQLite keeps to itself.
fn no_space() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

const fn is_about_writing(code: i32) -> bool {
    matches!(code, SQLITE_IOERR_WRITE | SQLITE_IOERR_FSYNC | SQLITE_IOERR_TRUNCATE)
}

/// Has the order of each channel of the file at `path`, which nobody else uses, begin anew, with the
/// messages that it has.
pub(in crate::store) fn begin_anew(path: &Path) -> Result<(), StoreError> {
    let renewed = || -> Result<(), Unfit> {
        let mut connection = open(path)?;
        renew(&mut connection)?;
        // A copy has no log.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(())
    };
    renewed().map_err(|why| match &why {
        Unfit::Sql(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            StoreError::io("write", path)(no_space())
        }
        Unfit::Sql(_) | Unfit::Other(_) => refused(path, &why),
    })
}

/// Has each channel begin anew where the log of the file at `path` was damaged: what can be read of it
/// is there, and who had what cannot is told a gap. The log is kept beside it as it was.
pub(super) fn begin_anew_where_damaged(path: &Path) -> Result<(), StoreError> {
    let told = || StoreError::io("keep the damaged log of", path);
    // There until all has begun anew: a crash meanwhile leaves nothing else that tells of it.
    let kept = beside(path, "-wal.damaged");
    if let Some(damage) = log::damage(path).map_err(StoreError::io("read the log of", path))? {
        fs::copy(log_of(path), &kept).and_then(|_| File::open(&kept)?.sync_all()).map_err(told())?;
        let (file, Damage { at, commits }) = (log_of(path), damage);
        let lost = commits - 1;
        tracing::error!(file = %file.display(), at, lost, "the log is damaged: commits behind that byte are lost");
    } else if !kept.exists() {
        return Ok(());
    }
    begin_anew(path)?;
    let copy = kept_log(path);
    fs::rename(&kept, &copy).map_err(told())?;
    tracing::error!(copy = %copy.display(), "all durable channels begin anew; the log is kept as it was");
    Ok(())
}

/// Where a log is kept that was damaged.
pub(super) fn kept_log(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    beside(path, &format!("-wal.damaged-{now}"))
}

fn renew(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let channels = messages::channels(&transaction)?;
    messages::begin_anew(&transaction, channels.iter().map(String::as_str))?;
    transaction.commit()
}

fn refused(path: &Path, why: &Unfit) -> StoreError {
    StoreError::Database { path: path.to_owned(), why: why.to_string() }
}
