//! The file of ended tokens.

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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::scratch::Scratch;
    use super::*;

    const NAME: &str = "ended-tokens";

    fn record(client: &str, floor: u64, until: u64) -> EndedRecord {
        EndedRecord { client: client.to_owned(), floor, until }
    }

    /// What a start after the one before finds.
    fn restart(scratch: &Scratch) -> Vec<EndedRecord> {
        scratch.open().ended_tokens().unwrap().take_loaded()
    }

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let scratch = Scratch::new();
        let mut log = scratch.open().ended_tokens().unwrap();
        assert!(log.take_loaded().is_empty());
        log.append(&record("ann", 10, 900)).unwrap();
        log.append(&record("b\"o\\b\u{2028} é", u64::MAX, 901)).unwrap();
        drop(log);
        let expected = [record("ann", 10, 900), record("b\"o\\b\u{2028} é", u64::MAX, 901)];
        assert_eq!(restart(&scratch), expected);
        let first = scratch.read(NAME).lines().next().unwrap().to_owned();
        assert_eq!(first, r#"{"client":"ann","floor":10,"until":900}"#);
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        let scratch = Scratch::new();
        scratch.open().ended_tokens().unwrap();
        let mode = fs::metadata(scratch.0.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn of_a_client_the_highest_floor_and_the_longest_time_count() {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        for (floor, until) in [(10, 900), (30, 700), (20, 800)] {
            log.append(&record("ann", floor, until)).unwrap();
        }
        assert_eq!(restart(&scratch), [record("ann", 30, 900)]);
        assert_eq!(scratch.read(NAME).lines().count(), 1);
    }

    #[test]
    fn a_torn_last_line_is_cut_off_wherever_it_was_torn() {
        let whole = "{\"client\":\"ann\",\"floor\":1,\"until\":900}\n";
        let torn = "{\"client\":\"bé\",\"floor\":2,\"until\":901}\n";
        for end in 0..torn.len() {
            let scratch = Scratch::new();
            scratch.write(NAME, &[whole.as_bytes(), &torn.as_bytes()[..end]].concat());
            let mut log = scratch.open().ended_tokens().unwrap();
            assert_eq!(log.bytes_cut(), end);
            assert_eq!(log.take_loaded(), [record("ann", 1, 900)]);
            log.append(&record("cid", 3, 902)).unwrap();
            assert_eq!(restart(&scratch), [record("ann", 1, 900), record("cid", 3, 902)]);
        }
    }

    #[test]
    fn a_last_line_of_zeros_is_cut_off() {
        let scratch = Scratch::new();
        scratch.write(NAME, &[0; 4_096]);
        let log = scratch.open().ended_tokens().unwrap();
        assert_eq!(log.bytes_cut(), 4_096);
        assert_eq!(scratch.read(NAME), "");
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_refused_by_name_and_kept() {
        let scratch = Scratch::new();
        let line = "{\"client\":\"ann\",\"floor\":1,\"until\":900}\n";
        for damaged in ["\n", "{}\n", "\0\n", &line.replace("900", "\"900\"")] {
            let content = format!("{line}{damaged}{line}");
            scratch.write(NAME, content.as_bytes());
            let error = scratch.open().ended_tokens().unwrap_err();
            assert!(matches!(error, StoreError::NotARecord { line: 2, .. }), "{error}");
            assert!(error.to_string().contains(NAME), "{error}");
            assert_eq!(scratch.read(NAME), content);
        }
    }

    #[test]
    fn what_expired_by_the_written_time_is_left_out_on_opening() {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        for (client, until) in [("ann", 899), ("bob", 900), ("cid", 901)] {
            log.append(&record(client, 1, until)).unwrap();
        }
        assert_eq!(restart(&scratch).len(), 3, "no time was written: nothing is expired for good");
        scratch.open().write_time(900_000).unwrap();
        assert_eq!(restart(&scratch), [record("cid", 1, 901)]);
        assert_eq!(scratch.read(NAME).lines().count(), 1);
    }

    #[test]
    fn a_clock_set_back_revives_nothing_since_the_wall_clock_is_not_asked() {
        let scratch = Scratch::new();
        // Far in the future by the wall clock, and yet expired by the time that was written down.
        scratch.open().write_time(u64::MAX).unwrap();
        let log = scratch.open().ended_tokens().unwrap();
        log.append(&record("ann", 1, 9_000_000_000)).unwrap();
        assert!(restart(&scratch).is_empty());
        // Long ago by the wall clock, but not by the time that was written down.
        scratch.open().write_time(5_000).unwrap();
        let log = scratch.open().ended_tokens().unwrap();
        log.append(&record("bob", 1, 6)).unwrap();
        assert_eq!(restart(&scratch), [record("bob", 1, 6)]);
    }

    #[test]
    fn the_file_is_compacted_while_it_grows() {
        let scratch = Scratch::new();
        let directory = scratch.open();
        directory.write_time(1_000).unwrap();
        let log = directory.ended_tokens().unwrap();
        log.append(&record("live", 1, 9)).unwrap();
        let mut tail = log.lock();
        tail.compact_at = 1_000;
        drop(tail);
        for count in 0..100 {
            log.append(&record("gone", count, 1)).unwrap();
            // Once it was compacted its bound is a mebibyte again.
            if log.lock().compact_at == COMPACT_AFTER {
                break;
            }
        }
        let found = scratch.read(NAME);
        assert_eq!(found.lines().count(), 2, "{found}");
        log.append(&record("next", 1, 9)).unwrap();
        assert_eq!(restart(&scratch), [record("live", 1, 9), record("next", 1, 9)]);
    }

    #[test]
    fn a_draft_that_cannot_be_written_does_not_keep_a_record_out() {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        fs::create_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
        log.lock().compact_at = 0;
        log.append(&record("ann", 1, 900)).unwrap();
        assert_eq!(restart(&scratch), [record("ann", 1, 900)]);
    }

    #[test]
    fn after_a_failed_write_that_could_not_be_taken_back_there_is_a_new_file() {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        log.append(&record("ann", 1, 900)).unwrap();
        // A file open for reading takes neither the record nor the mending.
        log.lock().file = File::open(scratch.0.join(NAME)).unwrap();
        let error = log.append(&record("bob", 1, 900)).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert!(error.to_string().contains(NAME), "{error}");
        let error = log.append(&record("bob", 2, 900)).unwrap_err();
        assert!(matches!(error, StoreError::Untrusted { .. }), "{error}");
        assert_eq!(log.waiting(), 1);
        assert_eq!(restart(&scratch), [record("ann", 1, 900)]);
        fs::create_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
        assert!(matches!(log.mend(1), Err(StoreError::Untrusted { .. })));
        fs::remove_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
        assert_eq!(log.mend(1).unwrap(), 1);
        log.append(&record("cid", 1, 900)).unwrap();
        assert_eq!((log.waiting(), log.mend(1).unwrap()), (0, 0));
        let expected = [record("ann", 1, 900), record("bob", 2, 900), record("cid", 1, 900)];
        assert_eq!(restart(&scratch), expected);
    }

    #[test]
    fn what_was_written_in_part_is_in_no_one_s_way() {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        log.append(&record("ann", 1, 900)).unwrap();
        // Half a line that could not be taken back.
        let mut file = files::open_to_append(&scratch.0.join(NAME)).unwrap();
        file.write_all(b"{\"client\":\"bo").unwrap();
        log.wait(&record("bob", 1, 900));
        log.lock().trusted = false;
        assert_eq!(log.mend(1).unwrap(), 1);
        log.append(&record("cid", 1, 900)).unwrap();
        assert_eq!(scratch.read(NAME).lines().count(), 3);
        assert_eq!(restart(&scratch).len(), 3);
    }

    #[test]
    fn few_that_wait_are_added_and_many_make_a_new_file_where_there_is_room_for_one() {
        for (count, is_full) in [(3, true), (3, false), (FEW + 1, true), (FEW + 1, false)] {
            let scratch = Scratch::new();
            let log = scratch.open().ended_tokens().unwrap();
            log.append(&record("ann", 1, 900)).unwrap();
            if is_full {
                fs::create_dir(scratch.0.join("ended-tokens.tmp")).unwrap();
            }
            for number in 0..count {
                log.wait(&record(&format!("c{number:03}"), 1, 900));
            }
            log.wait(&record("expired", 1, 5));
            assert_eq!(log.mend(5).unwrap(), count);
            assert_eq!((log.waiting(), restart(&scratch).len()), (0, count + 1));
        }
    }

    #[test]
    fn what_waits_is_one_record_a_client_until_one_that_says_as_much_is_written() {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        for (floor, until) in [(10, 900), (30, 700), (20, 800)] {
            log.wait(&record("ann", floor, until));
        }
        assert_eq!(log.waiting(), 1);
        log.append(&record("ann", 40, 800)).unwrap();
        assert_eq!(log.waiting(), 1, "it does not say until when");
        log.append(&record("ann", 40, 900)).unwrap();
        assert_eq!(log.waiting(), 0);
    }

    #[test]
    fn many_callers_lose_no_record() {
        let scratch = Scratch::new();
        let log = scratch.open().ended_tokens().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    for count in 0..25 {
                        log.append(&record(&format!("{thread}-{count}"), 1, 900)).unwrap();
                    }
                });
            }
        });
        assert_eq!(restart(&scratch).len(), 100);
    }
}
