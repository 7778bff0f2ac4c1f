//! Tables that were put back from a copy.

use tokio_postgres::{Client, Error};

use super::super::error::StoreError;
use super::open::open;
use super::{Postgres, configured, tls, told};
use crate::channel::Epoch;

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
    let transaction = client.transaction().await?;
    let find = "SELECT id, epoch FROM pushgate_channels ORDER BY id FOR UPDATE";
    let channels = transaction.query(find, &[]).await?;
    for row in &channels {
        let (id, old): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        // Without the operating system's generator no token could be made either.
        let number = getrandom::u64().expect("the operating system gives random numbers");
        let new = Epoch::from_random(number).to_string();
        let name = "UPDATE pushgate_channels SET epoch = $2 WHERE id = $1";
        transaction.execute(name, &[&id, &new]).await?;
        // The id is the last member, of a text of a room or of the message in another.
        for end in ["\"}", "\"}}"] {
            let rewrite = "UPDATE pushgate_messages SET message = \
                           left(message, -length($2 || number || $4)) || $3 || number || $4 \
                           WHERE channel = $1 \
                           AND right(message, length($2 || number || $4)) = $2 || number || $4";
            let id_of = |epoch: &str| format!(r#""id":"{epoch}-"#);
            let (old, new) = (id_of(&old), id_of(&new));
            transaction.execute(rewrite, &[&id, &old, &new, &end]).await?;
        }
    }
    transaction.commit().await?;
    Ok(channels.len())
}
