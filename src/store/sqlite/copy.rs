//! Copies of the file.

use std::fs::{self, File};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use super::super::error::StoreError;
use super::log::{self, Damage, beside, log_of};
use super::messages;
use super::open::{Unfit, has_all_pages, open};

/// Copies the database at `from`, which a gateway may use, into the empty file `to`, and looks whether
/// the copy is sound.
pub(in crate::store) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let copied = || -> Result<String, Unfit> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(from, flags)?;
        source.busy_timeout(super::open::PATIENCE)?;
        has_all_pages(&source, from)?;
        source.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
        let copy = Connection::open_with_flags(to, flags)?;
        copy.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        Ok(copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?)
    };
    match copied() {
        Ok(sound) if sound == "ok" => Ok(()),
        Ok(why) => Err(refused(from, why)),
        Err(error) => Err(refused(from, error.to_string())),
    }
}

/// Has the order of each channel of the file at `path` begin anew, with the messages that it has.
pub(in crate::store) fn begin_anew(path: &Path) -> Result<(), StoreError> {
    let mut connection = open(path).map_err(|why| refused(path, why.to_string()))?;
    renew(&mut connection).map_err(|error| refused(path, error.to_string()))
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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let copy = beside(path, &format!("-wal.damaged-{now}"));
    fs::rename(&kept, &copy).map_err(told())?;
    tracing::error!(copy = %copy.display(), "all durable channels begin anew; the log is kept as it was");
    Ok(())
}

fn renew(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let channels = messages::channels(&transaction)?;
    messages::begin_anew(&transaction, channels.iter().map(String::as_str))?;
    transaction.commit()
}

fn refused(path: &Path, why: String) -> StoreError {
    StoreError::Database { path: path.to_owned(), why }
}
