//! Durable channels in PostgreSQL.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Transaction};

use super::super::database::{Erasure, Keys, Loaded, Retried, Window, new_epoch};
use crate::channel::{ChannelName, Epoch, Position, Retry, Stored};

/// What a statement is given that is not prepared: one round trip, and not two.
pub(super) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// How many keys are read at a time.
const KEYS: i64 = 1000;
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
    // What gets these places later is not forgotten.
    let back = "UPDATE pushgate_channels \
                SET last = least(last, $2), forgotten = least(forgotten, $2), bytes = \
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
    let find = "SELECT id, epoch, last, forgotten FROM pushgate_channels WHERE name = $1";
    let Some(row) = client.query_typed_opt(find, &[(&channel.as_str(), Type::TEXT)]).await? else {
        return Ok(None);
    };
    let (id, last) = (row.try_get::<_, i64>(0)?, position(&row, 1, 2)?);
    let forgotten = row.try_get::<_, i64>(3)?;
    let newest = "SELECT number, accepted, sender, message, \
                         retry_key, retry_body, retry_datetime, retry_ip \
                  FROM pushgate_messages WHERE channel = $1 AND number < $2 AND number > $4 \
                  ORDER BY number DESC LIMIT $3";
    let (below, count) = window.rows();
    let values: [Value<'_>; 4] =
        [(&id, Type::INT8), (&below, Type::INT8), (&count, Type::INT8), (&forgotten, Type::INT8)];
    let rows = client.query_typed(newest, &values).await?;
    let newest = rows.iter().map(|row| stored(row, last.epoch));
    Ok(Some(Loaded::of(last, window, newest)?))
}

