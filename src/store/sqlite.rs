//! The database as a file of SQLite.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::database::{
    self, Answer, Change, Changed, Database, DatabaseError, Done, Order, Orders, TopicsTold,
};
use super::error::StoreError;
use super::files;
use crate::channel::{Topic, Topics};

/// How long a change waits for another program that holds the file, and how long at a time.
const PATIENCE: Duration = Duration::from_secs(2);
const BUSY: Duration = Duration::from_millis(250);
/// How often it is looked whether another program changed the file: a read of a few bytes.
const LOOK: Duration = Duration::from_millis(250);
/// How long until it is tried again whether what could not be changed can be.
const AGAIN: Duration = Duration::from_secs(1);

/// Marks a file as ours: "push" in ASCII. Source: SQLite, `PRAGMA application_id`.
const APPLICATION: i64 = 0x7075_7368;
/// What brings a file from each version to the next; its `user_version` says how many were done.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/sqlite-1.sql")];

/// The database as a file of SQLite. One task speaks to it, on a thread that may wait.
#[derive(Debug)]
pub struct Sqlite {
    orders: Orders,
    topics: TopicsTold,
    is_reached: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// The file, and what was read of it.
struct File {
    connection: Connection,
    path: PathBuf,
    /// The `data_version` that the topics were read at.
    seen: Option<i64>,
    topics: watch::Sender<Option<Arc<Topics>>>,
    /// Which file was opened; none in memory.
    opened: Option<Identity>,
    /// Whether the last that was tried succeeded.
    is_reached: Arc<AtomicBool>,
    /// When a change was tried last.
    tried: Instant,
}

/// What tells a file from another of its name: its device and its number there.
type Identity = (u64, u64);

impl Sqlite {
    /// Opens the file at `path`, made if missing and for its owner alone, and brings it to this
    /// version. Waits for the disk. Runs in a runtime.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it is no database of ours, is of a newer version, or damaged;
    /// [`StoreError::Io`] if it cannot be made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        files::make_private(path)?;
        files::share_mode(path, &["-wal", "-shm"])?;
        Self::start(open(path), path, identity(path))
    }

    /// One that ends with the process.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is no memory left.
    pub fn in_memory() -> Result<Self, StoreError> {
        let opened = Connection::open_in_memory().map_err(Unfit::from);
        Self::start(opened.and_then(set_up), Path::new("the database in memory"), None)
    }

    fn start(
        connection: Result<Connection, Unfit>,
        path: &Path,
        opened: Option<Identity>,
    ) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let refused =
            |why: Unfit| StoreError::Database { path: path.clone(), why: why.to_string() };
        let connection = connection.map_err(refused)?;
        let (topics, told) = watch::channel(None);
        let is_reached = Arc::new(AtomicBool::new(true));
        let reached = Arc::clone(&is_reached);
        let mut file = File {
            connection,
            path: path.clone(),
            seen: None,
            topics,
            opened,
            is_reached: reached,
            tried: Instant::now(),
        };
        file.read().map_err(|error| refused(error.into()))?;
        let (orders, waiting) = Orders::new();
        let task = tokio::spawn(keep(file, waiting));
        Ok(Self { orders, topics: told, is_reached, task })
    }
}

/// A connection to the file at `path`, brought to this version.
fn open(path: &Path) -> Result<Connection, Unfit> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    set_up(Connection::open_with_flags(path, flags)?)
}

fn set_up(mut connection: Connection) -> Result<Connection, Unfit> {
    connection.busy_timeout(PATIENCE)?;
    migrate(&mut connection)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Database for Sqlite {
    fn change(&self, change: Change) -> Answer<'_> {
        self.orders.ask(change)
    }

    fn topics(&self) -> TopicsTold {
        self.topics.clone()
    }

    fn is_reached(&self) -> bool {
        !self.task.is_finished() && self.is_reached.load(Ordering::Relaxed)
    }
}

