//! The database as a file of SQLite.

mod copy;
mod file;
mod log;
mod messages;
mod open;
mod page;
mod reached;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

pub(super) use self::copy::{begin_anew, copy};
use self::file::File;
use self::open::{Identity, Unfit, identity, open, set_up};
use self::reached::Reached;
use super::asked::{self, Asked, Queue, Reads};
use super::database::{Database, TopicsTold};
use super::error::StoreError;
use super::files;
use super::tally::Tally;
use super::teller::Teller;

/// How often it is looked whether another program changed the file: a read of a few bytes.
const LOOK: Duration = Duration::from_millis(250);

/// The database as a file of SQLite. One thread speaks to it, which may wait.
#[derive(Debug)]
pub struct Sqlite {
    queue: Queue,
    topics: TopicsTold,
    is_reached: Arc<AtomicBool>,
    teller: Arc<Teller>,
    telling: tokio::task::JoinHandle<()>,
    /// Behind the queue: it ends once that is gone.
    thread: Thread,
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
        files::share_mode(path, &["-wal", "-shm", "-reached"])?;
        copy::begin_anew_where_damaged(path)?;
        let opened = open(path).and_then(|mut connection| {
            let reached = Reached::open(path, &mut connection)?;
            Ok((connection, reached))
        });
        Self::start(opened, path, identity(path))
    }

    /// One that ends with the process.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is no memory left.
    pub fn in_memory() -> Result<Self, StoreError> {
        let opened = Connection::open_in_memory().map_err(Unfit::from);
        let opened = opened.and_then(set_up).map(|connection| (connection, Reached::default()));
        Self::start(opened, Path::new("the database in memory"), None)
    }

    fn start(
        database: Result<(Connection, Reached), Unfit>,
        path: &Path,
        opened: Option<Identity>,
    ) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let refused =
            |why: Unfit| StoreError::Database { path: path.clone(), why: why.to_string() };
        let (connection, reached) = database.map_err(refused)?;
        let (topics, told) = watch::channel(None);
        let is_reached = Arc::new(AtomicBool::new(true));
        let teller = Arc::<Teller>::default();
        let mut file = File {
            connection,
            path: path.clone(),
            seen: None,
            topics,
            opened,
            is_reached: Arc::clone(&is_reached),
            reached,
            teller: Arc::clone(&teller),
            took: Duration::ZERO,
            tried: Instant::now(),
            doubts: HashMap::new(),
        };
        file.read().map_err(|error| refused(error.into()))?;
        let (queue, waiting) = Queue::new();
        let thread = Thread::start(file, waiting);
        let thread = thread.map_err(|why| refused(Unfit::Other(why.to_string())))?;
        let telling = tokio::spawn(Arc::clone(&teller).keep_telling());
        Ok(Self { queue, topics: told, is_reached, teller, telling, thread })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // What is left the thread tells, at its end.
        self.telling.abort();
    }
}

impl Database for Sqlite {
    fn queue(&self) -> &Queue {
        &self.queue
    }

    fn topics(&self) -> TopicsTold {
        self.topics.clone()
    }

    fn is_reached(&self) -> bool {
        !self.thread.0.as_ref().is_none_or(JoinHandle::is_finished)
            && self.is_reached.load(Ordering::Relaxed)
    }

    fn tally(&self) -> &Tally {
        &self.teller.tally
    }
}

/// The thread that speaks to the file. Ends when nobody can ask any more, and is waited for.
#[derive(Debug)]
struct Thread(Option<JoinHandle<()>>);

impl Thread {
    fn start(file: File, waiting: mpsc::Receiver<Asked>) -> std::io::Result<Self> {
        // Of its own, for its clock: the node's may end first.
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let keep = move || keep(file, waiting, &runtime);
        Ok(Self(Some(std::thread::Builder::new().name("database".to_owned()).spawn(keep)?)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let other = self.0.take().filter(|it| it.thread().id() != std::thread::current().id());
        // A bug of it was told by itself.
        drop(other.map(JoinHandle::join));
    }
}

/// Does what is asked for, and looks in between whether another program did something.
///
/// What waits to be written shares a commit; of what is to be read one comes behind each, so that who
/// posts waits for one reader, however many there are.
fn keep(mut file: File, mut waiting: mpsc::Receiver<Asked>, runtime: &Runtime) {
    let (mut reads, mut looked) = (Reads::default(), Instant::now());
    loop {
        let patience = if reads.is_empty() { LOOK } else { Duration::ZERO };
        let next = async { tokio::time::timeout(patience, asked::next(&mut waiting)).await };
        match runtime.block_on(next) {
            Ok(Some(batch)) => {
                file.write(reads.take(batch));
                if waiting.is_empty() || !reads.is_empty() {
                    file.teller.ring();
                }
            }
            Ok(None) if reads.is_empty() => return file.teller.tell_all(),
            Ok(None) | Err(_) => {}
        }
        if let Some(asked) = reads.next() {
            file.read_for(asked);
        }
        // Also where there is always something to do.
        if looked.elapsed() >= LOOK {
            file.look();
            // What nobody has told by now nobody will.
            file.teller.tell_all();
            looked = Instant::now();
        }
    }
}