/// The keys of posts accepted after `since`, below a number, newest first: so many of them.
pub(super) async fn retries(
    client: &Client,
    channel: &ChannelName,
    (since, below): (u64, u64),
) -> Result<Keys, Error> {
    let newest = "SELECT number, accepted, sender, '', \
                         retry_key, retry_body, retry_datetime, retry_ip, epoch \
                  FROM pushgate_messages JOIN pushgate_channels ON id = channel \
                  WHERE name = $1 AND accepted > $2 AND number < $3 AND retry_key IS NOT NULL \
                  ORDER BY number DESC LIMIT $4";
    let (name, since, below) = (channel.as_str(), whole(since), whole(below));
    let values: [Value<'_>; 4] =
        [(&name, Type::TEXT), (&since, Type::INT8), (&below, Type::INT8), (&KEYS, Type::INT8)];
    let rows = client.query_typed(newest, &values).await?;
    let mut found = Keys::default();
    for row in &rows {
        let Stored { position, at, sender, retry, .. } = stored(row, position(row, 8, 0)?.epoch)?;
        found.below = Some(position.offset);
        found.keys.extend(retry.map(|retry| Retried { position, sender, at, retry }));
    }
    Ok(found)
}

/// Deletes the oldest that were forgotten or lie outside of `window`, at most so many; whether that was
/// all.
pub(super) async fn trim(
    transaction: &Transaction<'_>,
    channel: &ChannelName,
    window: &Window,
) -> Result<bool, Error> {
    let find = "SELECT id, last, bytes, forgotten FROM pushgate_channels \
                WHERE name = $1 FOR UPDATE";
    let Some(row) = transaction.query_opt(find, &[&channel.as_str()]).await? else {
        return Ok(true);
    };
    let (id, last, mut bytes) = (row.try_get::<_, i64>(0)?, number(&row, 1)?, number(&row, 2)?);
    let forgotten = number(&row, 3)?;
    let oldest = "SELECT number, accepted, octet_length(message)::bigint, retry_key IS NOT NULL \
                  FROM pushgate_messages \
                  WHERE channel = $1 ORDER BY number LIMIT $2";
    let (mut below, mut count) = (0, 0);
    for row in transaction.query(oldest, &[&id, &TRIMMED]).await? {
        let (place, at, length) = (number(&row, 0)?, number(&row, 1)?, number(&row, 2)?);
        let is_retried = row.try_get::<_, bool>(3)? && at > window.retries_since();
        let is_past = place <= forgotten || window.is_past(last, place, at, bytes);
        if is_retried || !is_past {
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

/// Has all that was said on a channel be forgotten; the offset of the newest of it.
pub(super) async fn forget(
    transaction: &Transaction<'_>,
    channel: &ChannelName,
) -> Result<u64, Error> {
    let mark = "UPDATE pushgate_channels SET forgotten = last WHERE name = $1 RETURNING last";
    let row = transaction.query_opt(mark, &[&channel.as_str()]).await?;
    row.map_or(Ok(0), |row| number(&row, 0))
}

/// Deletes the oldest of what was forgotten, at most so many; the offset to go on after, if that was not
/// all. Of a post whose key is remembered only what it said goes.
pub(super) async fn erase(
    transaction: &Transaction<'_>,
    channel: &ChannelName,
    erasure: &Erasure,
) -> Result<Option<u64>, Error> {
    let find = "SELECT id FROM pushgate_channels WHERE name = $1 FOR UPDATE";
    let Some(row) = transaction.query_opt(find, &[&channel.as_str()]).await? else {
        return Ok(None);
    };
    let id = row.try_get::<_, i64>(0)?;
    let (after, up_to) = (whole(erasure.after), whole(erasure.up_to));
    let piece = "SELECT count(*), coalesce(max(number), 0), \
                        coalesce(sum(octet_length(message)), 0)::bigint FROM \
                     (SELECT number, message FROM pushgate_messages \
                      WHERE channel = $1 AND number > $2 AND number <= $3 \
                      ORDER BY number LIMIT $4) AS piece";
    let row = transaction.query_one(piece, &[&id, &after, &up_to, &TRIMMED]).await?;
    let (count, end) = (row.try_get::<_, i64>(0)?, number(&row, 1)?);
    let bytes = row.try_get::<_, i64>(2)?;
    if count > 0 {
        let since = whole(erasure.retries_since());
        let empty = "UPDATE pushgate_messages SET message = '' \
                     WHERE channel = $1 AND number > $2 AND number <= $3 \
                     AND retry_key IS NOT NULL AND accepted > $4 AND message <> ''";
        transaction.execute(empty, &[&id, &after, &whole(end), &since]).await?;
        let forget = "DELETE FROM pushgate_messages \
                      WHERE channel = $1 AND number > $2 AND number <= $3 \
                      AND (retry_key IS NULL OR accepted <= $4)";
        transaction.execute(forget, &[&id, &after, &whole(end), &since]).await?;
        let shrink = "UPDATE pushgate_channels SET bytes = greatest(bytes - $2, 0) WHERE id = $1";
        transaction.execute(shrink, &[&id, &bytes]).await?;
    }
    Ok((count == TRIMMED).then_some(end))
}

/// Has the orders of channels begin anew, with the messages that they have.
pub(super) async fn begin_anew(
    transaction: &Transaction<'_>,
    channels: &[ChannelName],
) -> Result<(), Error> {
    // Who may not write here had no durable channel here.
    let may_write = "SELECT current_setting('transaction_read_only') = 'off' \
                     AND has_table_privilege('pushgate_channels', 'UPDATE')";
    if !transaction.query_one(may_write, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(());
    }
    let names: Vec<_> = channels.iter().map(ChannelName::as_str).collect();
    renew(transaction, &names).await
}

/// Has the order of each of these channels begin anew.
pub(super) async fn renew(transaction: &Transaction<'_>, names: &[&str]) -> Result<(), Error> {
    let epochs: Vec<_> = names.iter().map(|_| new_epoch().to_string()).collect();
    let renew = "UPDATE pushgate_channels AS it SET epoch = new.epoch \
                 FROM unnest($1::text[], $2::text[]) AS new (name, epoch) \
                 WHERE it.name = new.name";
    transaction.execute(renew, &[&names, &epochs]).await?;
    Ok(())
}

/// The names of all channels.
pub(super) async fn channels(client: &Client) -> Result<Vec<String>, Error> {
    let rows = client.query_typed("SELECT name FROM pushgate_channels ORDER BY name", &[]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

pub(super) fn stored(row: &Row, epoch: Epoch) -> Result<Stored, Error> {
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

pub(super) fn number(row: &Row, column: usize) -> Result<u64, Error> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
}

/// A number as the database counts.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
