//! The database as a file of SQLite.

mod messages;
mod topics;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::asked::{self, Asked, Queue, Written};
use super::database::{
    Answer, Append, Change, Changed, Database, DatabaseError, Loaded, TopicsTold, Window,
};
use super::error::StoreError;
use super::files;
use crate::channel::{ChannelName, Topics};

/// A name is a path, and no connection is used by two threads at once.
const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// How long a change waits for another program that holds the file.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether another program changed the file: a read of a few bytes.
const LOOK: Duration = Duration::from_millis(250);

/// Marks a file as ours: "push" in ASCII. Source: SQLite, `PRAGMA application_id`.
const APPLICATION: i64 = 0x7075_7368;
/// What brings a file from each version to the next; its `user_version` says how many were done.
const MIGRATIONS: [&str; 2] = [
    include_str!("../migrations/sqlite-1.sql"),
    include_str!("../migrations/sqlite-2.sql"),
];

/// The database as a file of SQLite. One task speaks to it, on a thread that may wait.
#[derive(Debug)]
pub struct Sqlite {
    queue: Queue,
    topics: TopicsTold,
    task: JoinHandle<()>,
}

/// The file, and what was read of it.
struct File {
    connection: Connection,
    path: PathBuf,
    /// The `data_version` that the topics were read at.
    seen: Option<i64>,
    topics: watch::Sender<Option<Arc<Topics>>>,
    /// The newest offset of each channel before a commit of which it is not known whether it was made.
    doubts: HashMap<String, u64>,
}

impl Sqlite {
    /// Opens the file at `path`, made if missing and for its owner alone, and brings it to this
    /// version. Waits for the disk. Runs in a runtime.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it is no database of ours, is of a newer version, or damaged;
    /// [`StoreError::Io`] if it cannot be made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        files::make_private(path)?;
        Self::start(Connection::open_with_flags(path, FLAGS), path)
    }

    /// One that ends with the process.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is no memory left.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(Connection::open_in_memory(), Path::new(""))
    }

    fn start(opened: rusqlite::Result<Connection>, path: &Path) -> Result<Self, StoreError> {
        let refused = |error: rusqlite::Error| StoreError::Database {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let mut connection = opened.map_err(refused)?;
        set_up(&connection).map_err(refused)?;
        migrate(&mut connection).map_err(|why| match why {
            Unfit::Sql(error) => refused(error),
            Unfit::Other(why) => StoreError::Database { path: path.to_owned(), why },
        })?;
        let (topics, told) = watch::channel(None);
        let mut file = File { connection, path: path.to_owned(), seen: None, topics, doubts: HashMap::new() };
        file.read().map_err(refused)?;
        let (queue, waiting) = Queue::new();
        let task = tokio::spawn(keep(file, waiting));
        Ok(Self { queue, topics: told, task })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Database for Sqlite {
    fn change(&self, change: Change) -> Answer<'_, Changed> {
        self.queue.ask(|waits| Asked::Change(change, waits))
    }

    fn topics(&self) -> TopicsTold {
        self.topics.clone()
    }

    fn is_reached(&self) -> bool {
        !self.task.is_finished()
    }

    fn append(&self, append: Box<dyn Append>) -> Result<(), Box<dyn Append>> {
        self.queue.append(append)
    }

    fn load(&self, channel: ChannelName, window: Window) -> Answer<'_, Option<Loaded>> {
        self.queue.ask(|waits| Asked::Load(channel, window, waits))
    }

    fn trim(&self, channel: ChannelName, window: Window) -> Answer<'_, bool> {
        self.queue.ask(|waits| Asked::Trim(channel, window, waits))
    }

    fn channels(&self) -> Answer<'_, Vec<String>> {
        self.queue.ask(Asked::Channels)
    }
}

/// Does what is asked for, and looks in between whether another program did something.
async fn keep(mut file: File, mut waiting: mpsc::Receiver<Asked>) {
    loop {
        let next = tokio::time::timeout(LOOK, asked::next(&mut waiting)).await;
        let step = tokio::task::spawn_blocking(move || {
            match next {
                Ok(Some(batch)) => file.take(batch),
                Ok(None) => return None,
                Err(_) => file.look(),
            }
            Some(file)
        });
        match step.await {
            Ok(Some(same)) => file = same,
            // Nobody can ask any more, or a bug: then who asks is told that nobody is here.
            Ok(None) | Err(_) => return,
        }
    }
}

