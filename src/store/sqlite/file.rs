//! The file of SQLite, and what was read of it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::asked::{self, Asked, Written};
use super::super::database::DatabaseError;
use super::super::teller::Teller;
use super::messages::Rows;
use super::open::{Identity, identity, open};
use super::reached::Reached;
use super::{messages, page, topics};
use crate::channel::{ChannelName, Topics};

/// How long a change waits for another program that holds the file.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long until it is tried again whether what could not be written can be.
const AGAIN: Duration = Duration::from_secs(1);

/// Over how many commits what they take is averaged.
const COMMITS: u32 = 8;

/// The file, and what was read of it.
pub(super) struct File {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// The `data_version` that the topics were read at.
    pub(super) seen: Option<i64>,
    pub(super) topics: watch::Sender<Option<Arc<Topics>>>,
    /// Which file was opened; none in memory.
    pub(super) opened: Option<Identity>,
    /// Whether the last that was tried succeeded.
    pub(super) is_reached: Arc<AtomicBool>,
    /// How far the channels have come, which is told.
    pub(super) reached: Reached,
    pub(super) teller: Arc<Teller>,
    /// When something was written last, or tried to be.
    pub(super) tried: Instant,
    /// What commits took, the average of the last [`COMMITS`] or so.
    pub(super) took: Duration,
    /// The newest offset of each channel before a commit of which it is not known whether it was made.
    pub(super) doubts: HashMap<String, u64>,
}

impl File {
    /// Does all of `writes`, in one commit.
    pub(super) fn write(&mut self, mut writes: Vec<Asked>) {
        if writes.is_empty() {
            return;
        }
        let is_about_topics = writes.iter().any(|asked| matches!(asked, Asked::Change(..)));
        let written = self.try_commit(&mut writes).map_err(|why| {
            tracing::warn!(%why, file = %self.path.display(), "the database could not be changed");
            DatabaseError::Unavailable(format!("the database did not take it: {why}"))
        });
        self.is_reached.store(written.is_ok(), Ordering::Relaxed);
        self.tried = Instant::now();
        if written.is_err() {
            // Reading goes on. What a disk cannot take back now it can later.
            if self.be_sure().is_err() {
                drop(self.unsay());
            }
            self.look();
        } else if is_about_topics {
            self.read_again();
        }
        if written.iter().flatten().any(|done| matches!(done, Written::Erased(None))) {
            self.empty_log();
        }
        let is_well = written.is_ok();
        self.teller.tell(writes, written);
        if !is_well {
            self.teller.ring();
        }
    }

    /// Answers what is asked.
    pub(super) fn read_for(&mut self, asked: Asked) {
        let unreadable = |why: &str| {
            tracing::error!(%why, file = %self.path.display(), "the database cannot be read");
            DatabaseError::Unavailable(format!("the database cannot be read: {why}"))
        };
        let failed = |error: rusqlite::Error| unreadable(&told(&error));
        let connection = &self.connection;
        match asked {
            Asked::Load(channel, window, waits) => {
                let sure = self.doubts.get(channel.as_str()).copied();
                let loaded = messages::load(connection, &channel, &window.up_to(sure));
                let loaded = loaded.map(|loaded| loaded.map(|loaded| loaded.up_to(sure)));
                drop(waits.send(loaded.map_err(failed)));
            }
            Asked::Page(channel, section, waits) => {
                let sure = self.doubts.get(channel.as_str()).copied();
                drop(waits.send(page::page(connection, &channel, &section, sure).map_err(failed)));
            }
            Asked::Retries(channel, since, waits) => {
                let sure = self.doubts.get(channel.as_str()).copied().unwrap_or(u64::MAX);
                let retries = messages::retries(connection, &channel, since).map(|mut retries| {
                    retries.keys.retain(|retried| retried.position.offset <= sure);
                    retries
                });
                drop(waits.send(retries.map_err(failed)));
            }
            Asked::Channels(waits) => {
                drop(waits.send(messages::channels(connection).map_err(failed)));
            }
            other @ (Asked::Change(..)
            | Asked::Append(_)
            | Asked::Trim(..)
            | Asked::Forget(..)
            | Asked::Erase(..)
            | Asked::BeginAnew(..)) => {
                other.failed(&DatabaseError::Unavailable("it does not read".to_owned()));
            }
        }
    }

