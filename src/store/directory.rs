//! The data directory.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::backup::{MANIFEST, RESTORING};
use super::ended::EndedLog;
use super::error::StoreError;
use super::files;
use super::journal::{self, Journal, Journaled};
use super::lock::Lock;

const KEY_BYTES: usize = 32;
/// The file of the journal.
pub(super) const JOURNAL: &str = "journal";
/// The file of the lock.
pub(super) const LOCK: &str = "lock";

/// The directory that keeps what must survive a restart.
///
/// | file | holds | written |
/// |---|---|---|
/// | `signing-key` | 64 hexadecimal digits and a newline, mode 0600: a secret | once, on the first start |
/// | `ended-tokens` | a JSON record a line, see [`EndedLog`] | at each ending of tokens |
/// | `pushgate.db` | the database, a file of SQLite; see [`Sqlite`](super::Sqlite) | at each change of the topics |
/// | `pushgate.db-reached` | how far each durable channel has come, 8 bytes each, the lowest first | after each commit |
/// | `journal` | a JSON record a line, see [`Journal`] | as clients come and go, where that is of use |
/// | `clock` | milliseconds since the epoch, and a newline | at each [`write_time`](Self::write_time) |
/// | `lock` | the id of the process that uses it; see [`Lock`] | at each start |
/// | `restoring` | nothing: no gateway starts where it is | while [`restore`](super::restore) fills the directory |
///
/// Clones speak of one directory. One process at a time uses it: the one that has its
/// [`lock`](Self::lock).
///
/// Waits: every method waits for the disk, so async callers use `spawn_blocking`.
///
/// Source: robustness.md trap 8 and A3; design.md, `store`.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: Arc<Path>,
    /// Held while the file `clock` is replaced.
    clock: Arc<Mutex<()>>,
}

impl DataDir {
    /// The directory at `path`, made with mode 0700 if missing.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be made, or is something else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let missing = !path.exists();
        let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
        created.map_err(StoreError::io("create", path))?;
        if missing {
            // Only tried: a parent that we may not read is no reason not to start.
            let _ = files::sync_parent(path);
        }
        Ok(Self { path: Arc::from(path), clock: Arc::default() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The right to use it, for as long as it is held.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it; [`StoreError::HalfRestored`] where a restore was
    /// ended, [`StoreError::IsACopy`] where a backup was made: what is there is not to be used.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        // Looked at before, too: a copy stays as it is.
        self.refuse_a_copy()?;
        let lock = self.lock_unlooked()?;
        if self.file(RESTORING).exists() {
            return Err(StoreError::HalfRestored { path: self.path.to_path_buf() });
        }
        self.refuse_a_copy()?;
        Ok(lock)
    }

    fn refuse_a_copy(&self) -> Result<(), StoreError> {
        if self.file(MANIFEST).exists() {
            return Err(StoreError::IsACopy { path: self.path.to_path_buf() });
        }
        Ok(())
    }

    /// The same, whatever is there.
    pub(super) fn lock_unlooked(&self) -> Result<Lock, StoreError> {
        Lock::take(&self.file(LOCK))
    }

    /// The key that tokens are signed with: 32 bytes, made from the system's generator on the first start.
    ///
    /// Several processes that start at once get the same one. A file that others may read is
    /// taken from them.
    ///
    /// # Errors
    /// [`StoreError::NotAKey`] if the file holds something else, which is then left as it is;
    /// [`StoreError::Io`] if it cannot be read or made.
    ///
    /// # Panics
    /// If the operating system gives no randomness, without which no key may be made.
    pub fn signing_key(&self) -> Result<Vec<u8>, StoreError> {
        let path = self.file("signing-key");
        if let Some(text) = files::read_small(&path)? {
            return use_key(&path, &text);
        }
        let key: [u8; KEY_BYTES] = random();
        let nobodys = hex(&random::<8>());
        let draft = self.file(&format!("signing-key.{nobodys}.tmp"));
        if files::create(&path, &draft, format!("{}\n", hex(&key)).as_bytes())? {
            return Ok(key.to_vec());
        }
        // Another process was first, and its key is the one.
        let text = files::read_small(&path)?.unwrap_or_default();
        use_key(&path, &text)
    }

    /// The record of ended tokens, with what it holds; see [`EndedLog`].
    ///
    /// # Errors
    /// [`StoreError::NotARecord`] if a line that is not the last one is damaged;
    /// [`StoreError::NotATime`] as in [`latest_time`](Self::latest_time); [`StoreError::Io`].
    pub fn ended_tokens(&self) -> Result<EndedLog, StoreError> {
        EndedLog::open(self.clone(), self.file("ended-tokens"))
    }

    /// The journal, and what it says; see [`Journal`].
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be read.
    pub fn journal(&self) -> Result<(Journal, Journaled), StoreError> {
        Journal::open(self.file(JOURNAL))
    }

    /// Has the journal say nothing of who was here, since nobody writes to it for now.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn forget_journal(&self) -> Result<(), StoreError> {
        journal::forget(&self.file(JOURNAL))
    }

