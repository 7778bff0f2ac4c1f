//! Tokens that were ended are written down, so that they stay ended after a restart.

use std::sync::Arc;

use super::{Failure, Gate};
use crate::code::Problem;
use crate::identity::Ended;
use crate::store::{EndedLog, EndedRecord, StoreError};

impl Gate {
    /// Writes down that tokens were ended, so that they stay so after a restart.
    ///
    /// Waits for the disk, on a thread of its own.
    ///
    /// # Errors
    /// 503 `unavailable`: the tokens are ended for the life of this process, and it is written down as
    /// soon as the disk takes it ([`mend_ended`](Self::mend_ended)).
    pub(super) async fn write_down(&self, ended: &Ended) -> Result<(), Failure> {
        let Some(log) = self.ended_log.clone() else {
            return Ok(());
        };
        let client = ended.client.as_str().to_owned();
        let record = EndedRecord { client, floor: ended.floor, until: ended.until };
        let is_first = log.waiting() == 0;
        match blocking(log, move |log| log.append(&record)).await {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) if is_first => tracing::error!(
                %error,
                "ended tokens could not be written down: until they are, a restart revives them"
            ),
            Some(Err(error)) => tracing::debug!(%error, "an ended token could not be written down"),
            None => {}
        }
        Err(Failure::new(
            Problem::Unavailable,
            "the tokens are ended, but the disk does not take it now: it is written down as soon as \
             it does, and a restart before that revives them",
        ))
    }

    /// Writes down which tokens were ended, as far as that has failed before. To be called from time to
    /// time; waits for the disk.
    pub async fn mend_ended(&self) {
        let Some(log) = self.ended_log.clone().filter(|log| log.waiting() > 0) else {
            return;
        };
        let now = self.clock.now().seconds();
        match blocking(log, move |log| log.mend(now)).await {
            Some(Ok(clients)) => {
                tracing::info!(clients, "the ended tokens that waited are written down");
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "ended tokens still cannot be written down");
            }
            None => {}
        }
    }

    /// The same for the last time: what cannot be written now, the next process does not know.
    pub async fn mend_ended_at_the_end(&self) {
        self.mend_ended().await;
        let clients = self.ended_log.as_ref().map_or(0, |log| log.waiting());
        if clients > 0 {
            tracing::error!(
                clients,
                "ended tokens could not be written down: the next start revives them"
            );
        }
    }
}

/// What `act` gives, on a thread that may wait; none if it met a bug.
async fn blocking<T: Send + 'static>(
    log: Arc<EndedLog>,
    act: impl FnOnce(&EndedLog) -> Result<T, StoreError> + Send + 'static,
) -> Option<Result<T, StoreError>> {
    let acted = tokio::task::spawn_blocking(move || act(&log)).await;
    acted.inspect_err(|error| tracing::error!(%error, "writing down an ended token panicked")).ok()
}