    fn try_commit(&mut self, writes: &mut Vec<Asked>) -> Result<Vec<Written>, String> {
        let start = Instant::now();
        loop {
            let done =
                self.be_sure().and_then(|()| self.commit_or_erase(writes).map_err(Failed::Sql));
            match done {
                Ok(done) => return Ok(done),
                // While it waits for another program, what that one did is told.
                Err(Failed::Sql(error)) if is_busy(&error) && start.elapsed() < PATIENCE => {
                    self.teller.ring();
                    self.look();
                }
                // A damaged page among what is old takes no post along that could be written.
                Err(Failed::Sql(error)) if is_damage(&error) && writes.iter().any(is_trim) => {
                    let (trims, others) = std::mem::take(writes).into_iter().partition(is_trim);
                    *writes = others;
                    tracing::error!(%error, file = %self.path.display(), "nothing can be forgotten");
                    let why = DatabaseError::Unavailable(told(&error));
                    self.teller.tell(trims, Err(why));
                }
                Err(Failed::Sql(error)) if is_full(&error) && self.has_no_id_left() => {
                    tracing::debug!(%error, "another program gave the largest id");
                    return Err("another program has used up the ids of topics".to_owned());
                }
                Err(failed) => return Err(failed.to_string()),
            }
        }
    }

    /// What was erased is in the log still, as it was written.
    fn empty_log(&self) {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        match self.connection.query_row(checkpoint, [], |row| row.get::<_, bool>(0)) {
            Ok(false) => {}
            Ok(true) => tracing::debug!("another program reads the log: it keeps what was erased"),
            Err(error) => tracing::debug!(%error, "the log keeps what was erased"),
        }
    }

    /// What a backend deletes is overwritten, which costs more than what is merely old is worth.
    fn commit_or_erase(&mut self, writes: &mut [Asked]) -> rusqlite::Result<Vec<Written>> {
        if !writes.iter().any(|asked| matches!(asked, Asked::Erase(..))) {
            return self.commit(writes);
        }
        self.connection.pragma_update(None, "secure_delete", true)?;
        let done = self.commit(writes);
        self.connection.pragma_update(None, "secure_delete", false)?;
        done
    }