/// Why a file is none that we can use.
enum Unfit {
    Sql(rusqlite::Error),
    Other(String),
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// What each connection is told.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    // What is answered is on disk: with NORMAL it would be lost with the power.
    connection.pragma_update(None, "synchronous", "FULL")
}

/// Does the migrations that were not done yet, all or none of them.
fn migrate(connection: &mut Connection) -> Result<(), Unfit> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
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

impl File {
    /// Does all of `batch`: first what reads, then what writes, in one commit.
    fn take(&mut self, batch: Vec<Asked>) {
        let (mut writes, reads): (Vec<_>, Vec<_>) = batch.into_iter().partition(Asked::writes);
        reads.into_iter().for_each(|asked| self.read_for(asked));
        if writes.is_empty() {
            return;
        }
        let is_about_topics = writes.iter().any(|asked| matches!(asked, Asked::Change(..)));
        let written = self.commit(&mut writes).map_err(|error| {
            tracing::error!(%error, file = %self.path.display(), "nothing can be written");
            DatabaseError::Unavailable(told(&error))
        });
        if is_about_topics && written.is_ok() {
            self.read_again();
        }
        asked::answer(writes, written);
    }

    fn read_for(&self, asked: Asked) {
        let failed = |error: rusqlite::Error| {
            tracing::error!(%error, file = %self.path.display(), "something cannot be read");
            DatabaseError::Unavailable(told(&error))
        };
        match asked {
            Asked::Load(channel, window, waits) => {
                let loaded = messages::load(&self.connection, &channel, &window);
                drop(waits.send(loaded.map_err(failed)));
            }
            Asked::Channels(waits) => {
                drop(waits.send(messages::channels(&self.connection).map_err(failed)));
            }
            other => other.failed(&DatabaseError::Unavailable("it does not read".to_owned())),
        }
    }

    fn commit(&mut self, writes: &mut [Asked]) -> rusqlite::Result<Vec<Written>> {
        self.be_sure()?;
        // Before anything can fail: whether it was made is then not known of any of them.
        for asked in &*writes {
            if let Asked::Append(append) = asked {
                let (channel, known) = (append.entry().channel, append.entry().known);
                let known = known.offset;
                let least = self.doubts.entry(channel.as_str().to_owned()).or_insert(known);
                *least = known.min(*least);
            }
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut written = Vec::new();
        for asked in writes {
            written.push(match asked {
                Asked::Change(change, _) => Written::Changed(topics::change(&transaction, change)?),
                Asked::Append(append) => {
                    Written::Appended(messages::append(&transaction, &mut **append)?)
                }
                Asked::Trim(channel, window, _) => {
                    Written::Trimmed(messages::trim(&transaction, channel, window)?)
                }
                Asked::Load(..) | Asked::Channels(_) => continue,
            });
        }
        transaction.commit()?;
        self.doubts.clear();
        Ok(written)
    }

    /// After a commit that failed nobody knows what is on disk, and the connection may know it least:
    /// opens the file anew and takes back what was told to have failed. Source: robustness.md, S1.
    fn be_sure(&mut self) -> rusqlite::Result<()> {
        if self.doubts.is_empty() {
            return Ok(());
        }
        if !self.path.as_os_str().is_empty() {
            self.connection = Connection::open_with_flags(&self.path, FLAGS)?;
            set_up(&self.connection)?;
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        for (channel, offset) in &self.doubts {
            messages::take_back(&transaction, channel, *offset)?;
        }
        transaction.commit()?;
        self.doubts.clear();
        self.seen = None;
        Ok(())
    }

    /// Reads the topics if another program changed the file since they were read.
    fn look(&mut self) {
        if self.version().ok() != self.seen {
            self.read_again();
        }
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

    fn read(&mut self) -> rusqlite::Result<()> {
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

/// What whoever asked is told of `error`.
fn told(error: &rusqlite::Error) -> String {
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds it",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "it cannot be written",
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "its file is damaged",
        Some(ErrorCode::SystemIoFailure) => "its disk fails",
        _ => "it fails",
    };
    format!("the database did not take it: {why}")
}
