//! The database as a file of SQLite.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::database::{
    self, Answer, Change, Changed, Database, DatabaseError, Done, Order, Orders, TopicsTold,
};
use super::error::StoreError;
use super::files;
use crate::channel::{Topic, Topics};

/// How long a change waits for another program that holds the file.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether another program changed the file: a read of a few bytes.
const LOOK: Duration = Duration::from_millis(250);

/// Marks a file as ours: "push" in ASCII. Source: SQLite, `PRAGMA application_id`.
const APPLICATION: i64 = 0x7075_7368;
/// What brings a file from each version to the next; its `user_version` says how many were done.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/sqlite-1.sql")];

/// The database as a file of SQLite. One task speaks to it, on a thread that may wait.
#[derive(Debug)]
pub struct Sqlite {
    orders: Orders,
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
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::start(Connection::open_with_flags(path, flags), path)
    }

    /// One that ends with the process.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is no memory left.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(Connection::open_in_memory(), Path::new("the database in memory"))
    }

    fn start(opened: rusqlite::Result<Connection>, path: &Path) -> Result<Self, StoreError> {
        let refused = |error: rusqlite::Error| StoreError::Database {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let mut connection = opened.map_err(refused)?;
        connection.busy_timeout(PATIENCE).map_err(refused)?;
        migrate(&mut connection).map_err(|why| match why {
            Unfit::Sql(error) => refused(error),
            Unfit::Other(why) => StoreError::Database { path: path.to_owned(), why },
        })?;
        let (topics, told) = watch::channel(None);
        let mut file = File { connection, path: path.to_owned(), seen: None, topics };
        file.read().map_err(refused)?;
        let (orders, waiting) = Orders::new();
        let task = tokio::spawn(keep(file, waiting));
        Ok(Self { orders, topics: told, task })
    }
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
        !self.task.is_finished()
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
        let changes = batch.iter().map(|order| &order.change);
        let done = self.commit(changes).map_err(|error| {
            tracing::warn!(%error, "the database could not be changed");
            DatabaseError::Unavailable(told(&error))
        });
        if done.is_ok() {
            self.read_again();
        }
        Order::answer_all(batch, done);
    }

    fn commit<'a>(
        &mut self,
        changes: impl Iterator<Item = &'a Change>,
    ) -> rusqlite::Result<Vec<Done>> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut done = Vec::new();
        for change in changes {
            done.push(match change {
                Change::Add(comment) => add(&transaction, comment)?,
                Change::Remove(id) => Ok(remove(&transaction, *id)?),
            });
        }
        transaction.commit()?;
        Ok(done)
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

fn add(transaction: &Transaction<'_>, comment: &str) -> rusqlite::Result<Done> {
    if !Topics::new(topics(transaction)?).has_room_for(comment) {
        return Ok(Err(DatabaseError::Full));
    }
    let insert = "INSERT INTO pushgate_topics (comment) VALUES (?1) RETURNING id";
    let id = transaction.prepare_cached(insert)?.query_row([comment], |row| row.get(0))?;
    Ok(Ok(Changed::Added(Topic { id, comment: comment.to_owned() })))
}

fn remove(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<Changed> {
    let delete = "DELETE FROM pushgate_topics WHERE id = ?1";
    let rows = transaction.prepare_cached(delete)?.execute([id])?;
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
