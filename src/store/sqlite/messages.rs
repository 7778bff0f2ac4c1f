//! Durable channels in SQLite.

use std::collections::HashMap;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::database::{Append, Entry, Erasure, Keys, Loaded, Retried, Window, new_epoch};
use crate::channel::{ChannelName, Epoch, Position, Retry, Stored};

/// How many posts are looked through at a time for their keys.
const KEYS: i64 = 1000;
/// How many messages are forgotten at a time.
const TRIMMED: usize = 500;

/// The channels that a commit writes to, whose rows are written once.
#[derive(Debug, Default)]
pub(super) struct Rows {
    open: HashMap<String, ChannelRow>,
    /// Ids and newest offsets of those that were written.
    pub(super) settled: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct ChannelRow {
    id: i64,
    last: Position,
    /// How many bytes came.
    more: i64,
}

impl Rows {
    /// The row of a channel, read or made where this commit has not had it yet.
    fn of(&mut self, connection: &Connection, entry: &Entry<'_>) -> rusqlite::Result<ChannelRow> {
        let name = entry.channel.as_str();
        if let Some(row) = self.open.get(name) {
            return Ok(*row);
        }
        let find = "SELECT id, epoch, last FROM pushgate_channels WHERE name = ?1";
        let found = connection
            .prepare_cached(find)?
            .query_row([name], |row| Ok((row.get(0)?, position(row, 1, 2)?)))
            .optional()?;
        let (id, last) = if let Some(found) = found {
            found
        } else {
            let Position { epoch, offset } = entry.known;
            let make = "INSERT INTO pushgate_channels (name, epoch, last, bytes) \
                        VALUES (?1, ?2, ?3, 0)";
            let id = connection.prepare_cached(make)?.insert(params![
                name,
                epoch.to_string(),
                whole(offset)
            ])?;
            (id, entry.known)
        };
        Ok(ChannelRow { id, last, more: 0 })
    }

    /// Writes the rows. Before anything else than publications is written, and before the commit.
    pub(super) fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let grow = "UPDATE pushgate_channels SET last = ?2, bytes = bytes + ?3 WHERE id = ?1";
        for (_, ChannelRow { id, last, more }) in self.open.drain() {
            connection.prepare_cached(grow)?.execute(params![id, whole(last.offset), more])?;
            self.settled.extend(u64::try_from(id).map(|id| (id, last.offset)));
        }
        Ok(())
    }
}

/// Writes a publication down and gives it its place, which `rows` is to settle.
pub(super) fn append(
    connection: &Connection,
    rows: &mut Rows,
    append: &mut dyn Append,
) -> rusqlite::Result<Position> {
    let entry = append.entry();
    let (mut row, name) = (rows.of(connection, &entry)?, entry.channel.as_str().to_owned());
    row.last.offset += 1;
    let message = append.render(row.last);
    let Entry { sender, at, retry, .. } = append.entry();
    let keep = "INSERT INTO pushgate_messages \
                (channel, number, accepted, sender, message, \
                 retry_key, retry_body, retry_datetime, retry_ip) \
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    connection.prepare_cached(keep)?.execute(params![
        row.id,
        whole(row.last.offset),
        whole(at),
        sender,
        String::from_utf8_lossy(&message),
        retry.map(|retry| retry.key.as_str()),
        retry.map(|retry| retry.body.as_slice()),
        retry.map(|retry| retry.datetime.as_str()),
        retry.map(|retry| retry.ip.as_str()),
    ])?;
    row.more += length(&message);
    rows.open.insert(name, row);
    Ok(row.last)
}

/// Takes back what was written down of a channel beyond `offset`, by a commit of which nobody knows
/// whether it was made.
pub(super) fn take_back(
    connection: &Connection,
    channel: &str,
    offset: u64,
) -> rusqlite::Result<()> {
    let forget = "DELETE FROM pushgate_messages WHERE number > ?2 AND channel = \
                  (SELECT id FROM pushgate_channels WHERE name = ?1)";
    connection.execute(forget, params![channel, whole(offset)])?;
    // What gets these places later is not forgotten.
    let back = "UPDATE pushgate_channels \
                SET last = min(last, ?2), forgotten = min(forgotten, ?2), bytes = \
                (SELECT coalesce(sum(octet_length(message)), 0) FROM pushgate_messages \
                 WHERE channel = pushgate_channels.id) WHERE name = ?1";
    connection.execute(back, params![channel, whole(offset)])?;
    Ok(())
}

