//! A page of a channel in PostgreSQL.

use futures_util::future::try_join3;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::super::section::{BYTES, Found, PASSED, Section};
use super::messages::{Value, number, position, stored, whole};
use crate::channel::{ChannelName, Extent, Position};

/// What `section` has of a channel. Three round trips, or four.
pub(super) async fn page(
    client: &Client,
    channel: &ChannelName,
    section: &Section,
) -> Result<Option<Found>, Error> {
    let find = "SELECT id, epoch, last, forgotten, bytes FROM pushgate_channels WHERE name = $1";
    let Some(row) = client.query_typed_opt(find, &[(&channel.as_str(), Type::TEXT)]).await? else {
        return Ok(None);
    };
    let (id, last) = (row.try_get::<_, i64>(0)?, position(&row, 1, 2)?);
    let (forgotten, bytes) = (number(&row, 3)?, number(&row, 4)?);
    let extent = extent(client, id, (last, forgotten, bytes), section).await?;
    let order = if section.is_back() { "DESC" } else { "ASC" };
    let rows = format!(
        "SELECT number, accepted, sender, message, retry_key, retry_body, retry_datetime, retry_ip \
         FROM (SELECT *, sum(octet_length(message)) OVER (ORDER BY number {order}) AS so_far \
               FROM pushgate_messages WHERE channel = $1 AND number > $2 AND number < $3 \
               ORDER BY number {order} LIMIT $4) AS page \
         WHERE so_far <= $5 OR so_far = octet_length(message) ORDER BY number {order}"
    );
    let (above, below) = section.between(&extent);
    let count = section.count();
    let values: [Value<'_>; 5] = [
        (&id, Type::INT8),
        (&above, Type::INT8),
        (&below, Type::INT8),
        (&count, Type::INT8),
        (&BYTES, Type::INT8),
    ];
    let rows = client.query_typed(&rows, &values).await?;
    let rows = rows.iter().map(|row| stored(row, last.epoch)).collect::<Result<_, _>>()?;
    Ok(Some(section.page(&extent, rows)))
}

/// What is kept of a channel.
async fn extent(
    client: &Client,
    id: i64,
    (last, forgotten, bytes): (Position, u64, u64),
    section: &Section,
) -> Result<Extent, Error> {
    let first = "SELECT number FROM pushgate_messages \
                 WHERE channel = $1 AND number > $2 AND accepted > $3 ORDER BY number LIMIT 1";
    let (floor, since) = (section.floor(last, forgotten), section.since());
    let since: [Value<'_>; 3] = [(&id, Type::INT8), (&floor, Type::INT8), (&since, Type::INT8)];
    let oldest = "SELECT number, octet_length(message)::bigint FROM pushgate_messages \
                  WHERE channel = $1 ORDER BY number LIMIT $2";
    let count = if section.excess(bytes) > 0 { PASSED } else { 0 };
    let so_many: [Value<'_>; 2] = [(&id, Type::INT8), (&count, Type::INT8)];
    let newest =
        "SELECT 1 FROM pushgate_messages WHERE channel = $1 AND number = $2 AND number > $3";
    let (place, forgotten) = (whole(last.offset), whole(forgotten));
    let at: [Value<'_>; 3] = [(&id, Type::INT8), (&place, Type::INT8), (&forgotten, Type::INT8)];
    // All at once: one round trip.
    let (first, rows, newest) = try_join3(
        client.query_typed_opt(first, &since),
        client.query_typed(oldest, &so_many),
        client.query_typed_opt(newest, &at),
    )
    .await?;
    let first = first.map(|row| number(&row, 0)).transpose()?;
    let oldest = rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?)));
    let within = match section.behind::<Error>(bytes, oldest)? {
        Some(within) => within,
        None => within(client, (id, floor, last), section).await?,
    };
    let extent = Section::extent(last, first, within);
    Ok(section.greeted(extent, newest.is_some()))
}

/// Where the bound of bytes begins, counted from the newest.
async fn within(
    client: &Client,
    (id, floor, last): (i64, i64, Position),
    section: &Section,
) -> Result<u64, Error> {
    let newest = "SELECT coalesce(min(number), $3 + 1) FROM \
                      (SELECT number, sum(octet_length(message)) OVER (ORDER BY number DESC) AS so_far \
                       FROM pushgate_messages \
                       WHERE channel = $1 AND number > $2 AND number <= $3) AS newest \
                  WHERE so_far <= $4";
    let (last, bytes) = (whole(last.offset), whole(section.bytes()));
    let values: [Value<'_>; 4] =
        [(&id, Type::INT8), (&floor, Type::INT8), (&last, Type::INT8), (&bytes, Type::INT8)];
    number(&client.query_typed_one(newest, &values).await?, 0)
}
