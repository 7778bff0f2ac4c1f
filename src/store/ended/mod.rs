//! The file of ended tokens.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::directory::DataDir;
use super::error::StoreError;
use super::files::{self, Draft};

/// The file is gone through again when it has grown by this much, and to twice its size.
const COMPACT_AFTER: u64 = 1024 * 1024;
/// More than so many that wait are written as a new file: each record that is added costs a sync.
const FEW: usize = 64;

/// That a client's tokens below a floor are ended, as a line of the file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndedRecord {
    /// Whose tokens.
    pub client: String,
    /// Tokens with an order below it are ended.
    pub floor: u64,
    /// When the last of them is expired anyway, in seconds since the epoch.
    pub until: u64,
}

impl EndedRecord {
    /// Says what either says of the same client.
    fn merge(&mut self, other: &Self) {
        self.floor = self.floor.max(other.floor);
        self.until = self.until.max(other.until);
    }
}

/// The file `ended-tokens`: a JSON object a line, `{"client":…,"floor":…,"until":…}`, added to at the end.
///
/// A last line that a crash has torn was never acknowledged, and is cut off when the file is
/// opened. What expired is left out then, and whenever the file has doubled; expired means before
/// the time that [`DataDir::write_time`] wrote down, since no clock of ours starts earlier.
///
/// Each record has a sync of its own before the next is added, so that a power cut tears the last line
/// and no other. What could not be written waits, one record a client, for [`mend`](Self::mend); once a
/// sync has failed that is a new file, since what the old one holds is not known.
///
/// Writers: [`append`](Self::append) and [`mend`](Self::mend), one at a time. Bound: twice what can
/// still matter, and 1 MiB; what waits is bounded by what can still matter.
pub struct EndedLog {
    directory: DataDir,
    path: PathBuf,
    loaded: Vec<EndedRecord>,
    cut: usize,
    tail: Mutex<Tail>,
    /// Locked behind the tail, and never while the disk is waited for.
    waiting: Mutex<Waiting>,
}

/// The end of the file, where the next record goes.
struct Tail {
    file: File,
    /// How many bytes of the file are whole, synced records.
    length: u64,
    compact_at: u64,
    trusted: bool,
}

/// What could not be written, by client.
type Waiting = BTreeMap<String, EndedRecord>;

impl EndedLog {
    /// Opens the file, made if missing, and leaves out of it what is torn or expired.
    pub(super) fn open(directory: DataDir, path: PathBuf) -> Result<Self, StoreError> {
        let contents = Contents::read(&path)?;
        let loaded = contents.live(expired_before(&directory)?);
        if !contents.is_just(&loaded) {
            let content: String = loaded.iter().map(line).collect();
            files::replace(&path, content.as_bytes())?;
        }
        let tail = Mutex::new(Tail::open(&path)?);
        Ok(Self { directory, path, loaded, cut: contents.cut, tail, waiting: Mutex::default() })
    }

    /// What the file held when it was opened, a record a client; the second time nothing.
    pub fn take_loaded(&mut self) -> Vec<EndedRecord> {
        std::mem::take(&mut self.loaded)
    }

    /// How many bytes of a torn last line were cut off when the file was opened: worth a warning if any.
    pub fn bytes_cut(&self) -> usize {
        self.cut
    }

    /// Adds a record; it is on disk when this returns.
    ///
    /// Waits: for the disk, and for other callers; async ones use `spawn_blocking`.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it could not be written, [`StoreError::Untrusted`] after a sync that
    /// failed, since the system may have dropped what it could not write and yet report success the
    /// next time. Then the record waits for [`mend`](Self::mend).
    pub fn append(&self, record: &EndedRecord) -> Result<(), StoreError> {
        let mut tail = self.lock();
        let added = self.add(&mut tail, record);
        match added {
            Ok(()) => self.wrote(record),
            Err(_) => self.wait(record),
        }
        drop(tail);
        added
    }

    /// Writes what waits and is not expired at `now`, in seconds; answers how many records were written.
    /// To be called from time to time, by one at a time; it waits as [`append`](Self::append).
    ///
    /// # Errors
    /// As [`append`](Self::append): what was not written goes on waiting.
    pub fn mend(&self, now: u64) -> Result<usize, StoreError> {
        let mut tail = self.lock();
        let mut waiting = self.lock_waiting();
        waiting.retain(|_, record| record.until > now);
        let records: Vec<_> = waiting.values().cloned().collect();
        drop(waiting);
        if (!tail.trusted || records.len() > FEW) && self.renew(&mut tail, &records).is_ok() {
            return Ok(records.len());
        }
        // Others write in between.
        drop(tail);
        for record in &records {
            self.append(record)?;
        }
        Ok(records.len())
    }

    /// How many records wait to be written.
    pub fn waiting(&self) -> usize {
        self.lock_waiting().len()
    }