/// A channel, and what is kept of it.
pub(super) fn load(
    connection: &Connection,
    channel: &ChannelName,
    window: &Window,
) -> rusqlite::Result<Option<Loaded>> {
    let find = "SELECT id, epoch, last, forgotten FROM pushgate_channels WHERE name = ?1";
    let found = connection
        .prepare_cached(find)?
        .query_row([channel.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, position(row, 1, 2)?, row.get::<_, i64>(3)?))
        })
        .optional()?;
    let Some((id, last, forgotten)) = found else {
        return Ok(None);
    };
    let newest = "SELECT number, accepted, sender, message, \
                         retry_key, retry_body, retry_datetime, retry_ip \
                  FROM pushgate_messages WHERE channel = ?1 AND number < ?2 AND number > ?4 \
                  ORDER BY number DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(newest)?;
    let (below, count) = window.rows();
    let wanted = params![id, below, count, forgotten];
    let newest = statement.query_map(wanted, |row| served(row, last.epoch))?;
    Loaded::of(last, window, newest).map(Some)
}

/// The keys of posts accepted after `since`, below a number, newest first: those of so many posts.
pub(super) fn retries(
    connection: &Connection,
    channel: &ChannelName,
    (since, below): (u64, u64),
) -> rusqlite::Result<Keys> {
    let newest = "SELECT number, accepted, sender, '', \
                         retry_key, retry_body, retry_datetime, retry_ip, epoch \
                  FROM pushgate_messages JOIN pushgate_channels ON id = channel \
                  WHERE name = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(newest)?;
    let mut rows = statement.query(params![channel.as_str(), whole(below), KEYS])?;
    let mut found = Keys::default();
    while let Some(row) = rows.next()? {
        let Stored { position, at, sender, retry, .. } = stored(row, position(row, 8, 0)?.epoch)?;
        if at <= since {
            return Ok(Keys { below: None, ..found });
        }
        found.below = Some(position.offset);
        found.keys.extend(retry.map(|retry| Retried { position, sender, at, retry }));
    }
    Ok(found)
}

/// Deletes the oldest that were forgotten or lie outside of `window`, at most so many; whether that was
/// all.
pub(super) fn trim(
    connection: &Connection,
    channel: &ChannelName,
    window: &Window,
) -> rusqlite::Result<bool> {
    let find = "SELECT id, last, bytes, forgotten FROM pushgate_channels WHERE name = ?1";
    let found = connection
        .prepare_cached(find)?
        .query_row([channel.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?))
        })
        .optional()?;
    let Some((id, last, mut bytes, forgotten)) = found else {
        return Ok(true);
    };
    let oldest = "SELECT number, accepted, octet_length(message), retry_key IS NOT NULL \
                  FROM pushgate_messages \
                  WHERE channel = ?1 ORDER BY number LIMIT ?2";
    let mut statement = connection.prepare_cached(oldest)?;
    let mut rows = statement.query(params![id, i64::try_from(TRIMMED).unwrap_or(i64::MAX)])?;
    let (mut below, mut count) = (0, 0);
    while let Some(row) = rows.next()? {
        let (place, at, length) = (number(row, 0)?, number(row, 1)?, number(row, 2)?);
        let is_retried = row.get::<_, bool>(3)? && at > window.retries_since();
        let is_past = place <= forgotten || window.is_past(last, place, at, bytes);
        if is_retried || !is_past {
            break;
        }
        (below, count, bytes) = (place + 1, count + 1, bytes.saturating_sub(length));
    }
    drop(rows);
    if count > 0 {
        let forget = "DELETE FROM pushgate_messages WHERE channel = ?1 AND number < ?2";
        connection.prepare_cached(forget)?.execute(params![id, whole(below)])?;
        let shrink = "UPDATE pushgate_channels SET bytes = ?2 WHERE id = ?1";
        connection.prepare_cached(shrink)?.execute(params![id, whole(bytes)])?;
    }
    Ok(count < TRIMMED)
}

/// Has all that was said on a channel be forgotten; the offset of the newest of it.
pub(super) fn forget(connection: &Connection, channel: &ChannelName) -> rusqlite::Result<u64> {
    let mark = "UPDATE pushgate_channels SET forgotten = last WHERE name = ?1 RETURNING last";
    let mut mark = connection.prepare_cached(mark)?;
    Ok(mark.query_row([channel.as_str()], |row| number(row, 0)).optional()?.unwrap_or(0))
}

