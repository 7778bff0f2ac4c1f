//! What is sent to one client: to its connections on a channel, or into its inbox.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::client::{Held, State};
use super::{Presence, PresenceError, Visitor};
use crate::channel::ChannelName;
use crate::dialect::Direct;
use crate::identity::ClientId;
use crate::transport::ConnectionId;

/// No such client is present, or none that could ever get the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownClient;

/// How a message gets to the connections of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Way {
    /// These are told.
    Tell(Vec<ConnectionId>, Direct),
    /// It waits in the inbox, and these polls are to be ended: each is answered with what waits. So
    /// what comes while a poll is on its way out is not lost, and keeps its order.
    Fetch(Vec<ConnectionId>),
}

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
    /// any, or with polls alone, it waits in the client's inbox.
    ///
    /// # Errors
    /// [`UnknownClient`].
    pub fn send_direct(
        &self,
        client: &ClientId,
        channel: &ChannelName,
        message: Direct,
        deliver: impl FnOnce(Way),
    ) -> Result<Reached, UnknownClient> {
        let client = self.find(client).ok_or(UnknownClient)?;
        let mut state = client.lock();
        if state.ended {
            return Err(UnknownClient);
        }
        // With the client locked: what comes later has a higher one.
        let message = message.numbered(self.nonces.fetch_add(1, Ordering::Relaxed));
        let (connections, are_polls) = state.on(channel);
        if !connections.is_empty() && !are_polls {
            deliver(Way::Tell(connections, message));
            return Ok(Reached::Connections);
        }
        if state.anonymous {
            return Err(UnknownClient);
        }
        let inbox = state.inbox(&self.inboxes);
        if !connections.is_empty() && !inbox.holds(channel) && !inbox.has_room(&message) {
            // A poll that waits takes one, whatever room others have left.
            deliver(Way::Tell(connections, message));
            return Ok(Reached::Connections);
        }
        if !inbox.add(channel, message) {
            return Ok(Reached::Full);
        }
        if connections.is_empty() {
            return Ok(Reached::Inbox);
        }
        deliver(Way::Fetch(connections));
        Ok(Reached::Connections)
    }

    /// Takes back a message whose connections had all just ended: it goes to those that have opened
    /// since, if they can be told now, or waits before all that came later.
    pub fn undelivered(
        &self,
        client: &ClientId,
        channel: &ChannelName,
        message: Direct,
        deliver: Option<impl FnOnce(Way)>,
    ) {
        let Some(client) = self.find(client) else {
            return;
        };
        let mut state = client.lock();
        if state.ended {
            return;
        }
        let (connections, are_polls) = state.on(channel);
        match deliver {
            Some(deliver) if !connections.is_empty() && !are_polls => {
                deliver(Way::Tell(connections, message));
            }
            _ if state.anonymous => {}
            deliver => {
                state.inbox(&self.inboxes).put_back(channel, message);
                if let Some(deliver) = deliver {
                    deliver(Way::Fetch(connections));
                }
            }
        }
    }

    /// Takes what waits for `client` on the channel of `connection`, a poll that is about to be
    /// answered, and how many messages were dropped; nothing if a later poll has taken its place.
    pub fn fetch(&self, client: &ClientId, connection: ConnectionId) -> (Vec<Direct>, u64) {
        let Some(client) = self.find(client) else {
            return (Vec::new(), 0);
        };
        let mut state = client.lock();
        let state = &mut *state;
        let mine = |held: &&Held| held.seat.connection == connection && held.takes_direct();
        let Some(held) = state.connections.iter().find(mine) else {
            return (Vec::new(), 0);
        };
        let Some(inbox) = &mut state.inbox else {
            return (Vec::new(), 0);
        };
        let taken = inbox.take(&held.seat.channel);
        if inbox.is_empty() {
            state.inbox = None;
        }
        taken
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

impl Held {
    const fn takes_direct(&self) -> bool {
        self.seat.takes_direct && !self.is_over
    }
}

impl State {
    /// The connections on `channel` that take messages, and whether all of them are polls.
    fn on(&self, channel: &ChannelName) -> (Vec<ConnectionId>, bool) {
        let here = |held: &&Held| held.seat.channel == *channel && held.takes_direct();
        let here = || self.connections.iter().filter(here);
        (here().map(|held| held.seat.connection).collect(), here().all(|held| held.seat.is_poll))
    }
}