    /// The latest time that was written down, in milliseconds since the epoch; none on a first start.
    ///
    /// # Errors
    /// [`StoreError::NotATime`] if the file holds something else; [`StoreError::Io`] if it cannot be read.
    pub fn latest_time(&self) -> Result<Option<u64>, StoreError> {
        let path = self.file("clock");
        let Some(text) = files::read_small(&path)? else {
            return Ok(None);
        };
        let digits = text.strip_suffix('\n').unwrap_or(&text);
        match digits.parse() {
            Ok(millis) => Ok(Some(millis)),
            Err(_) => Err(StoreError::NotATime { path }),
        }
    }

    /// Writes a time down, in milliseconds since the epoch; it is on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be written; the time written before is kept then.
    pub fn write_time(&self, millis: u64) -> Result<(), StoreError> {
        let _alone = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        files::replace(&self.file("clock"), format!("{millis}\n").as_bytes())
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        self.file("pushgate.db")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn use_key(path: &Path, text: &str) -> Result<Vec<u8>, StoreError> {
    let digits = text.strip_suffix('\n').unwrap_or(text);
    let key = unhex(digits).filter(|key| key.len() == KEY_BYTES);
    let key = key.ok_or_else(|| StoreError::NotAKey { path: path.to_owned() })?;
    files::tighten(path)?;
    Ok(key)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("a system that runs us has a random generator");
    bytes
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).expect("half a byte is below 16")
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let mut digits = digits.chars();
    let mut bytes = Vec::with_capacity(KEY_BYTES);
    while let Some(high) = digits.next() {
        let (high, low) = (high.to_digit(16)?, digits.next()?.to_digit(16)?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use super::super::scratch::Scratch;
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_missing_directory_is_made_for_its_owner_alone() {
        let scratch = Scratch::new();
        let path = scratch.0.join("a/b");
        DataDir::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_refused_by_name() {
        let scratch = Scratch::new();
        scratch.write("data", b"");
        for path in [scratch.0.join("data"), scratch.0.join("data/deeper")] {
            let error = DataDir::open(&path).unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn the_key_is_made_once_and_is_for_its_owner_alone() {
        let scratch = Scratch::new();
        let key = scratch.open().signing_key().unwrap();
        assert_eq!(key.len(), 32);
        assert_eq!(scratch.open().signing_key().unwrap(), key);
        assert_eq!(mode(&scratch.0.join("signing-key")), 0o600);
        let text = scratch.read("signing-key");
        assert_eq!(text.len(), 65);
        assert_eq!(text.trim_end(), hex(&key));
        assert_eq!(scratch.names(), ["signing-key"]);
        assert_ne!(Scratch::new().open().signing_key().unwrap(), key);
    }

    #[test]
    fn several_that_start_at_once_agree_on_one_key() {
        let scratch = Scratch::new();
        let barrier = Barrier::new(8);
        let start = || {
            let directory = scratch.open();
            barrier.wait();
            directory.signing_key().unwrap()
        };
        std::thread::scope(|scope| {
            let started: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            let keys: Vec<_> = started.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
        });
        assert_eq!(scratch.names(), ["signing-key"]);
    }

    #[test]
    fn a_key_that_others_may_read_is_taken_from_them() {
        let scratch = Scratch::new();
        let path = scratch.0.join("signing-key");
        scratch.write("signing-key", "0f".repeat(32).as_bytes());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(scratch.open().signing_key().unwrap(), [15; 32]);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_by_name_and_kept() {
        let scratch = Scratch::new();
        let long = "0".repeat(5_000);
        let short = "0".repeat(63);
        let wide = "é".repeat(32);
        let doubled = format!("{}\n\n", "0".repeat(64));
        for content in ["", "\n", "secret", &short, &long, &wide, &doubled] {
            scratch.write("signing-key", content.as_bytes());
            let error = scratch.open().signing_key().unwrap_err();
            assert!(matches!(error, StoreError::NotAKey { .. }), "{error}");
            let told = error.to_string();
            assert!(told.contains("signing-key") && !told.contains("secret"), "{told}");
            assert_eq!(scratch.read("signing-key"), content);
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_is_an_error_by_name() {
        let scratch = Scratch::new();
        fs::create_dir(scratch.0.join("signing-key")).unwrap();
        let error = scratch.open().signing_key().unwrap_err();
        assert!(error.to_string().contains("signing-key"), "{error}");
    }

    #[test]
    fn a_directory_that_is_gone_is_an_error_by_name() {
        let scratch = Scratch::new();
        let directory = scratch.open();
        fs::remove_dir(&scratch.0).unwrap();
        let path = scratch.0.to_str().unwrap();
        for error in [directory.signing_key().unwrap_err(), directory.write_time(5).unwrap_err()] {
            assert!(error.to_string().contains(path), "{error}");
        }
    }

    #[test]
    fn the_time_survives_a_restart() {
        let scratch = Scratch::new();
        assert_eq!(scratch.open().latest_time().unwrap(), None);
        scratch.open().write_time(1_700_000_000_123).unwrap();
        scratch.open().write_time(1_700_000_000_456).unwrap();
        assert_eq!(scratch.open().latest_time().unwrap(), Some(1_700_000_000_456));
        assert_eq!(scratch.read("clock"), "1700000000456\n");
        assert_eq!(scratch.names(), ["clock"]);
    }

    #[test]
    fn a_draft_left_by_a_crash_is_no_hindrance() {
        let scratch = Scratch::new();
        scratch.write("clock", b"100\n");
        scratch.write("clock.tmp", b"1");
        assert_eq!(scratch.open().latest_time().unwrap(), Some(100));
        scratch.open().write_time(200).unwrap();
        assert_eq!(scratch.open().latest_time().unwrap(), Some(200));
        assert_eq!(scratch.names(), ["clock"]);
    }

    #[test]
    fn a_file_that_holds_no_time_is_refused_by_name() {
        let scratch = Scratch::new();
        for content in ["", "\n", "soon\n", "-1\n", "1.5\n", "99999999999999999999999\n"] {
            scratch.write("clock", content.as_bytes());
            let error = scratch.open().latest_time().unwrap_err();
            assert!(matches!(error, StoreError::NotATime { .. }), "{error}");
            assert!(error.to_string().contains("clock"), "{error}");
        }
    }

    #[test]
    fn several_that_write_the_time_at_once_leave_one_of_them() {
        let scratch = Scratch::new();
        let directory = scratch.open();
        let write = |millis| directory.write_time(millis).unwrap();
        std::thread::scope(|scope| {
            (1..=8).for_each(|millis| drop(scope.spawn(move || write(millis))));
        });
        assert!((1..=8).contains(&directory.latest_time().unwrap().unwrap()));
        assert_eq!(scratch.names(), ["clock"]);
    }
}
