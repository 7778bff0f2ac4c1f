//! The journal: who is here, and what a backend is still to be told.

mod record;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub use self::record::{
    EdgeRecord, EventRecord, GoneRecord, HereRecord, JournalRecord, Journaled, LifeRecord,
};

use super::error::StoreError;
use super::files;

/// The file is written anew when it has grown by this much, and to twice its size.
const COMPACT_AFTER: u64 = 1024 * 1024;
/// How much of a new file is put together at a time.
const PIECE: usize = 64 * 1024;
/// By how much numbers leap at least, whatever the clock says.
const LEAP: u64 = 1_000_000_000;

/// The file `journal`: a JSON object a line, see [`JournalRecord`], added to at the end.
///
/// The last word about a client counts, so a line says all there is to say of it. A last line that a
/// crash has torn was nobody's to rely on, and is passed over; so is any line that is no record, since
/// a power cut may leave the blocks that were not synced in any order. Each process begins with a new
/// file, which holds what still matters: a [`JournalDraft`] takes the place of the old one as a whole.
///
/// Writers: one thread, through `&mut`. Bound: twice what still matters, and 1 MiB.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// The end of the file; none as long as it cannot be trusted.
    tail: Option<Tail>,
}

/// The end of the file, where the next record goes.
#[derive(Debug)]
struct Tail {
    file: File,
    length: u64,
    compact_at: u64,
    /// Something was written and not synced.
    is_dirty: bool,
}

/// A journal in the making.
#[derive(Debug)]
pub struct JournalDraft {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Journal {
    /// What the file at `path` says, nothing if there is none. It is not written to before
    /// [`begin`](Self::begin).
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be read.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Journaled), StoreError> {
        let said = read(&path)?;
        Ok((Self { path, tail: None }, said))
    }

    /// A new file beside this one, for what still matters. Waits for the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]; nothing was changed then.
    pub fn draft(&self) -> Result<JournalDraft, StoreError> {
        let path = self.path.with_extension("new");
        // What a crash has left there.
        files::remove_if_there(&path)?;
        let file = files::open_to_append(&path)?;
        Ok(JournalDraft { path, file, length: 0 })
    }

    /// Goes on with `draft` in place of the file. Waits for the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]: then it is not to be trusted, and takes nothing before the next draft.
    pub fn begin(&mut self, draft: JournalDraft) -> Result<(), StoreError> {
        self.tail = None;
        draft.file.sync_all().map_err(StoreError::io("sync", &draft.path))?;
        let replaced = fs::rename(&draft.path, &self.path);
        replaced.map_err(StoreError::io("replace", &self.path))?;
        files::sync_parent(&self.path)?;
        let (file, length) = (draft.file, draft.length);
        let compact_at = length.saturating_mul(2).max(COMPACT_AFTER);
        self.tail = Some(Tail { file, length, compact_at, is_dirty: false });
        Ok(())
    }

    /// Adds lines; with `sync` they and all before them are on disk when this returns, else they survive
    /// the end of the process, but not that of the machine. Waits for the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`] if they could not be written, [`StoreError::Untrusted`] after that, before
    /// the next draft.
    pub fn append(&mut self, lines: &[u8], sync: bool) -> Result<(), StoreError> {
        let Some(tail) = &mut self.tail else {
            return Err(StoreError::Untrusted { path: self.path.clone() });
        };
        if let Err(error) = tail.write(lines).and_then(|()| if sync { tail.sync() } else { Ok(()) })
        {
            // Only tried: half a line at the end is passed over anyway.
            let _ = tail.file.set_len(tail.length);
            self.tail = None;
            return Err(StoreError::io("write", &self.path)(error));
        }
        tail.length = tail.length.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Whether it has grown enough to be [compacted](Self::compact).
    pub fn is_large(&self) -> bool {
        self.tail.as_ref().is_some_and(|tail| tail.length >= tail.compact_at)
    }

    /// Leaves out of the file what no longer matters. Waits for the disk.
    ///
    /// # Errors
    /// [`StoreError`] after which nothing can be added before the next draft. A draft that cannot be
    /// written is none: the file goes on growing until it has doubled again.
    pub fn compact(&mut self, life: LifeRecord) -> Result<(), StoreError> {
        if let Some(tail) = &mut self.tail {
            tail.compact_at = tail.length.saturating_mul(2);
        }
        let Ok(draft) = self.compacted(life) else {
            return Ok(());
        };
        self.begin(draft)
    }

    fn compacted(&self, life: LifeRecord) -> Result<JournalDraft, StoreError> {
        let said = read(&self.path)?;
        let mut draft = self.draft()?;
        draft.write(life, said.due.into_values(), said.here.into_values())?;
        Ok(draft)
    }
}

impl Tail {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.is_dirty |= !lines.is_empty();
        self.file.write_all(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_dirty {
            self.file.sync_data()?;
        }
        self.is_dirty = false;
        Ok(())
    }
}

impl JournalDraft {
    /// Adds the beginning of a life, what is due, and who is here. Waits for the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]: it is to be thrown away.
    pub fn write(
        &mut self,
        life: LifeRecord,
        due: impl Iterator<Item = EventRecord>,
        here: impl Iterator<Item = HereRecord>,
    ) -> Result<(), StoreError> {
        let life = std::iter::once(JournalRecord::Life(life));
        let records =
            life.chain(due.map(JournalRecord::Event)).chain(here.map(JournalRecord::Here));
        let mut lines = Vec::new();
        for record in records {
            record.write_to(&mut lines);
            if lines.len() >= PIECE {
                self.append(&lines)?;
                lines.clear();
            }
        }
        self.append(&lines)
    }

