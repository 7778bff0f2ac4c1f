//! Connections come and go.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tokio::time::Instant;

use super::client::{Client, Held, Membership, State};
use super::members::Members;
use super::{Leave, Opening, Presence, PresenceError, Seat, Visitor};
use crate::channel::ChannelName;
use crate::identity::ClientId;
use crate::transport::ConnectionId;

impl Presence {
    /// Attaches a connection: its client is present, and a member of the channel; one of a private
    /// line is a member of none.
    ///
    /// `open` is called with what the connection starts with, while client and list are locked: no
    /// push and no direct message comes between what it gets and what it does with it.
    ///
    /// # Errors
    /// [`PresenceError`]; nothing was changed then.
    pub fn attach<T>(
        &self,
        visitor: &Visitor,
        seat: Seat,
        now: Instant,
        open: impl FnOnce(Opening) -> T,
    ) -> Result<T, PresenceError> {
        self.with_present(visitor, |client, state| {
            let superseded = if seat.is_poll { state.poll_on(&seat.channel) } else { None };
            if visitor.is_counted
                && state.counted_without(superseded) >= self.rules.connections_per_client
            {
                // Somebody without a login who gets no connection is nobody.
                self.settle(client, state, now);
                return Err(PresenceError::TooManyConnections);
            }
            let members = self.sit_down(client, state, (visitor, &seat), now);
            let place = (members.as_deref(), superseded);
            let take = || take_seat(client, state, (visitor, seat), place, open);
            let opened = catch_unwind(AssertUnwindSafe(take)).unwrap_or_else(|bug| {
                // Nobody is to stay for a connection that there is not.
                self.let_go(client, state, now);
                resume_unwind(bug)
            });
            state.is_held();
            self.announce_connected(&client.id, state);
            Ok(opened)
        })?
    }

    /// Makes a client the member that a connection makes it: of no list if that is a private line.
    fn sit_down(
        &self,
        client: &Arc<Client>,
        state: &mut State,
        (visitor, seat): (&Visitor, &Seat),
        now: Instant,
    ) -> Option<Arc<Members>> {
        if seat.is_line {
            // Until when it stays is said when the connection ends.
            state.open_line(visitor.token, now);
            return None;
        }
        if !state.anonymous {
            self.enlist(client, state, visitor, now);
        }
        Some(match state.membership(&seat.channel) {
            Some(membership) => Arc::clone(&membership.members),
            None => self.join(client, state, &seat.channel, now),
        })
    }

    /// Ends the memberships that neither a connection nor a time holds.
    fn let_go(&self, client: &Arc<Client>, state: &mut State, now: Instant) {
        let free = |state: &State, membership: &Membership| {
            membership.until.is_none() && state.holding(&membership.members.name) == 0
        };
        let free: Vec<_> = state.memberships.iter().map(|it| free(state, it)).collect();
        for (membership, _) in state.memberships.iter_mut().zip(free).filter(|(_, free)| *free) {
            membership.until = Some(now);
        }
        self.settle(client, state, now);
    }

    /// Detaches a connection; what that ends, ends now or when `leave` says.
    pub fn detach(&self, client: &ClientId, connection: ConnectionId, leave: Leave, now: Instant) {
        let Some(client) = self.find(client) else {
            return;
        };
        let mut state = client.lock();
        let mine = |held: &Held| held.seat.connection == connection;
        let Some(index) = state.connections.iter().position(mine) else {
            return;
        };
        let held = state.connections.swap_remove(index);
        let has_left = state.leaving.is_some_and(|until| now < until);
        let leave = if has_left { Leave::Clean } else { leave };
        let until = held.ends_at(leave, &self.rules, now);
        let Held { seat, token, .. } = held;
        if !seat.is_line {
            state.get_up(seat, until);
        }
        if let Some(token) = token {
            state.close_line(token, until);
        }
        self.settle(&client, &mut state, now);
    }
}

/// Counts the connection in, and opens it with what it starts with.
fn take_seat<T>(
    client: &Client,
    state: &mut State,
    (visitor, seat): (&Visitor, Seat),
    (members, superseded): (Option<&Members>, Option<ConnectionId>),
    open: impl FnOnce(Opening) -> T,
) -> T {
    let inbox = state.inbox.as_mut().filter(|_| seat.takes_direct);
    let inbox = inbox.map(|inbox| inbox.take(&seat.channel));
    let (inbox, dropped) = inbox.unwrap_or_default();
    if state.inbox.as_ref().is_some_and(|inbox| inbox.is_empty()) {
        state.inbox = None;
    }
    let mut opening = Opening { users: None, version: (0, 0), inbox, dropped, superseded };
    let mut list = members.map(|members| (members, members.lock()));
    if let Some((members, list)) = &mut list {
        list.attend(seat.users);
        opening.version = (list.version(), members.life);
        opening.users = members.first_message(list, seat.users, Some(&client.id));
    }
    let opened = open(opening);
    // Last: a bug in opening it must not leave a connection that never ends. The client is locked.
    state.leaving = None;
    let earlier = |held: &&mut Held| Some(held.seat.connection) == superseded;
    if let Some(held) = state.connections.iter_mut().find(earlier) {
        held.is_over = true;
    }
    state.connections.reserve_exact(1);
    let Visitor { token, address, is_counted, .. } = *visitor;
    state.connections.push(Held { seat, token, address, is_counted, is_over: false });
    opened
}

impl State {
    /// A connection that was a member is gone: what nothing else holds ends at `until`.
    fn get_up(&mut self, seat: Seat, until: Instant) {
        let channel = seat.channel;
        if let Some(membership) = self.membership(&channel) {
            membership.members.lock().unattend(seat.users);
        }
        for name in [channel, ChannelName::root()] {
            if self.holding(&name) == 0
                && let Some(membership) = self.membership(&name)
            {
                membership.until = Some(until);
            }
        }
    }

    /// How many connections count against the client's bound, but for one that is being replaced.
    fn counted_without(&self, replaced: Option<ConnectionId>) -> usize {
        let counts = |held: &&Held| held.is_counted && Some(held.seat.connection) != replaced;
        self.connections.iter().filter(counts).count()
    }

    /// The poll that is open on `channel`.
    fn poll_on(&self, channel: &ChannelName) -> Option<ConnectionId> {
        let mine =
            |held: &&Held| held.seat.is_poll && !held.is_over && held.seat.channel == *channel;
        self.connections.iter().find(mine).map(|held| held.seat.connection)
    }
}