    fn commit(&mut self, writes: &mut [Asked]) -> rusqlite::Result<Vec<Written>> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut reached = Vec::new();
        let (transaction, written) = match write_all(&transaction, writes, &mut reached) {
            Ok(written) => (transaction, written),
            Err(error) if is_refusal(&error) => {
                drop(transaction);
                let mut transaction = self.connection.transaction_with_behavior(behavior)?;
                let written = write_each(&mut transaction, writes, &mut reached)?;
                (transaction, written)
            }
            Err(error) => return Err(error),
        };
        let mut doubts = HashMap::new();
        for (asked, done) in writes.iter().zip(&written) {
            if let (Written::Appended(position), Asked::Append(append)) = (done, asked) {
                let channel = append.entry().channel.as_str().to_owned();
                doubts.entry(channel).or_insert(position.offset - 1);
            }
        }
        // From here on, where it fails, nobody knows whether it was made.
        self.doubts = doubts;
        // Those before are told while the disk has these.
        self.teller.ring();
        let begun = Instant::now();
        transaction.commit()?;
        self.took = (self.took * (COMMITS - 1) + begun.elapsed()) / COMMITS;
        self.teller.pace(self.took);
        self.doubts.clear();
        for (id, last) in reached {
            self.reached.note(id, last);
        }
        Ok(written)
    }

    /// Looks that the file is ours still. After a commit that failed nobody knows what is on disk, and
    /// the connection may know it least: then opens the file anew and takes back what was told to have
    /// failed.
    fn be_sure(&mut self) -> Result<(), Failed> {
        self.follow().map_err(Failed::Other)?;
        if self.doubts.is_empty() {
            return Ok(());
        }
        if self.opened.is_some() {
            self.connection = open(&self.path).map_err(|error| Failed::Other(error.to_string()))?;
            self.seen = None;
            // What a sync could not write may look written: all of it is written once more, elsewhere.
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            if self.connection.query_row(checkpoint, [], |row| row.get::<_, bool>(0))? {
                return Err(Failed::Other("another program holds it".to_owned()));
            }
        }
        self.take_back()?;
        self.doubts.clear();
        Ok(())
    }

    /// Where a disk does not take that, has the system know it at least, and the doubts stay: so where
    /// this process dies before the disk is well, and the machine does not, the next one does not find
    /// what was told to have failed.
    fn unsay(&mut self) -> rusqlite::Result<()> {
        if self.doubts.is_empty() {
            return Ok(());
        }
        self.connection.pragma_update(None, "synchronous", "OFF")?;
        let taken = self.take_back();
        self.connection.pragma_update(None, "synchronous", "FULL").and(taken)
    }

    fn take_back(&mut self) -> rusqlite::Result<()> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        for (channel, offset) in &self.doubts {
            messages::take_back(&transaction, channel, *offset)?;
        }
        // Also where nothing of it can be seen: what is written now lies over it in the log.
        rewrite(&transaction)?;
        transaction.commit()
    }

    /// Goes over to another file that stands in the place of ours. What is written into one that has no
    /// name any more is lost with this process.
    fn follow(&mut self) -> Result<(), String> {
        let Some(opened) = self.opened else { return Ok(()) };
        match identity(&self.path) {
            Some(found) if found == opened => Ok(()),
            None => Err("its file is gone".to_owned()),
            Some(found) => {
                let path = self.path.display();
                tracing::warn!(file = %path, "the file of the database was replaced");
                let connection = open(&self.path).map_err(|error| error.to_string())?;
                // Closed, the old one would delete by their names the files beside the new one.
                std::mem::forget(std::mem::replace(&mut self.connection, connection));
                (self.opened, self.seen) = (Some(found), None);
                self.is_reached.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Reads the topics if another program changed the file since they were read.
    pub(super) fn look(&mut self) {
        if let Err(why) = self.follow() {
            if self.is_reached.swap(false, Ordering::Relaxed) {
                tracing::error!(file = %self.path.display(), "the database: {why}");
            }
            return;
        }
        if self.version().ok() != self.seen {
            self.read_again();
        }
        if !self.is_reached.load(Ordering::Relaxed) && self.tried.elapsed() >= AGAIN {
            self.tried = Instant::now();
            let is_reached = self.be_sure().is_ok() && self.touch().is_ok();
            self.is_reached.store(is_reached, Ordering::Relaxed);
        }
    }

    /// Writes the file without a change. What only reads would not notice that its disk is full.
    fn touch(&mut self) -> rusqlite::Result<()> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        rewrite(&transaction)?;
        transaction.commit()
    }

    /// Whether the largest id was given, beyond which there is none. Source: SQLite, "Autoincrement".
    fn has_no_id_left(&self) -> bool {
        let select = "SELECT seq FROM sqlite_sequence WHERE name = 'pushgate_topics'";
        let last = self.connection.query_row(select, [], |row| row.get::<_, i64>(0));
        last.is_ok_and(|last| last == i64::MAX)
    }

    /// Reads the topics; where that fails, they stay as they were read last.
    fn read_again(&mut self) {
        if let Err(error) = self.read() {
            // Once for each failure, and not each time it is looked.
            if self.seen.take().is_some() {
                tracing::error!(%error, file = %self.path.display(), "the topics cannot be read");
            }
        }
    }

    pub(super) fn read(&mut self) -> rusqlite::Result<()> {
        // First the version: what changes in between is read again.
        let seen = self.version()?;
        let topics = Topics::new(topics::read(&self.connection)?);
        self.seen = Some(seen);
        asked::tell(topics, &self.topics);
        Ok(())
    }

    /// Changes when another connection commits. Source: SQLite, `PRAGMA data_version`.
    fn version(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "data_version", |row| row.get(0))
    }
}

