//! The write-ahead log of a file of SQLite, as a process finds it that did not write it.
//!
//! SQLite reads a log up to the first frame that makes no sense, and takes what follows for a commit
//! that never came to its end. After a damaged byte that follows commits which did: so it is looked
//! first. Source: SQLite, file format, section 4, "The Write-Ahead Log".

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How a log begins; the last bit says in which order of bytes its checksums are made.
const MAGIC: u32 = 0x377f_0682;
const HEADER: usize = 32;
const FRAME: usize = 24;
/// Where a database says how long its pages are; 1 is 65 536 bytes. Source: SQLite, file format, section 1.3.2.
const PAGE_LENGTH: u64 = 16;
const LONGEST_PAGE: usize = 65_536;

/// A log that was damaged behind what can be read of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Damage {
    /// Where the first frame begins that makes no sense, in bytes.
    pub(super) at: usize,
    /// How many commits follow it at the least.
    pub(super) commits: usize,
}

/// Where the log of the file at `path` is.
pub(super) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The file whose name is that of `path` and `ending`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What is damaged of the log of the file at `path`; none if nothing is, or if there is no log.
pub(super) fn damage(path: &Path) -> io::Result<Option<Damage>> {
    let found = look(path)?;
    // Another program may have been at it.
    Ok(if found.is_some() && look(path)? == found { found } else { None })
}

