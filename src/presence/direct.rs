//! Direct messages: to the connections of one client on a channel, or into its inbox.

use bytes::Bytes;

use super::Presence;
use super::client::Held;
use crate::channel::ChannelName;
use crate::identity::ClientId;
use crate::transport::ConnectionId;

/// No such client is present, or none that could ever get the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownClient;

impl Presence {
    /// Hands `json` to `deliver` with the connections that `client` has on `channel`; without any,
    /// it waits in the client's inbox.
    ///
    /// # Errors
    /// [`UnknownClient`].
    pub fn send_direct(
        &self,
        client: &ClientId,
        channel: &ChannelName,
        json: Bytes,
        deliver: impl FnOnce(Vec<ConnectionId>, Bytes),
    ) -> Result<(), UnknownClient> {
        let client = self.find(client).ok_or(UnknownClient)?;
        let mut state = client.lock();
        if state.ended {
            return Err(UnknownClient);
        }
        let here = |held: &&Held| held.seat.channel == *channel;
        let connections: Vec<_> =
            state.connections.iter().filter(here).map(|held| held.seat.connection).collect();
        if !connections.is_empty() {
            deliver(connections, json);
        } else if state.anonymous {
            return Err(UnknownClient);
        } else {
            state.inbox.get_or_insert_default().add(channel, json);
        }
        Ok(())
    }

    /// Takes back a direct message whose connections had all just ended.
    pub fn undelivered(&self, client: &ClientId, channel: &ChannelName, json: Bytes) {
        let Some(client) = self.find(client) else {
            return;
        };
        let mut state = client.lock();
        if !state.ended && !state.anonymous {
            state.inbox.get_or_insert_default().add(channel, json);
        }
    }
}
