//! Opening a file of SQLite, and bringing it to this version.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// How long opening waits for another program that holds the file, and how long at a time a change does.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
const BUSY: Duration = Duration::from_millis(250);
/// How often a file that becomes shorter under our eyes is looked at.
const LOOKS: usize = 10;

/// Marks a file as ours: "push" in ASCII. Source: SQLite, `PRAGMA application_id`.
const APPLICATION: i64 = 0x7075_7368;
/// What brings a file from each version to the next; its `user_version` says how many were done.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/sqlite-1.sql"), include_str!("../migrations/sqlite-2.sql")];

/// What tells a file from another of its name: its device and its number there.
pub(super) type Identity = (u64, u64);

/// A connection to the file at `path`, brought to this version.
pub(super) fn open(path: &Path) -> Result<Connection, Unfit> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = set_up(Connection::open_with_flags(path, flags)?)?;
    has_all_pages(&connection, path)?;
    Ok(connection)
}

/// Looks that the last page is there to its end: what a file lacks there SQLite reads as zeros.
///
/// Others may write meanwhile. What there was at a moment is in the file once the log was copied into
/// it after that, unless the file became shorter: then it is looked again.
pub(super) fn has_all_pages(connection: &Connection, path: &Path) -> Result<(), Unfit> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let length =
        || -> Result<i64, Unfit> { Ok(number("page_count")?.saturating_mul(number("page_size")?)) };
    let mut wanted = length()?;
    for _ in 0..LOOKS {
        // A page that a crash left half copied is whole in the log.
        let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
        // Whether somebody else is at it, how many pages the log has, and how many were copied.
        let copied = connection.query_row(checkpoint, [], |row| {
            let (is_busy, pages, copied): (bool, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(!is_busy && pages == copied)
        });
        let found = std::fs::metadata(path).map_or(u64::MAX, |file| file.len());
        // A disk that cannot be written can be read.
        if !copied.unwrap_or(false) || found >= u64::try_from(wanted).unwrap_or(0) {
            return Ok(());
        }
        let again = length()?;
        if again == wanted {
            return Err(Unfit::Other(format!("it is torn: it has {found} bytes of {wanted}")));
        }
        wanted = again;
    }
    Ok(())
}

pub(super) fn set_up(mut connection: Connection) -> Result<Connection, Unfit> {
    connection.busy_timeout(PATIENCE)?;
    migrate(&mut connection)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

pub(super) fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Why a file is none that we can use.
pub(super) enum Unfit {
    Sql(rusqlite::Error),
    Other(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => write!(f, "{error}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Does the migrations that were not done yet, all or none of them.
fn migrate(connection: &mut Connection) -> Result<(), Unfit> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    // What is answered is on disk: with NORMAL it would be lost with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    if version_of(connection)? < known {
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        tracing::debug!(mode, "made the database");
        let behavior = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(behavior)?;
        // Another process may have been faster.
        let done = usize::try_from(version_of(&transaction)?).unwrap_or(0);
        for migration in MIGRATIONS.iter().skip(done) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()?;
    }
    Ok(())
}

/// How many migrations were done.
fn version_of(connection: &Connection) -> Result<i64, Unfit> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(count, [], |row| row.get(0))?;
    let is_new = (application, version, tables) == (0, 0, 0);
    if application != APPLICATION && !is_new {
        return Err(Unfit::Other("it is the database of another program".to_owned()));
    }
    let known = MIGRATIONS.len();
    if usize::try_from(version).is_ok_and(|version| version <= known) {
        return Ok(version);
    }
    Err(Unfit::Other(format!("it has version {version}, and this build knows {known}")))
}
