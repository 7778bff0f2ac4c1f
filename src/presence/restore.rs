//! Who was here when the process died: as if the last connection of each had just broken, or who had none
//! had just posted.

use tokio::time::Instant;

use super::client::Membership;
use super::{Presence, PresenceError, Visitor};
use crate::channel::ChannelName;

/// A client that was here in an earlier life of this node.
#[derive(Clone, Debug)]
pub struct Past {
    /// Who it is, as it last introduced itself.
    pub visitor: Visitor,
    /// On whose lists it was.
    pub channels: Vec<ChannelName>,
    /// Whether it had a private line.
    pub has_line: bool,
    /// Whether it stayed without a connection.
    pub is_alone: bool,
    /// Whether it was announced as connected.
    pub is_announced: bool,
}

impl Presence {
    /// Has a client be here as it was, until `presence.restart` is over, or `presence.timeout` where it
    /// had no connection that could break. Nobody is told: those who see a list from now on see it there.
    /// To be called before anybody else can come.
    ///
    /// # Errors
    /// [`PresenceError::TooManyClients`]; nothing was changed then.
    pub fn restore(&self, past: &Past, now: Instant) -> Result<(), PresenceError> {
        let until = now + if past.is_alone { self.rules.timeout } else { self.rules.restart };
        self.with_present(&past.visitor, |client, state| {
            for channel in &past.channels {
                let members = self.members_or_new(channel);
                members.put(&client.id, &state.entry);
                state.memberships.push(Membership { members, until: Some(until) });
            }
            if past.has_line {
                state.open_line(None, until);
            }
            state.notes.connected = past.is_announced;
            state.notes.alone = past.is_alone;
            // Whoever is told of it knows it from that life.
            state.notes.here = true;
            self.settle(client, state, now);
        })
    }
}