/// Deletes the oldest of what was forgotten, at most so many; the offset to go on after, if that was not
/// all. Of a post whose key is remembered only what it said goes.
pub(super) fn erase(
    connection: &Connection,
    channel: &ChannelName,
    erasure: &Erasure,
) -> rusqlite::Result<Option<u64>> {
    let find = "SELECT id FROM pushgate_channels WHERE name = ?1";
    let mut find = connection.prepare_cached(find)?;
    let found = find.query_row([channel.as_str()], |row| row.get::<_, i64>(0)).optional()?;
    let Some(id) = found else {
        return Ok(None);
    };
    let piece = "SELECT count(*), coalesce(max(number), 0), \
                        coalesce(sum(octet_length(message)), 0) FROM \
                     (SELECT number, message FROM pushgate_messages \
                      WHERE channel = ?1 AND number > ?2 AND number <= ?3 \
                      ORDER BY number LIMIT ?4)";
    let most = i64::try_from(TRIMMED).unwrap_or(i64::MAX);
    let (count, end, bytes) = connection
        .prepare_cached(piece)?
        .query_row(params![id, whole(erasure.after), whole(erasure.up_to), most], |row| {
            Ok((row.get::<_, i64>(0)?, number(row, 1)?, row.get::<_, i64>(2)?))
        })?;
    if count > 0 {
        let piece = params![id, whole(erasure.after), whole(end), whole(erasure.retries_since())];
        let empty = "UPDATE pushgate_messages SET message = '' \
                     WHERE channel = ?1 AND number > ?2 AND number <= ?3 \
                     AND retry_key IS NOT NULL AND accepted > ?4 AND message <> ''";
        connection.prepare_cached(empty)?.execute(piece)?;
        let forget = "DELETE FROM pushgate_messages \
                      WHERE channel = ?1 AND number > ?2 AND number <= ?3 \
                      AND (retry_key IS NULL OR accepted <= ?4)";
        connection.prepare_cached(forget)?.execute(piece)?;
        let shrink = "UPDATE pushgate_channels SET bytes = max(bytes - ?2, 0) WHERE id = ?1";
        connection.prepare_cached(shrink)?.execute(params![id, bytes])?;
    }
    Ok((count == most).then_some(end))
}

/// Has the orders of channels begin anew, with the messages that they have.
pub(super) fn begin_anew<'a>(
    connection: &Connection,
    channels: impl Iterator<Item = &'a str>,
) -> rusqlite::Result<()> {
    let mut renew =
        connection.prepare_cached("UPDATE pushgate_channels SET epoch = ?2 WHERE name = ?1")?;
    for name in channels {
        renew.execute(params![name, new_epoch().to_string()])?;
    }
    Ok(())
}

/// How far a channel has come.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) last: u64,
}

/// How far all channels have come.
pub(super) fn reached(connection: &Connection) -> rusqlite::Result<Vec<Reach>> {
    let mut all = connection.prepare("SELECT id, name, last FROM pushgate_channels")?;
    all.query_map([], |row| {
        Ok(Reach { id: number(row, 0)?, name: row.get(1)?, last: number(row, 2)? })
    })?
    .collect()
}

/// The names of all channels.
pub(super) fn channels(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let all = "SELECT name FROM pushgate_channels ORDER BY name";
    connection.prepare_cached(all)?.query_map([], |row| row.get(0))?.collect()
}

/// A message that somebody is to get: so it has to be one. Changed on the disk it may be none, and would
/// make what it is served in unreadable.
pub(super) fn served(row: &Row<'_>, epoch: Epoch) -> rusqlite::Result<Stored> {
    let stored = stored(row, epoch)?;
    match serde_json::from_slice::<serde::de::IgnoredAny>(&stored.plain) {
        Ok(_) => Ok(stored),
        Err(error) => Err(rusqlite::Error::FromSqlConversionFailure(3, Type::Text, error.into())),
    }
}

fn stored(row: &Row<'_>, epoch: Epoch) -> rusqlite::Result<Stored> {
    let key: Option<String> = row.get(4)?;
    let retry = match key {
        None => None,
        Some(key) => {
            let (body, datetime, ip) = (row.get(5)?, row.get(6)?, row.get(7)?);
            Some(Retry { key, body, datetime, ip })
        }
    };
    Ok(Stored {
        position: Position { epoch, offset: number(row, 0)? },
        at: number(row, 1)?,
        sender: row.get(2)?,
        plain: row.get::<_, String>(3)?.into(),
        retry,
    })
}

pub(super) fn position(row: &Row<'_>, epoch: usize, offset: usize) -> rusqlite::Result<Position> {
    let text: String = row.get(epoch)?;
    let wrong = || rusqlite::Error::InvalidColumnType(epoch, text.clone(), Type::Text);
    Ok(Position { epoch: Epoch::parse(&text).ok_or_else(wrong)?, offset: number(row, offset)? })
}

pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn length(message: &[u8]) -> i64 {
    i64::try_from(message.len()).unwrap_or(i64::MAX)
}
