//! A page of a channel in PostgreSQL.

use tokio_postgres::{Client, Error};

use super::super::section::{Found, PASSED, Section};
use super::messages::{number, position, stored};
use crate::channel::{ChannelName, Extent};

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
    let oldest = "SELECT number, accepted, octet_length(message)::bigint FROM pushgate_messages \
                  WHERE channel = $1 ORDER BY number LIMIT $2";
    let mut extent = Extent { last, first: last.offset + 1 };
    // Mostly the oldest is kept.
    for count in [1, PASSED] {
        let rows = client.query(oldest, &[&id, &count]).await?;
        let oldest = rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?, number(row, 2)?)));
        extent = section.extent::<Error>((last, forgotten, bytes), oldest)?;
        if rows.first().is_none_or(|row| number(row, 0).is_ok_and(|place| place == extent.first)) {
            break;
        }
    }
    let order = if section.is_back() { "DESC" } else { "ASC" };
    let rows = format!(
        "SELECT number, accepted, sender, message, retry_key, retry_body, retry_datetime, retry_ip \
         FROM pushgate_messages WHERE channel = $1 AND number > $2 AND number < $3 \
         ORDER BY number {order} LIMIT $4"
    );
    let (above, below) = section.between(&extent);
    let rows = client.query(&rows, &[&id, &above, &below, &section.count()]).await?;
    let rows = rows.iter().map(|row| stored(row, last.epoch)).collect::<Result<_, _>>()?;
    Ok(Some(section.page(&extent, rows)))
}
