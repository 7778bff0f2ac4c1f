//! How far each durable channel had come when its posts were answered, in a file beside the database.
//!
//! SQLite takes a log that ends early for one whose last commits never came to their end, and a database
//! of yesterday for that of today. So what was answered is written down a second time: a number of eight
//! bytes for each channel, the lowest first, at eight times its id. Written after the sync and not
//! synced itself, it says never more than was on disk, and a process that is killed loses nothing of it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::Connection;

use super::copy::kept_log;
use super::log::{beside, log_of};
use super::messages::{self, Reach};
use super::open::Unfit;

/// Bytes of a number.
const NUMBER: u64 = 8;
/// Ids from here on have no number: the file would become long.
const MOST: u64 = 1 << 20;

/// The file; none of a database in memory, or where none can be made.
#[derive(Debug, Default)]
pub(super) struct Reached(Option<File>);

impl Reached {
    /// Opens the file of the database at `path`, which `connection` speaks to, and has each channel begin
    /// anew that had come further than the database knows: who had what is gone is told a gap.
    pub(super) fn open(path: &Path, connection: &mut Connection) -> Result<Self, Unfit> {
        let name = beside(path, "-reached");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let (mut file, channels) = match (options.open(&name), messages::reached(connection)) {
            (Ok(file), Ok(channels)) => (file, channels),
            (Err(why), _) => {
                tracing::warn!(%why, file = %name.display(), "what is lost of the database cannot be noticed");
                return Ok(Self(None));
            }
            // Reading finds it again, and tells.
            (Ok(file), Err(error)) => {
                tracing::error!(%error, file = %path.display(), "the database cannot be read");
                return Ok(Self(Some(file)));
            }
        };
        let broken = |why: io::Error| Unfit::Other(format!("{}: {why}", name.display()));
        let said = read(&mut file).map_err(broken)?;
        begin_anew_where_short(path, connection, (&said, &channels))?;
        let now = bytes(&channels);
        if said != now {
            file.set_len(0).and_then(|()| file.write_all_at(&now, 0)).map_err(broken)?;
            file.sync_data().map_err(broken)?;
        }
        Ok(Self(Some(file)))
    }

    /// The channel of this id has come to `last`, and that is on disk.
    pub(super) fn note(&self, id: u64, last: u64) {
        let Self(Some(file)) = self else { return };
        if id < MOST
            && let Err(why) = file.write_all_at(&last.to_le_bytes(), id * NUMBER)
        {
            tracing::debug!(%why, id, "what a channel has come to is not written down");
        }
    }
}

fn begin_anew_where_short(
    path: &Path,
    connection: &mut Connection,
    (said, channels): (&[u8], &[Reach]),
) -> Result<(), Unfit> {
    let mut said: HashMap<u64, u64> =
        (0..).zip(numbers(said)).filter(|(_, last)| *last > 0).collect();
    let (mut short, mut lost) = (Vec::new(), 0);
    for Reach { id, name, last } in channels {
        let missing = said.remove(id).unwrap_or(0).saturating_sub(*last);
        if missing > 0 {
            short.push(name.as_str());
            lost += missing;
        }
    }
    let (file, gone) = (path.display(), said.len());
    if gone > 0 {
        tracing::error!(%file, channels = gone, "durable channels are gone that were in the database");
    }
    if short.is_empty() {
        return Ok(());
    }
    let channels = short.len();
    tracing::error!(%file, channels, lost, "posts that were answered are in the database no more");
    let log = log_of(path);
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let copy = kept_log(path);
        let kept = fs::copy(&log, &copy);
        kept.map_err(|why| Unfit::Other(format!("its log cannot be kept: {why}")))?;
        tracing::error!(copy = %copy.display(), "the log is kept as it was");
    }
    let transaction = connection.transaction()?;
    messages::begin_anew(&transaction, short.into_iter())?;
    transaction.commit()?;
    tracing::error!(%file, channels, "these channels begin anew");
    Ok(())
}

/// What the file says of the ids that it may have.
fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MOST * NUMBER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number))
}

/// What the file is to say.
fn bytes(channels: &[Reach]) -> Vec<u8> {
    let ours = || channels.iter().filter(|channel| channel.id < MOST);
    let count = ours().map(|channel| channel.id + 1).max().unwrap_or(0);
    let mut numbers = vec![0; usize::try_from(count).unwrap_or(0)];
    for channel in ours() {
        if let Some(number) = usize::try_from(channel.id).ok().and_then(|id| numbers.get_mut(id)) {
            *number = channel.last;
        }
    }
    numbers.into_iter().flat_map(u64::to_le_bytes).collect()
}
