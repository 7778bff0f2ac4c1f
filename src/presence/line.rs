//! Private lines: clients that are here for what is sent to them, and on no list for that.
//!
//! A client is *expected* once a backend has made a token for it: it has an inbox for
//! `presence.timeout`, so that what is sent before its page connects arrives. The connections of a
//! line hold it as they would hold a membership; see [`Line`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::client::{Client, Held, Membership, State};
use super::{Leave, Presence, PresenceError, Visitor};
use crate::channel::ChannelName;
use crate::identity::ClientId;

/// How long a page's last word and the end of its connection may be apart.
const IN_ANY_ORDER: Duration = Duration::from_secs(2);

/// Presence that is on no list.
#[derive(Debug)]
pub(super) struct Line {
    /// The order of the newest token that it is for.
    order: u64,
    /// When it ends if no connection of a line holds it by then.
    pub(super) until: Instant,
}

impl Presence {
    /// A token was made for a client by its backend: it has an inbox for `presence.timeout`.
    ///
    /// # Errors
    /// [`PresenceError::TooManyClients`].
    pub fn expect(&self, visitor: &Visitor, now: Instant) -> Result<(), PresenceError> {
        self.with_present(visitor, |client, state| {
            self.remain(client, state, (visitor, true), now);
        })
    }

    /// A client that is here without a connection stays for `presence.timeout`: on the root's list,
    /// or on its private line. It is announced as one that has connected.
    ///
    /// # Errors
    /// [`PresenceError::TooManyClients`].
    pub fn stay(
        &self,
        visitor: &Visitor,
        is_line: bool,
        now: Instant,
    ) -> Result<(), PresenceError> {
        self.with_present(visitor, |client, state| {
            self.remain(client, state, (visitor, is_line), now);
            self.announce_connected(&client.id, state);
        })
    }

    /// As [`stay`](Self::stay), of a client that is locked.
    pub(super) fn remain(
        &self,
        client: &Arc<Client>,
        state: &mut State,
        (visitor, is_line): (&Visitor, bool),
        now: Instant,
    ) {
        if is_line {
            state.open_line(visitor.token, now + self.rules.timeout);
            state.stays_alone();
            self.plan(client, state, now);
        } else {
            self.enlist(client, state, visitor, now);
            self.keep(client, state, &ChannelName::root(), now);
        }
    }

    /// A client leaves, as by its own close. Connections that it has hold it all the same; one that
    /// breaks in a moment is taken for one that it closed. `token` is the order of the token that it shows.
    pub fn hang_up(&self, client: &ClientId, token: u64, is_line: bool, now: Instant) {
        let Some(client) = self.find(client) else {
            return;
        };
        let mut state = client.lock();
        if state.ended {
            return;
        }
        state.leaving = Some(now + IN_ANY_ORDER);
        if !is_line {
            let free = |state: &State, it: &Membership| state.holding(&it.members.name) == 0;
            let free: Vec<_> = state.memberships.iter().map(|it| free(&state, it)).collect();
            let memberships = state.memberships.iter_mut().zip(free);
            for (membership, _) in memberships.filter(|(_, is_free)| *is_free) {
                membership.until = Some(now);
            }
        }
        state.close_line(token, now);
        self.settle(&client, &mut state, now);
    }

    /// Ends every membership of a client that stays for what is sent to it.
    pub(super) fn leave_all(&self, client: &Arc<Client>, state: &mut State, now: Instant) {
        let channels: Vec<_> =
            state.memberships.iter().map(|membership| membership.members.name.clone()).collect();
        for channel in channels {
            self.leave(client, state, &channel, now);
        }
    }
}

impl State {
    /// Opens a line for the token of this order, or keeps the one that is open; both until `until`
    /// at least.
    pub(super) fn open_line(&mut self, token: Option<u64>, until: Instant) {
        let order = token.unwrap_or(0);
        // Who had no token until now has one that it can come back with.
        self.anonymous = false;
        let line = self.line.get_or_insert_with(|| Box::new(Line { order, until }));
        line.order = line.order.max(order);
        line.until = line.until.max(until);
    }

    /// A connection with the token of this order is gone, and was the last that held the line: it
    /// ends at `until`. Not where a newer token was made meanwhile: its page has still to come, and
    /// what is sent to it is kept as long as that was promised.
    pub(super) fn close_line(&mut self, token: u64, until: Instant) {
        if self.line_is_held() {
            return;
        }
        if let Some(line) = &mut self.line {
            line.until = if line.order > token { line.until.max(until) } else { until };
        }
    }

    /// Whether a connection holds the line.
    pub(super) fn line_is_held(&self) -> bool {
        self.connections.iter().any(|held| held.seat.is_line)
    }

    /// Ends the line if its time is over and nothing holds it.
    pub(super) fn settle_line(&mut self, now: Instant) {
        if self.line.as_ref().is_some_and(|line| line.until <= now) && !self.line_is_held() {
            self.line = None;
        }
    }

    /// When the line ends, if no connection holds it.
    pub(super) fn line_end(&self) -> Option<Instant> {
        self.line.as_ref().filter(|_| !self.line_is_held()).map(|line| line.until)
    }
}

impl Held {
    /// When what this connection held ends, now that it left in this way.
    pub(super) fn ends_at(&self, leave: Leave, rules: &super::Rules, now: Instant) -> Instant {
        match leave {
            // One without a token cannot come back as itself.
            _ if self.token.is_none() => now,
            Leave::Clean => now,
            Leave::Dropped => now + rules.linger,
            Leave::Poll(wait) => now + rules.linger + wait,
        }
    }
}
