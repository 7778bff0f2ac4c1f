//! What is read from PostgreSQL for somebody.

use tokio::time::Instant;
use tokio_postgres::Client;

use super::super::asked::Asked;
use super::super::database::DatabaseError;
use super::{PATIENCE, in_time, late, messages, page};

/// Reads, and tells who waits. An error ends the connection: the server does not answer.
pub(super) async fn read_for(client: &Client, asked: Asked) -> Result<(), String> {
    let start = Instant::now();
    let failed = |why: String| {
        tracing::error!(%why, "the database cannot be read");
        DatabaseError::Unavailable(format!("the database cannot be read: {why}"))
    };
    match asked {
        Asked::Load(channel, window, waits) => {
            let loaded = in_time(messages::load(client, &channel, &window)).await;
            drop(waits.send(loaded.map_err(failed)));
        }
        Asked::Page(channel, section, waits) => {
            let page = in_time(page::page(client, &channel, &section)).await;
            drop(waits.send(page.map_err(failed)));
        }
        Asked::Retries(channel, since, waits) => {
            let retries = in_time(messages::retries(client, &channel, since)).await;
            drop(waits.send(retries.map_err(failed)));
        }
        Asked::Channels(waits) => {
            drop(waits.send(in_time(messages::channels(client)).await.map_err(failed)));
        }
        other @ (Asked::Change(..)
        | Asked::Append(_)
        | Asked::Trim(..)
        | Asked::Forget(..)
        | Asked::Erase(..)
        | Asked::BeginAnew(..)) => {
            other.failed(&DatabaseError::Unavailable("it does not read".to_owned()));
        }
    }
    if start.elapsed() >= PATIENCE { Err(late()) } else { Ok(()) }
}
