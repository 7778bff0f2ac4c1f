//! What is sent to one client: to its connections on a channel, or into its inbox.

use tokio::time::Instant;

use super::client::Held;
use super::{Presence, PresenceError, Visitor};
use crate::channel::ChannelName;
use crate::dialect::Direct;
use crate::identity::ClientId;
use crate::transport::ConnectionId;

/// No such client is present, or none that could ever get the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownClient;

/// Where a message for one client went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reached {
    /// To the connections that the client has.
    Connections,
    /// Into its inbox.
    Inbox,
    /// Nowhere, since the inbox is full: the client will be told how many there were.
    Full,
}

/// What a client takes out of its inbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    /// The oldest message.
    Message(Direct),
    /// How many had to be dropped, once what was kept is taken.
    Dropped(u64),
    /// There is nothing.
    Nothing,
}

impl Presence {
    /// Hands `message` to `deliver` with the connections that `client` has on `channel`; without
    /// any, it waits in the client's inbox.
    ///
    /// # Errors
    /// [`UnknownClient`].
    pub fn send_direct(
        &self,
        client: &ClientId,
        channel: &ChannelName,
        message: Direct,
        deliver: impl FnOnce(Vec<ConnectionId>, Direct),
    ) -> Result<Reached, UnknownClient> {
        let client = self.find(client).ok_or(UnknownClient)?;
        let mut state = client.lock();
        if state.ended {
            return Err(UnknownClient);
        }
        let here = |held: &&Held| held.seat.channel == *channel;
        let connections: Vec<_> =
            state.connections.iter().filter(here).map(|held| held.seat.connection).collect();
        if !connections.is_empty() {
            deliver(connections, message);
            return Ok(Reached::Connections);
        }
        if state.anonymous {
            return Err(UnknownClient);
        }
        let is_kept = state.inbox(&self.inboxes).add(channel, message);
        Ok(if is_kept { Reached::Inbox } else { Reached::Full })
    }

    /// Takes back a message whose connections had all just ended.
    pub fn undelivered(&self, client: &ClientId, channel: &ChannelName, message: Direct) {
        let Some(client) = self.find(client) else {
            return;
        };
        let mut state = client.lock();
        if !state.ended && !state.anonymous {
            state.inbox(&self.inboxes).add(channel, message);
        }
    }

    /// Takes the oldest message on `channel` out of the inbox of a client that asks for one at a
    /// time, and so stays for `presence.timeout`; on its private line if `is_line`.
    ///
    /// # Errors
    /// [`PresenceError::TooManyClients`] if it is not present and cannot be.
    pub fn take_one(
        &self,
        visitor: &Visitor,
        is_line: bool,
        channel: &ChannelName,
        now: Instant,
    ) -> Result<Taken, PresenceError> {
        self.with_present(visitor, |client, state| {
            self.remain(client, state, (visitor, is_line), now);
            self.announce_connected(&client.id, state);
            let Some(inbox) = &mut state.inbox else {
                return Taken::Nothing;
            };
            let taken = match inbox.take_one(channel) {
                Some(message) => Taken::Message(message),
                None => match inbox.take_dropped(channel) {
                    0 => Taken::Nothing,
                    dropped => Taken::Dropped(dropped),
                },
            };
            if inbox.is_empty() {
                state.inbox = None;
            }
            taken
        })
    }
}