    fn add(&self, tail: &mut Tail, record: &EndedRecord) -> Result<(), StoreError> {
        if !tail.trusted {
            return Err(StoreError::Untrusted { path: self.path.clone() });
        }
        if tail.length >= tail.compact_at {
            self.compact(tail)?;
        }
        tail.append(line(record).as_bytes()).map_err(StoreError::io("write", &self.path))
    }

    /// Goes on with a new file, which holds what the old one did and `more`.
    fn renew(&self, tail: &mut Tail, more: &[EndedRecord]) -> Result<(), StoreError> {
        let mut content = self.live_lines()?;
        content.extend(more.iter().map(line));
        self.go_on_with(tail, Draft::write(&self.path, content.as_bytes())?)?;
        for record in more {
            self.wrote(record);
        }
        Ok(())
    }

    fn go_on_with(&self, tail: &mut Tail, draft: Draft<'_>) -> Result<(), StoreError> {
        // From here on the old file may be one that no restart finds.
        tail.trusted = false;
        draft.commit()?;
        *tail = Tail::open(&self.path)?;
        Ok(())
    }

    /// A record is written: whatever it says need not wait.
    fn wrote(&self, record: &EndedRecord) {
        let mut waiting = self.lock_waiting();
        let says = |kept: &EndedRecord| kept.floor <= record.floor && kept.until <= record.until;
        if waiting.get(&record.client).is_some_and(says) {
            waiting.remove(&record.client);
        }
    }

    /// A record could not be written.
    fn wait(&self, record: &EndedRecord) {
        let mut waiting = self.lock_waiting();
        let kept = waiting.entry(record.client.clone()).or_insert_with(|| record.clone());
        kept.merge(record);
        drop(waiting);
    }

    /// Leaves out of the file what expired meanwhile.
    fn compact(&self, tail: &mut Tail) -> Result<(), StoreError> {
        tail.compact_at = tail.length.saturating_mul(2);
        // A disk too full for a second file, or damage that the next start will tell: the record
        // that is to be added matters more, and this is tried again when the file has doubled.
        let Ok(content) = self.live_lines() else {
            return Ok(());
        };
        let Ok(draft) = Draft::write(&self.path, content.as_bytes()) else {
            return Ok(());
        };
        self.go_on_with(tail, draft)
    }

    fn live_lines(&self) -> Result<String, StoreError> {
        let live = Contents::read(&self.path)?.live(expired_before(&self.directory)?);
        Ok(live.iter().map(line).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EndedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndedLog").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Tail {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let file = files::open_to_append(path)?;
        let length = file.metadata().map_err(StoreError::io("look at", path))?.len();
        // Now, so that a record's own sync is enough for it to be found after a power cut.
        files::sync_parent(path)?;
        let compact_at = length.saturating_mul(2).max(COMPACT_AFTER);
        Ok(Self { file, length, compact_at, trusted: true })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(line) {
            // Half a line in the middle of the file would damage the record after it.
            self.trusted = self.file.set_len(self.length).is_ok();
            return Err(error);
        }
        self.trusted = false;
        self.file.sync_data()?;
        self.trusted = true;
        self.length = self.length.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// What the file holds.
struct Contents {
    records: Vec<EndedRecord>,
    /// How many bytes at the end are no record.
    cut: usize,
}

impl Contents {
    fn read(path: &Path) -> Result<Self, StoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StoreError::io("read", path)(error)),
        };
        let mut records = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (record, after) = first_record(rest);
            match record {
                Some(record) => records.push(record),
                // The last line, whole or not, may be one that was being written when the power went.
                None if after.is_empty() => break,
                None => {
                    let line = records.len() + 1;
                    return Err(StoreError::NotARecord { path: path.to_owned(), line });
                }
            }
            rest = after;
        }
        Ok(Self { records, cut: rest.len() })
    }

    /// The latest record of each client, without those that ended before `now` in seconds.
    fn live(&self, now: u64) -> Vec<EndedRecord> {
        let mut clients: BTreeMap<&str, EndedRecord> = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.until > now) {
            let kept = clients.entry(&record.client).or_insert_with(|| record.clone());
            kept.merge(record);
        }
        clients.into_values().collect()
    }

    /// Whether the file need not be written again to hold `live` and nothing else.
    fn is_just(&self, live: &[EndedRecord]) -> bool {
        self.cut == 0 && self.records.len() == live.len()
    }
}

/// The first line as a record, if it is one and ends, and what comes after the line.
fn first_record(bytes: &[u8]) -> (Option<EndedRecord>, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    match end.and_then(|end| bytes.split_at_checked(end + 1)) {
        Some((line, after)) => (serde_json::from_slice(line).ok(), after),
        None => (None, &[]),
    }
}

fn line(record: &EndedRecord) -> String {
    let json = serde_json::to_string(record).expect("a text and two numbers are JSON");
    json + "\n"
}

/// The second before which everything is expired for good.
fn expired_before(directory: &DataDir) -> Result<u64, StoreError> {
    Ok(directory.latest_time()?.unwrap_or(0) / 1000)
}