/// Does what is asked for, and looks in between whether another program did something.
async fn keep(mut file: File, mut waiting: mpsc::Receiver<Order>) {
    loop {
        let next = tokio::time::timeout(LOOK, database::next(&mut waiting)).await;
        let step = tokio::task::spawn_blocking(move || {
            match next {
                Ok(Some(batch)) => file.change(batch),
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

impl File {
    /// Makes all changes of `batch` in one commit, and answers them.
    fn change(&mut self, batch: Vec<Order>) {
        let done = self.try_change(&batch).map_err(|why| {
            tracing::warn!(%why, file = %self.path.display(), "the database could not be changed");
            DatabaseError::Unavailable(format!("the database did not take it: {why}"))
        });
        self.is_reached.store(done.is_ok(), Ordering::Relaxed);
        self.tried = Instant::now();
        if done.is_ok() {
            self.read_again();
        } else {
            // Reading goes on.
            self.look();
        }
        Order::answer_all(batch, done);
    }

    fn try_change(&mut self, batch: &[Order]) -> Result<Vec<Done>, String> {
        let start = Instant::now();
        loop {
            self.follow()?;
            match self.commit(batch.iter().map(|order| &order.change)) {
                Ok(done) => return Ok(done),
                // While it waits for another program, what that one did is told.
                Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => self.look(),
                Err(error) if is_full(&error) && self.has_no_id_left() => {
                    tracing::debug!(%error, "another program gave the largest id");
                    return Err("another program has used up the ids of topics".to_owned());
                }
                Err(error) => return Err(told(&error)),
            }
        }
    }

    fn commit<'a>(
        &mut self,
        changes: impl Iterator<Item = &'a Change>,
    ) -> rusqlite::Result<Vec<Done>> {
        let behavior = TransactionBehavior::Immediate;
        let mut transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut done = Vec::new();
        for change in changes {
            // What a rule of the database refuses takes nothing else along.
            let savepoint = transaction.savepoint()?;
            let made = match change {
                Change::Add(comment) => add(&savepoint, comment),
                Change::Remove(id) => remove(&savepoint, *id).map(Ok),
            };
            done.push(match made {
                Ok(made) => {
                    savepoint.commit()?;
                    made
                }
                Err(error) if is_refusal(&error) => Err(DatabaseError::Refused),
                Err(error) => return Err(error),
            });
        }
        transaction.commit()?;
        Ok(done)
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
    fn look(&mut self) {
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
            let is_reached = self.touch().is_ok();
            self.is_reached.store(is_reached, Ordering::Relaxed);
        }
    }

    /// Writes the file without a change. What only reads would not notice that its disk is full.
    fn touch(&mut self) -> rusqlite::Result<()> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let version: i64 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        transaction.pragma_update(None, "user_version", version)?;
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

    fn read(&mut self) -> rusqlite::Result<()> {
        // First the version: what changes in between is read again.
        let seen = self.version()?;
        let topics = Topics::new(topics(&self.connection)?);
        self.seen = Some(seen);
        database::tell(topics, &self.topics);
        Ok(())
    }

    /// Changes when another connection commits. Source: SQLite, `PRAGMA data_version`.
    fn version(&self) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, "data_version", |row| row.get(0))
    }
}

fn add(connection: &Connection, comment: &str) -> rusqlite::Result<Done> {
    if !Topics::new(topics(connection)?).has_room_for(comment) {
        return Ok(Err(DatabaseError::Full));
    }
    let insert = "INSERT INTO pushgate_topics (comment) VALUES (?1) RETURNING id";
    let id = connection.prepare_cached(insert)?.query_row([comment], |row| row.get(0))?;
    Ok(Ok(Changed::Added(Topic { id, comment: comment.to_owned() })))
}

fn remove(connection: &Connection, id: i64) -> rusqlite::Result<Changed> {
    let delete = "DELETE FROM pushgate_topics WHERE id = ?1";
    let rows = connection.prepare_cached(delete)?.execute([id])?;
    Ok(if rows > 0 { Changed::Removed } else { Changed::Absent })
}

/// The newest topics, oldest first. Comments that another program wrote are cut to their bound.
fn topics(connection: &Connection) -> rusqlite::Result<Vec<Topic>> {
    let select = "SELECT id, comment FROM ( \
                      SELECT id, substr(comment, 1, ?1) AS comment FROM pushgate_topics \
                      ORDER BY id DESC LIMIT ?2 \
                  ) ORDER BY id";
    let mut statement = connection.prepare_cached(select)?;
    let topic = |row: &rusqlite::Row<'_>| {
        let comment = row.get_ref(1)?.as_bytes()?;
        Ok(Topic { id: row.get(0)?, comment: String::from_utf8_lossy(comment).into_owned() })
    };
    let bounds =
        [Topics::COMMENT, Topics::MOST].map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    statement.query_map(bounds, topic)?.collect()
}

/// Whether another program holds the file.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a rule of the tables, such as a trigger that somebody made, says no.
fn is_refusal(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation))
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
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "its file is damaged",
        Some(ErrorCode::SystemIoFailure) => "its disk fails",
        _ => "it fails",
    };
    why.to_owned()
}
