//! A page of a channel in PostgreSQL.

use tokio_postgres::{Client, Error};

use super::super::section::{BYTES, Found, PASSED, Section};
use super::messages::{number, position, stored, whole};
use crate::channel::{ChannelName, Extent, Position};

/// What `section` has of a channel.
pub(super) async fn page(
    client: &Client,
    channel: &ChannelName,
    section: &Section,
) -> Result<Option<Found>, Error> {
    let find = "SELECT id, epoch, last, forgotten, bytes FROM pushgate_channels WHERE name = $1";
    let Some(row) = client.query_opt(find, &[&channel.as_str()]).await? else {
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
    let rows = client.query(&rows, &[&id, &above, &below, &section.count(), &BYTES]).await?;
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
    let oldest = "SELECT number FROM pushgate_messages \
                  WHERE channel = $1 AND number > $2 AND accepted > $3 ORDER BY number LIMIT 1";
    let (floor, since) = (section.floor(last, forgotten), section.since());
    let first = client.query_opt(oldest, &[&id, &floor, &since]).await?;
    let first = first.map(|row| number(&row, 0)).transpose()?;
    let count = if section.excess(bytes) > 0 { PASSED } else { 0 };
    let oldest = "SELECT number, octet_length(message)::bigint FROM pushgate_messages \
                  WHERE channel = $1 ORDER BY number LIMIT $2";
    let rows = client.query(oldest, &[&id, &count]).await?;
    let oldest = rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?)));
    let within = match section.behind::<Error>(bytes, oldest)? {
        Some(within) => within,
        None => within(client, (id, floor, last), section).await?,
    };
    let extent = Section::extent(last, first, within);
    let newest =
        "SELECT 1 FROM pushgate_messages WHERE channel = $1 AND number = $2 AND number > $3";
    let (place, forgotten) = (whole(last.offset), whole(forgotten));
    let newest = client.query_opt(newest, &[&id, &place, &forgotten]).await?;
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
    number(&client.query_one(newest, &[&id, &floor, &last, &bytes]).await?, 0)
}
