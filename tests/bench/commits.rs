//! The floor of a durable channel: a bare loop through SQLite, that writes rows of the same shape and
//! size and commits as many at a time, with the pragmas of `src/store/sqlite/open.rs`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::time::Instant;

use crate::ledger::Faults;
use crate::row::Turn;

/// The table of messages, as `src/store/migrations` has it.
const TABLE: &str = "CREATE TABLE messages (
    channel INTEGER NOT NULL,
    number INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    sender TEXT NOT NULL,
    message TEXT NOT NULL,
    retry_key TEXT,
    retry_body BLOB,
    retry_datetime TEXT,
    retry_ip TEXT,
    PRIMARY KEY (channel, number)
) STRICT, WITHOUT ROWID";
const INSERT: &str = "INSERT INTO messages (channel, number, accepted, sender, message) \
                      VALUES (?1, ?2, ?3, ?4, ?5)";
const SENDER: &str = "7b0c0000-0000-4000-8000-000000000000";
/// Milliseconds since 1970, of the length that they have now.
const ACCEPTED: i64 = 1_700_000_000_000;

/// A file of SQLite in a folder of its own, removed with it.
#[derive(Debug)]
pub(crate) struct Commits {
    connection: Connection,
    folder: PathBuf,
    channel: i64,
}

impl Commits {
    /// A new file in the folder `disk`.
    pub(crate) fn open(disk: &Path) -> io::Result<Self> {
        let folder = disk.join(format!("pushgate-bench-{}-floor", std::process::id()));
        std::fs::create_dir(&folder)?;
        let connection = Connection::open(folder.join("floor.db")).map_err(io::Error::other)?;
        let floor = Self { connection, folder, channel: 0 };
        floor.set_up().map_err(io::Error::other)?;
        Ok(floor)
    }

    fn set_up(&self) -> rusqlite::Result<()> {
        let wal = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        self.connection.pragma_update_and_check(None, "journal_mode", "WAL", wal)?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.execute_batch(TABLE)
    }

    /// Commits rows with messages of `length` bytes for `time`, on average `mean` at once. Each commit
    /// takes so much `longer` than the disk takes.
    pub(crate) fn run(
        &mut self,
        (mean, length): (f64, usize),
        longer: Duration,
        time: Duration,
    ) -> io::Result<Turn> {
        self.channel += 1;
        let message = "m".repeat(length);
        let start = Instant::now();
        let (mut rows, mut due, mut latencies) = (0_i64, 0.0, Vec::new());
        while start.elapsed() < time {
            due += mean;
            let begun = Instant::now();
            let count = (due as i64 - rows) as usize;
            let batch = std::iter::repeat_n(message.as_str(), count);
            self.commit(rows, batch).map_err(io::Error::other)?;
            longer_by(longer);
            let taken = begun.elapsed().as_micros() as u32;
            latencies.extend(std::iter::repeat_n(taken, count));
            rows = due as i64;
        }
        let (wall, latency) = (start.elapsed(), crate::ledger::latency(&mut latencies));
        Ok(Turn { cpu: 0, units: rows as u64, wall, faults: Faults::default(), latency })
    }

    /// Makes a commit of rows with these messages, numbered from `first` on.
    pub(crate) fn commit<'a>(
        &mut self,
        first: i64,
        messages: impl Iterator<Item = &'a str>,
    ) -> rusqlite::Result<()> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut insert = transaction.prepare_cached(INSERT)?;
        for (number, message) in (first..).zip(messages) {
            insert.execute(params![self.channel, number, ACCEPTED, SENDER, message])?;
        }
        drop(insert);
        transaction.commit()
    }
}

/// As `syncs.c` has it in the gateway.
#[expect(clippy::disallowed_methods, reason = "the time itself is what is to pass")]
fn longer_by(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        // The files of a connection that is still open may go too.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
