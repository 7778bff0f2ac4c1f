//! Tables that were put back from a copy.

use tokio_postgres::{Client, Error};

use super::super::error::StoreError;
use super::open::open;
use super::{Postgres, configured, messages, tls, told};

impl Postgres {
    /// Has the order of each durable channel in the tables at `url` begin anew, with the messages that it
    /// has; how many there are. For tables that were put back from a copy, before a gateway uses
    /// them: what was said after the copy had ids that would be given again. Runs in a runtime.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`StoreError::Server`] if the server cannot be reached, or says no.
    pub async fn renew(url: &str, ca: Option<&std::path::Path>) -> Result<usize, StoreError> {
        let config = configured(url)?;
        let tls = tls::connector(ca)?;
        let refused = |why| StoreError::Server { why };
        let mut opened = open(&config, &tls).await.map_err(refused)?;
        renew(&mut opened.client).await.map_err(|error| refused(told(&error)))
    }
}

async fn renew(client: &mut Client) -> Result<usize, Error> {
    let channels = messages::channels(client).await?;
    let transaction = client.transaction().await?;
    let names: Vec<_> = channels.iter().map(String::as_str).collect();
    messages::renew(&transaction, &names).await?;
    transaction.commit().await?;
    Ok(channels.len())
}
