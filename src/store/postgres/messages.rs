//! Durable channels in PostgreSQL.

use tokio_postgres::{Client, Error, Row, Transaction};

use super::super::database::{Loaded, Retried, Window};
use crate::channel::{ChannelName, Epoch, Position, Retry, Stored};

/// How many messages are forgotten at a time.
const TRIMMED: i64 = 500;

/// Takes back what was written down of a channel beyond `offset`, by a commit of which nobody knows
/// whether it was made.
pub(super) async fn take_back(
    transaction: &Transaction<'_>,
    channel: &str,
    offset: u64,
) -> Result<(), Error> {
    let forget = "DELETE FROM pushgate_messages WHERE number > $2 AND channel = \
                  (SELECT id FROM pushgate_channels WHERE name = $1)";
    transaction.execute(forget, &[&channel, &whole(offset)]).await?;
    let back = "UPDATE pushgate_channels SET last = least(last, $2), bytes = \
                (SELECT coalesce(sum(octet_length(message)), 0) FROM pushgate_messages \
                 WHERE channel = pushgate_channels.id) WHERE name = $1";
    transaction.execute(back, &[&channel, &whole(offset)]).await?;
    Ok(())
}

/// A channel, and what is kept of it.
pub(super) async fn load(
    client: &Client,
    channel: &ChannelName,
    window: &Window,
) -> Result<Option<Loaded>, Error> {
    let find = "SELECT id, epoch, last FROM pushgate_channels WHERE name = $1";
    let Some(row) = client.query_opt(find, &[&channel.as_str()]).await? else {
        return Ok(None);
    };
    let (id, last) = (row.try_get::<_, i64>(0)?, position(&row, 1, 2)?);
    let newest = "SELECT number, accepted, sender, message, \
                         retry_key, retry_body, retry_datetime, retry_ip \
                  FROM pushgate_messages WHERE channel = $1 AND number < $2 \
                  ORDER BY number DESC LIMIT $3";
    let (below, count) = window.rows();
    let rows = client.query(newest, &[&id, &below, &count]).await?;
    let newest = rows.iter().map(|row| stored(row, last.epoch));
    Ok(Some(Loaded::of(last, window, newest)?))
}

/// The keys of posts accepted after `since`, newest first.
pub(super) async fn retries(
    client: &Client,
    channel: &ChannelName,
    since: u64,
) -> Result<Vec<Retried>, Error> {
    let newest = "SELECT number, accepted, sender, '', \
                         retry_key, retry_body, retry_datetime, retry_ip, epoch \
                  FROM pushgate_messages JOIN pushgate_channels ON id = channel \
                  WHERE name = $1 AND accepted > $2 AND retry_key IS NOT NULL \
                  ORDER BY number DESC";
    let rows = client.query(newest, &[&channel.as_str(), &whole(since)]).await?;
    let mut retries = Vec::new();
    for row in &rows {
        let Stored { position, at, sender, retry, .. } = stored(row, position(row, 8, 0)?.epoch)?;
        retries.extend(retry.map(|retry| Retried { position, sender, at, retry }));
    }
    Ok(retries)
}

/// Forgets the oldest that lie outside of `window`, at most so many; whether that was all.
pub(super) async fn trim(
    transaction: &Transaction<'_>,
    channel: &ChannelName,
    window: &Window,
) -> Result<bool, Error> {
    let find = "SELECT id, last, bytes FROM pushgate_channels WHERE name = $1 FOR UPDATE";
    let Some(row) = transaction.query_opt(find, &[&channel.as_str()]).await? else {
        return Ok(true);
    };
    let (id, last, mut bytes) = (row.try_get::<_, i64>(0)?, number(&row, 1)?, number(&row, 2)?);
    let oldest = "SELECT number, accepted, octet_length(message)::bigint, retry_key IS NOT NULL \
                  FROM pushgate_messages \
                  WHERE channel = $1 ORDER BY number LIMIT $2";
    let (mut below, mut count) = (0, 0);
    for row in transaction.query(oldest, &[&id, &TRIMMED]).await? {
        let (place, at, length) = (number(&row, 0)?, number(&row, 1)?, number(&row, 2)?);
        let is_retried = row.try_get::<_, bool>(3)? && at > window.retries_since();
        if is_retried || !window.is_past(last, place, at, bytes) {
            break;
        }
        (below, count, bytes) = (place + 1, count + 1, bytes.saturating_sub(length));
    }
    if count > 0 {
        let forget = "DELETE FROM pushgate_messages WHERE channel = $1 AND number < $2";
        transaction.execute(forget, &[&id, &whole(below)]).await?;
        let shrink = "UPDATE pushgate_channels SET bytes = $2 WHERE id = $1";
        transaction.execute(shrink, &[&id, &whole(bytes)]).await?;
    }
    Ok(count < TRIMMED)
}

/// Forgets all that was said on a channel; the offset of the newest of it.
pub(super) async fn forget(
    transaction: &Transaction<'_>,
    channel: &ChannelName,
) -> Result<u64, Error> {
    let find = "UPDATE pushgate_channels SET bytes = 0 WHERE name = $1 RETURNING id, last";
    let Some(row) = transaction.query_opt(find, &[&channel.as_str()]).await? else {
        return Ok(0);
    };
    let (id, last) = (row.try_get::<_, i64>(0)?, number(&row, 1)?);
    transaction.execute("DELETE FROM pushgate_messages WHERE channel = $1", &[&id]).await?;
    Ok(last)
}

/// The names of all channels.
pub(super) async fn channels(client: &Client) -> Result<Vec<String>, Error> {
    let rows = client.query("SELECT name FROM pushgate_channels ORDER BY name", &[]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

fn stored(row: &Row, epoch: Epoch) -> Result<Stored, Error> {
    let retry = match row.try_get::<_, Option<String>>(4)? {
        None => None,
        Some(key) => {
            let body = row.try_get::<_, Vec<u8>>(5)?.try_into().unwrap_or([0; 32]);
            Some(Retry { key, body, datetime: row.try_get(6)?, ip: row.try_get(7)? })
        }
    };
    Ok(Stored {
        position: Position { epoch, offset: number(row, 0)? },
        at: number(row, 1)?,
        sender: row.try_get(2)?,
        plain: row.try_get::<_, String>(3)?.into(),
        retry,
    })
}

/// The position in these columns of a row.
pub(super) fn position(row: &Row, epoch: usize, offset: usize) -> Result<Position, Error> {
    // What is no epoch is none that anybody has: every position of it is a gap.
    let epoch = Epoch::parse(row.try_get(epoch)?).unwrap_or_else(|| Epoch::from_random(0));
    Ok(Position { epoch, offset: number(row, offset)? })
}

fn number(row: &Row, column: usize) -> Result<u64, Error> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
}

/// A number as the database counts.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