fn look(path: &Path) -> io::Result<Option<Damage>> {
    match File::open(log_of(path)) {
        Ok(log) => read(BufReader::new(log), page_length(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How long the pages of the file at `path` are, as far as that can be read.
fn page_length(path: &Path) -> Option<usize> {
    let mut length = [0; 2];
    File::open(path).ok()?.read_exact_at(&mut length, PAGE_LENGTH).ok()?;
    match usize::from(u16::from_be_bytes(length)) {
        1 => Some(LONGEST_PAGE),
        length => Some(length).filter(|length| *length >= 512),
    }
}

/// Reads frames as SQLite does, and goes on behind the first that makes no sense.
///
/// A commit is begun once the one before it is on disk. So where frames of two commits lie behind, the
/// first of the two was there, and is lost. Those of one may be of a commit that never came to its end.
fn read(mut log: impl Read, page_length: Option<usize>) -> io::Result<Option<Damage>> {
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let said = usize::try_from(word(&header, 8)).unwrap_or(0);
    let Some(length) = page_length.or(Some(said).filter(|said| *said <= LONGEST_PAGE)) else {
        return Ok(None);
    };
    let mut sum = Sum::new(word(&header, 0));
    sum.add(header.get(..24).unwrap_or_default());
    let mut is_sound = word(&header, 0) & !1 == MAGIC && said == length && sum.is(&header, 24);
    // Of a header that makes no sense the salts make none.
    let mut salts = is_sound.then(|| word(&header, 16)).zip(Some(word(&header, 20)));
    let (mut place, mut damage) = (HEADER, Damage { at: 0, commits: 0 });
    let mut frame = vec![0; FRAME + length];
    while fill(&mut log, &mut frame)? {
        let (head, page) = frame.split_at(FRAME);
        let own = (word(head, 8), word(head, 12));
        let is_ours = *salts.get_or_insert(own) == own;
        if is_sound {
            sum.add(head.get(..8).unwrap_or_default());
            sum.add(page);
            is_sound = is_ours && sum.is(head, 16);
            damage.at = place;
        }
        if !is_sound && is_ours && word(head, 4) > 0 {
            damage.commits += 1;
        }
        place += frame.len();
    }
    Ok((damage.commits > 1).then_some(damage))
}

/// Whether there was as much as `buffer` holds.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The number of four bytes at `place`, the highest first.
fn word(bytes: &[u8], place: usize) -> u32 {
    let four = bytes.get(place..).and_then(|rest| rest.first_chunk());
    four.copied().map_or(0, u32::from_be_bytes)
}

/// The checksum of all that came until now. Source: SQLite, file format, section 4.2.
struct Sum {
    is_big: bool,
    sums: (u32, u32),
}

impl Sum {
    const fn new(magic: u32) -> Self {
        Self { is_big: magic & 1 == 1, sums: (0, 0) }
    }

    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.sums;
        for pair in bytes.chunks_exact(8) {
            let (one, other) = (word(pair, 0), word(pair, 4));
            let swap = |word: u32| if self.is_big { word } else { word.swap_bytes() };
            first = first.wrapping_add(swap(one)).wrapping_add(second);
            second = second.wrapping_add(swap(other)).wrapping_add(first);
        }
        self.sums = (first, second);
    }

    /// Whether it is the one that stands at `place`.
    fn is(&self, bytes: &[u8], place: usize) -> bool {
        self.sums == (word(bytes, place), word(bytes, place + 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::scratch::Scratch;
    use rusqlite::Connection;

    const PAGE: usize = 4096;

    /// A log of `commits`, each of some frames, as it is on disk.
    fn log(commits: usize) -> Vec<u8> {
        let scratch = Scratch::new();
        let path = scratch.0.join("test.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        connection.execute_batch("CREATE TABLE t (text TEXT)").unwrap();
        let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(empty, [], |_| Ok(())).unwrap();
        for _ in 0..commits {
            connection.execute("INSERT INTO t VALUES (?1)", ["x".repeat(3 * PAGE)]).unwrap();
        }
        let log = std::fs::read(log_of(&path)).unwrap();
        assert_eq!((log.len() - HEADER) % (FRAME + PAGE), 0);
        log
    }

    fn found(log: &[u8]) -> Option<usize> {
        read(log, Some(PAGE)).unwrap().map(|damage| damage.at)
    }

    /// Where each frame begins, and whether it ends a commit.
    fn frames(log: &[u8]) -> Vec<(usize, bool)> {
        let places = (HEADER..log.len()).step_by(FRAME + PAGE);
        places.map(|place| (place, word(log, place + 4) > 0)).collect()
    }

    #[test]
    fn a_log_is_sound_that_ends_anywhere() {
        let log = log(6);
        for end in (0..=log.len()).step_by(997).chain([log.len()]) {
            assert_eq!(found(&log[..end]), None, "{end} of {}", log.len());
        }
    }

    #[test]
    fn a_byte_that_changed_before_commits_that_came_to_their_end_is_damage() {
        let log = log(6);
        let frames = frames(&log);
        let last_two = frames.iter().rev().filter(|(_, ends)| *ends).nth(2).unwrap().0;
        for (place, _) in frames {
            for byte in [5, 17, FRAME, FRAME + PAGE / 2, FRAME + PAGE - 1] {
                let mut log = log.clone();
                log[place + byte] ^= 0xff;
                let is_behind = place > last_two;
                assert!(is_behind || found(&log) == Some(place), "byte {byte} of {place}");
            }
        }
        // Magic, version, length of a page, number of the log, salts, sums.
        for byte in 0..HEADER {
            let mut headless = log.clone();
            headless[byte] ^= 0x11;
            assert_eq!(found(&headless), Some(0), "byte {byte} of the header");
        }
    }

    #[test]
    fn a_commit_of_which_any_part_is_missing_is_none() {
        let log = log(3);
        let frames = frames(&log);
        let begin = frames.iter().rev().filter(|(_, ends)| *ends).nth(1).unwrap().0 + FRAME + PAGE;
        for (place, _) in frames.into_iter().filter(|(place, _)| *place >= begin) {
            let mut log = log.clone();
            log[place..place + FRAME + PAGE].fill(0);
            assert_eq!(found(&log), None, "{place}");
        }
    }

    #[test]
    fn what_is_left_of_an_earlier_log_is_nothing() {
        let (mut log, earlier) = (log(2), super::tests::log(5));
        log.extend_from_slice(&earlier[log.len()..]);
        assert_eq!(found(&log), None);
    }
}
