//! Publications on their way into PostgreSQL: all of a batch in as many round trips as one.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::{join, join_all};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row, Transaction};

use super::super::database::{Append, Entry};
use super::is_refusal;
use super::messages::{Value, position, whole};
use crate::channel::{Position, Retry};

/// A publication that waits for its place.
pub(super) type Post<'a> = &'a mut (dyn Append + 'static);

const FIND: &str = "SELECT name, id, epoch, last FROM pushgate_channels WHERE name = ANY($1) \
                    ORDER BY name FOR UPDATE";
const MAKE: &str = "INSERT INTO pushgate_channels AS it (name, epoch, last, bytes) \
                    SELECT name, epoch, last, 0 \
                    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS new (name, epoch, last) \
                    ON CONFLICT (name) DO UPDATE SET last = it.last \
                    RETURNING name, id, epoch, last";
const KEEP: &str = "INSERT INTO pushgate_messages \
                    (channel, number, accepted, sender, message, \
                     retry_key, retry_body, retry_datetime, retry_ip) \
                    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], \
                     $5::text[], $6::text[], $7::bytea[], $8::text[], $9::text[])";
const GROW: &str = "UPDATE pushgate_channels AS it \
                    SET last = new.last, bytes = it.bytes + new.more \
                    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS new (id, last, more) \
                    WHERE it.id = new.id";
/// One alone, whatever stands in its channel.
const TRY: &str = "WITH place AS ( \
                       INSERT INTO pushgate_channels AS it (name, epoch, last, bytes) \
                       VALUES ($1, $2, $3, 0) \
                       ON CONFLICT (name) DO UPDATE SET last = it.last + 1 RETURNING id, last \
                   ) \
                   INSERT INTO pushgate_messages \
                   (channel, number, accepted, sender, message, \
                    retry_key, retry_body, retry_datetime, retry_ip) \
                   SELECT id, last, $4, $5, $6, $7, $8, $9, $10 FROM place";

/// The row of a channel, held until the commit.
struct ChannelRow {
    id: i64,
    last: Position,
    /// How many bytes came.
    more: i64,
}

/// Rows of messages, by their columns.
#[derive(Default)]
struct Columns<'a> {
    channels: Vec<i64>,
    numbers: Vec<i64>,
    accepted: Vec<i64>,
    senders: Vec<&'a str>,
    messages: Vec<String>,
    keys: Vec<Option<&'a str>>,
    bodies: Vec<Option<&'a [u8]>>,
    datetimes: Vec<Option<&'a str>>,
    ips: Vec<Option<&'a str>>,
}