    /// Adds lines.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn append(&mut self, lines: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(lines).map_err(StoreError::io("write", &self.path))?;
        self.length = self.length.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// Has the journal at `path`, if there is one, say no more than which number comes next: nobody has
/// written down who came and went since. Waits for the disk.
pub(super) fn forget(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    let said = read(path)?;
    if said.here.is_empty() && said.due.is_empty() {
        return Ok(());
    }
    let mut line = Vec::new();
    JournalRecord::Life(said.life).write_to(&mut line);
    files::replace(path, &line)
}

/// Has the journal at `path`, made if missing, say no more than which number comes next: one far above
/// all that were given by whoever has used the data since this journal was copied. Waits for the disk.
///
/// That is the time in microseconds: no gateway numbers a million events a second, so one that begins
/// later begins above.
pub(super) fn renumber(path: &Path) -> Result<(), StoreError> {
    let LifeRecord { epoch, next } = read(path)?.life;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_micros()).unwrap_or(0);
    let next = next.saturating_add(LEAP).max(now);
    let mut line = Vec::new();
    JournalRecord::Life(LifeRecord { epoch, next }).write_to(&mut line);
    files::replace(path, &line)
}

fn read(path: &Path) -> Result<Journaled, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Journaled::read(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Journaled::read(&[])),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::os::unix::fs::PermissionsExt;

    use super::super::scratch::Scratch;
    use super::*;

    const NAME: &str = "journal";

    fn event(number: u64, client: &str, edge: EdgeRecord) -> EventRecord {
        EventRecord {
            number,
            id: format!("id-{number}"),
            client: client.to_owned(),
            edge,
            at: Some(5),
        }
    }

    fn here(client: &str, event: Option<EventRecord>) -> JournalRecord {
        JournalRecord::Here(HereRecord {
            client: client.to_owned(),
            name: None,
            address: Ipv4Addr::LOCALHOST.into(),
            origin: None,
            counted: true,
            channels: vec![String::new(), "chat/로비".to_owned()],
            line: false,
            alone: false,
            told: event.is_some(),
            event,
        })
    }

    fn gone(client: &str, event: Option<EventRecord>) -> JournalRecord {
        JournalRecord::Gone(GoneRecord { client: client.to_owned(), event })
    }

    fn lines(records: &[JournalRecord]) -> Vec<u8> {
        let mut lines = Vec::new();
        for record in records {
            record.write_to(&mut lines);
        }
        lines
    }

    /// A journal as a process begins it.
    fn start(scratch: &Scratch) -> (Journal, Journaled) {
        let (mut journal, said) = scratch.open().journal().unwrap();
        let life = LifeRecord { epoch: said.life.epoch + 1, next: said.life.next };
        let mut draft = journal.draft().unwrap();
        draft.write(life, said.due.values().cloned(), said.here.values().cloned()).unwrap();
        journal.begin(draft).unwrap();
        (journal, said)
    }