/// Why something was not done.
enum Failed {
    Sql(rusqlite::Error),
    Other(String),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => f.write_str(&told(error)),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// Writes so that what a rule of the database refuses takes nothing else along. That costs about as much
/// as the writing: so it is done only where something was refused.
fn write_each(
    transaction: &mut Transaction<'_>,
    writes: &mut [Asked],
    reached: &mut Vec<(u64, u64)>,
) -> rusqlite::Result<Vec<Written>> {
    let mut written = Vec::new();
    for asked in writes.chunks_mut(1) {
        let savepoint = transaction.savepoint()?;
        written.extend(match write_all(&savepoint, asked, reached) {
            Ok(done) => {
                savepoint.commit()?;
                done
            }
            Err(error) if is_refusal(&error) => vec![Written::Refused],
            Err(error) => return Err(error),
        });
    }
    Ok(written)
}

/// Does `writes`; `reached` gets the ids and newest offsets of the channels of which something came.
fn write_all(
    connection: &Connection,
    writes: &mut [Asked],
    reached: &mut Vec<(u64, u64)>,
) -> rusqlite::Result<Vec<Written>> {
    let mut rows = Rows::default();
    let written = writes.iter_mut().map(|asked| write(connection, &mut rows, asked));
    let written = written.collect::<rusqlite::Result<_>>()?;
    rows.settle(connection)?;
    reached.append(&mut rows.settled);
    Ok(written)
}

fn write(connection: &Connection, rows: &mut Rows, asked: &mut Asked) -> rusqlite::Result<Written> {
    if !matches!(asked, Asked::Append(_)) {
        rows.settle(connection)?;
    }
    Ok(match asked {
        Asked::Change(change, _) => Written::Changed(topics::change(connection, change)?),
        Asked::Append(append) => {
            Written::Appended(messages::append(connection, rows, &mut **append)?)
        }
        Asked::Trim(channel, window, _) => {
            Written::Trimmed(messages::trim(connection, channel, window)?)
        }
        Asked::Forget(channel, _) => Written::Forgot(messages::forget(connection, channel)?),
        Asked::Erase(channel, erasure, _) => {
            Written::Erased(messages::erase(connection, channel, erasure)?)
        }
        Asked::BeginAnew(channels, _) => {
            messages::begin_anew(connection, channels.iter().map(ChannelName::as_str))?;
            Written::Begun
        }
        Asked::Load(..) | Asked::Page(..) | Asked::Retries(..) | Asked::Channels(_) => {
            Written::Refused
        }
    })
}

/// Writes the first page as it is.
fn rewrite(connection: &Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}

/// Whether another program holds the file.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a rule of the tables, such as a trigger that somebody made, says no.
fn is_refusal(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation))
}

/// Whether it makes room.
const fn is_trim(asked: &Asked) -> bool {
    matches!(asked, Asked::Trim(..) | Asked::Erase(..))
}

/// Whether what the file holds makes no sense.
fn is_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

/// Whether there is no room left: on the disk, or among the ids.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// What whoever asked is told of `error`.
fn told(error: &rusqlite::Error) -> String {
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds it",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "it cannot be written",
        Some(ErrorCode::DiskFull) => "the disk is full",
        // Without a code SQLite read it, and what it says cannot be.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => "its file is damaged",
        Some(ErrorCode::SystemIoFailure) => "its disk fails",
        _ => "it fails",
    };
    why.to_owned()
}