/// Writes publications down and gives each its place, in their order. Four round trips at the most.
pub(super) async fn append_all(
    transaction: &Transaction<'_>,
    posts: &mut [Post<'_>],
) -> Result<Vec<Position>, Error> {
    let mut rows = rows(transaction, known(posts)).await?;
    let (mut columns, mut places) = (Columns::default(), Vec::new());
    for post in posts {
        // Each that was asked for is there.
        let Some(row) = rows.get_mut(post.entry().channel.as_str()) else { continue };
        row.last.offset += 1;
        let message = post.render(row.last);
        row.more = row.more.saturating_add(i64::try_from(message.len()).unwrap_or(i64::MAX));
        places.push(row.last);
        columns.push(row, &message, post.entry());
    }
    let (kept, grown) = join(columns.keep(transaction), grow(transaction, &rows)).await;
    kept?;
    grown?;
    Ok(places)
}

/// The same, where a rule of the database takes none along that it does not refuse itself; those have no
/// place.
///
/// First each is tried alone, and all of that in one round trip. What is left goes together, and one by
/// one only where a rule has something against that.
pub(super) async fn append_each(
    transaction: &mut Transaction<'_>,
    posts: &mut [Post<'_>],
) -> Result<Vec<Option<Position>>, Error> {
    let accepted = try_each(transaction, posts).await?;
    let mut left = Vec::new();
    for (post, is_accepted) in posts.iter_mut().zip(&accepted) {
        if *is_accepted {
            left.push(&mut **post);
        }
    }
    let mut places = match append_or_not(transaction, &mut left).await? {
        Some(places) => places.into_iter().map(Some).collect(),
        None => one_by_one(transaction, &mut left).await?,
    }
    .into_iter();
    Ok(accepted.into_iter().map(|is| if is { places.next().flatten() } else { None }).collect())
}

async fn one_by_one(
    transaction: &mut Transaction<'_>,
    posts: &mut [Post<'_>],
) -> Result<Vec<Option<Position>>, Error> {
    let mut places = Vec::new();
    for post in posts.chunks_mut(1) {
        let place = append_or_not(transaction, post).await?;
        places.push(place.and_then(|place| place.first().copied()));
    }
    Ok(places)
}

/// All of them, or none where one is refused.
async fn append_or_not(
    transaction: &mut Transaction<'_>,
    posts: &mut [Post<'_>],
) -> Result<Option<Vec<Position>>, Error> {
    let savepoint = transaction.transaction().await?;
    match append_all(&savepoint, posts).await {
        Ok(places) => {
            savepoint.commit().await?;
            Ok(Some(places))
        }
        Err(error) if is_refusal(&error) => {
            savepoint.rollback().await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Which of them are not refused, each alone. Leaves nothing behind.
async fn try_each(
    transaction: &Transaction<'_>,
    posts: &mut [Post<'_>],
) -> Result<Vec<bool>, Error> {
    transaction.batch_execute("SAVEPOINT alone").await?;
    let mut tries = Vec::new();
    for post in posts {
        let known = post.entry().known;
        let next = Position { offset: known.offset + 1, ..known };
        let message = text(&post.render(next));
        let Entry { channel, sender, at, retry, .. } = post.entry();
        let (name, epoch) = (channel.as_str(), next.epoch.to_string());
        tries.push(async move {
            let of = |part: fn(&Retry) -> &str| retry.map(part);
            let (key, body) = (of(|retry| &retry.key), retry.map(|retry| retry.body.as_slice()));
            let (datetime, ip) = (of(|retry| &retry.datetime), of(|retry| &retry.ip));
            let (number, at) = (whole(next.offset), whole(at));
            let values: [Value<'_>; 10] = [
                (&name, Type::TEXT),
                (&epoch, Type::TEXT),
                (&number, Type::INT8),
                (&at, Type::INT8),
                (&sender, Type::TEXT),
                (&message, Type::TEXT),
                (&key, Type::TEXT),
                (&body, Type::BYTEA),
                (&datetime, Type::TEXT),
                (&ip, Type::TEXT),
            ];
            // Both are sent before either is answered, and nothing in between.
            let alone = transaction.execute_typed(TRY, &values);
            let undone = transaction.batch_execute("ROLLBACK TO SAVEPOINT alone");
            let (alone, undone) = join(alone, undone).await;
            undone?;
            match alone {
                Ok(_) => Ok(true),
                Err(error) if is_refusal(&error) => Ok(false),
                Err(error) => Err(error),
            }
        });
    }
    join_all(tries).await.into_iter().collect()
}

/// The channels of `posts`, and where the order of one begins that the database does not know.
fn known(posts: &[Post<'_>]) -> BTreeMap<String, Position> {
    let mut known = BTreeMap::new();
    for post in posts {
        let entry = post.entry();
        if !known.contains_key(entry.channel.as_str()) {
            known.insert(entry.channel.as_str().to_owned(), entry.known);
        }
    }
    known
}

/// The rows of these channels, made where there are none, and nobody else's until the commit.
async fn rows(
    transaction: &Transaction<'_>,
    mut known: BTreeMap<String, Position>,
) -> Result<HashMap<String, ChannelRow>, Error> {
    let names: Vec<_> = known.keys().map(String::as_str).collect();
    let found = transaction.query_typed(FIND, &[(&names, Type::TEXT_ARRAY)]).await?;
    let mut rows = found.iter().map(row).collect::<Result<HashMap<_, _>, _>>()?;
    known.retain(|name, _| !rows.contains_key(name));
    if !known.is_empty() {
        let names: Vec<_> = known.keys().map(String::as_str).collect();
        let epochs: Vec<_> = known.values().map(|known| known.epoch.to_string()).collect();
        let offsets: Vec<_> = known.values().map(|known| whole(known.offset)).collect();
        let new: [Value<'_>; 3] =
            [(&names, Type::TEXT_ARRAY), (&epochs, Type::TEXT_ARRAY), (&offsets, Type::INT8_ARRAY)];
        for made in transaction.query_typed(MAKE, &new).await? {
            rows.extend([row(&made)?]);
        }
    }
    Ok(rows)
}

fn row(row: &Row) -> Result<(String, ChannelRow), Error> {
    let (id, last) = (row.try_get(1)?, position(row, 2, 3)?);
    Ok((row.try_get(0)?, ChannelRow { id, last, more: 0 }))
}

/// Writes down how far the channels have come.
async fn grow(
    transaction: &Transaction<'_>,
    rows: &HashMap<String, ChannelRow>,
) -> Result<u64, Error> {
    let ids: Vec<_> = rows.values().map(|row| row.id).collect();
    let lasts: Vec<_> = rows.values().map(|row| whole(row.last.offset)).collect();
    let more: Vec<_> = rows.values().map(|row| row.more).collect();
    let values: [Value<'_>; 3] =
        [(&ids, Type::INT8_ARRAY), (&lasts, Type::INT8_ARRAY), (&more, Type::INT8_ARRAY)];
    transaction.execute_typed(GROW, &values).await
}

impl<'a> Columns<'a> {
    fn push(&mut self, row: &ChannelRow, message: &[u8], entry: Entry<'a>) {
        let Entry { sender, at, retry, .. } = entry;
        self.channels.push(row.id);
        self.numbers.push(whole(row.last.offset));
        self.accepted.push(whole(at));
        self.senders.push(sender);
        self.messages.push(text(message));
        self.keys.push(retry.map(|retry| retry.key.as_str()));
        self.bodies.push(retry.map(|retry| retry.body.as_slice()));
        self.datetimes.push(retry.map(|retry| retry.datetime.as_str()));
        self.ips.push(retry.map(|retry| retry.ip.as_str()));
    }

    async fn keep(&self, transaction: &Transaction<'_>) -> Result<u64, Error> {
        let values: [Value<'_>; 9] = [
            (&self.channels, Type::INT8_ARRAY),
            (&self.numbers, Type::INT8_ARRAY),
            (&self.accepted, Type::INT8_ARRAY),
            (&self.senders, Type::TEXT_ARRAY),
            (&self.messages, Type::TEXT_ARRAY),
            (&self.keys, Type::TEXT_ARRAY),
            (&self.bodies, Type::BYTEA_ARRAY),
            (&self.datetimes, Type::TEXT_ARRAY),
            (&self.ips, Type::TEXT_ARRAY),
        ];
        transaction.execute_typed(KEEP, &values).await
    }
}

fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}