    #[test]
    fn the_last_word_about_a_client_counts_and_what_is_done_is_not_due() {
        use EdgeRecord::{Connected, Disconnected};
        let scratch = Scratch::new();
        let (mut journal, said) = start(&scratch);
        assert_eq!((said.life, said.here.len()), (LifeRecord { epoch: 0, next: 1 }, 0));
        let records = [
            here("ann", Some(event(1, "ann", Connected))),
            here("bob", Some(event(2, "bob", Connected))),
            here("cid", None),
            gone("ann", Some(event(3, "ann", Disconnected))),
            JournalRecord::Done(2),
            gone("cid", None),
        ];
        journal.append(&lines(&records), true).unwrap();
        for epoch in 1..=3 {
            let (_, said) = start(&scratch);
            assert_eq!(said.life, LifeRecord { epoch, next: 4 });
            assert_eq!(said.here.keys().collect::<Vec<_>>(), ["bob"]);
            assert_eq!(said.due.keys().collect::<Vec<_>>(), [&1, &3]);
            assert!(said.here["bob"].told && said.here["bob"].event.is_none());
            assert_eq!((said.cut, said.damaged), (0, 0));
        }
        let mode = fs::metadata(scratch.0.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(scratch.names(), [NAME]);
    }

    #[test]
    fn a_torn_last_line_is_passed_over_wherever_it_was_torn() {
        let whole = lines(&[here("ann", None)]);
        let torn = lines(&[gone("ann", Some(event(7, "ann", EdgeRecord::Disconnected)))]);
        for end in 0..torn.len() {
            let scratch = Scratch::new();
            scratch.write(NAME, &[&whole, &torn[..end]].concat());
            let (mut journal, said) = start(&scratch);
            assert_eq!((said.cut, said.damaged), (end, 0));
            assert!(said.here.contains_key("ann") && said.due.is_empty());
            journal.append(&lines(&[here("bob", None)]), true).unwrap();
            assert_eq!(start(&scratch).1.here.keys().collect::<Vec<_>>(), ["ann", "bob"]);
        }
    }

    #[test]
    fn lines_that_are_no_records_are_passed_over_and_counted() {
        let scratch = Scratch::new();
        let (ann, bob) = (lines(&[here("ann", None)]), lines(&[here("bob", None)]));
        let odd: &[u8] = b"\0\0\0\n{}\n{\"later\":1}\n\xff\n";
        scratch.write(NAME, &[&ann, odd, &bob, &[0; 512]].concat());
        let (_, said) = start(&scratch);
        assert_eq!((said.damaged, said.cut), (4, 512));
        assert_eq!(said.here.keys().collect::<Vec<_>>(), ["ann", "bob"]);
        assert_eq!(start(&scratch).1.damaged, 0);
    }

    #[test]
    fn it_is_compacted_when_it_has_grown() {
        let scratch = Scratch::new();
        let (mut journal, _) = start(&scratch);
        for number in 1..=6_000 {
            let coming = Some(event(number, "ann", EdgeRecord::Connected));
            let records = [here("ann", coming), gone("ann", None), JournalRecord::Done(number)];
            journal.append(&lines(&records), false).unwrap();
        }
        let due = event(6_001, "bob", EdgeRecord::Connected);
        journal.append(&lines(&[here("bob", Some(due.clone()))]), true).unwrap();
        assert!(journal.is_large());
        journal.compact(LifeRecord { epoch: 1, next: 7_000 }).unwrap();
        assert!(!journal.is_large());
        assert_eq!(scratch.read(NAME).lines().count(), 3);
        journal.append(&lines(&[here("cid", None)]), true).unwrap();
        let (_, said) = start(&scratch);
        assert_eq!(said.life, LifeRecord { epoch: 1, next: 7_000 });
        assert_eq!(said.here.keys().collect::<Vec<_>>(), ["bob", "cid"]);
        assert_eq!(said.due, [(6_001, due)].into());
    }

    #[test]
    fn a_draft_that_cannot_be_written_keeps_nothing_out() {
        let scratch = Scratch::new();
        let (mut journal, _) = start(&scratch);
        fs::create_dir(scratch.0.join("journal.new")).unwrap();
        journal.compact(LifeRecord { epoch: 1, next: 1 }).unwrap();
        journal.append(&lines(&[here("ann", None)]), true).unwrap();
        fs::remove_dir(scratch.0.join("journal.new")).unwrap();
        assert_eq!(start(&scratch).1.here.len(), 1);
    }

    #[test]
    fn after_a_failed_write_it_takes_nothing_before_the_next_draft() {
        let scratch = Scratch::new();
        let (mut journal, _) = start(&scratch);
        // A file open for reading takes nothing.
        journal.tail.as_mut().unwrap().file = File::open(scratch.0.join(NAME)).unwrap();
        let error = journal.append(&lines(&[here("ann", None)]), true).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }) && error.to_string().contains(NAME));
        let error = journal.append(&lines(&[here("bob", None)]), true).unwrap_err();
        assert!(matches!(error, StoreError::Untrusted { .. }), "{error}");
        let mut draft = journal.draft().unwrap();
        draft.write(LifeRecord { epoch: 1, next: 5 }, [].into_iter(), [].into_iter()).unwrap();
        draft.append(&lines(&[here("cid", None)])).unwrap();
        journal.begin(draft).unwrap();
        journal.append(&lines(&[here("dot", None)]), true).unwrap();
        let (_, said) = start(&scratch);
        assert_eq!(said.here.keys().collect::<Vec<_>>(), ["cid", "dot"]);
        assert_eq!(said.life.next, 5);
    }

    #[test]
    fn what_is_forgotten_leaves_the_numbers() {
        let scratch = Scratch::new();
        let directory = scratch.open();
        directory.forget_journal().unwrap();
        assert!(scratch.names().is_empty());
        let coming = Some(event(41, "ann", EdgeRecord::Connected));
        scratch.write(NAME, &lines(&[here("ann", coming)]));
        directory.forget_journal().unwrap();
        let (_, said) = start(&scratch);
        assert!(said.here.is_empty() && said.due.is_empty());
        assert_eq!(said.life.next, 42);
    }
}
