//! What is announced of clients with a token: who has come and gone, once a presence, and who is where.

use std::sync::Arc;

use super::client::{Client, State};
use super::{Edge, Presence, Stay};
use crate::identity::ClientId;

impl Presence {
    /// Has a client that has just got a connection announced, unless it had one before.
    pub(super) fn announce_connected(&self, client: &ClientId, state: &mut State) {
        if !state.anonymous && !std::mem::replace(&mut state.notes.connected, true) {
            state.notes.edge = Some(Edge::Connected);
            state.notes.changed = true;
        }
        self.note(client, state);
    }

    /// Announces that a client has gone, if anything was announced of it.
    pub(super) fn announce_gone(&self, client: &ClientId, state: &mut State) {
        let edge = std::mem::take(&mut state.notes.connected).then_some(Edge::Disconnected);
        let was_noted = std::mem::take(&mut state.notes.here);
        (state.notes.changed, state.notes.edge) = (false, None);
        if let Some(announce) = &self.announce
            && (was_noted || edge.is_some())
        {
            announce.announce(client, edge, None);
        }
    }

    /// Announces what has changed of a client in this step: the last of each.
    pub(super) fn note(&self, client: &ClientId, state: &mut State) {
        let Some(announce) = &self.announce else { return };
        if state.ended || !std::mem::take(&mut state.notes.changed) || state.anonymous {
            return;
        }
        let edge = state.notes.edge.take();
        let stay = state.is_worth_noting().then(|| state.stay());
        let was_noted = std::mem::replace(&mut state.notes.here, stay.is_some());
        if was_noted || stay.is_some() || edge.is_some() {
            announce.announce(client, edge, stay);
        }
    }

    /// Announces that everyone has gone, since this node is about to. Lists stay as they are: nobody is
    /// left to be told. `between` is called before each, with nothing locked, and may wait.
    pub fn announce_the_end(&self, mut between: impl FnMut()) {
        if self.announce.is_none() {
            return;
        }
        for client in self.everyone() {
            between();
            self.announce_gone(&client.id, &mut client.lock());
        }
    }

    /// Announces everyone who is here, and where, to who has lost count. `between` is called before each,
    /// with nothing locked, and may wait.
    pub fn announce_all(&self, mut between: impl FnMut()) {
        let Some(announce) = &self.announce else { return };
        for client in self.everyone() {
            between();
            let mut state = client.lock();
            if !state.ended && !state.anonymous && state.is_worth_noting() {
                state.notes.here = true;
                announce.announce(&client.id, None, Some(state.stay()));
            }
        }
    }

    fn everyone(&self) -> Vec<Arc<Client>> {
        // Not under the locks of the map: those come behind that of a client.
        self.clients.iter().map(|entry| Arc::clone(entry.value())).collect()
    }
}

impl State {
    /// Notes that it stays for `presence.timeout` without a connection; one that has any does not.
    pub(super) fn stays_alone(&mut self) {
        self.note_alone(self.connections.is_empty());
    }

    /// Notes that it has a connection, by which it stays.
    pub(super) fn is_held(&mut self) {
        self.note_alone(false);
    }

    fn note_alone(&mut self, alone: bool) {
        self.notes.changed |= std::mem::replace(&mut self.notes.alone, alone) != alone;
    }

    /// Whether anybody would miss it: it is on a list, or its end is to be announced.
    fn is_worth_noting(&self) -> bool {
        !self.memberships.is_empty() || self.notes.connected
    }

    fn stay(&self) -> Stay {
        let (address, origin) = &self.login;
        let members = self.memberships.iter().map(|membership| &membership.members);
        Stay {
            entry: Arc::clone(&self.entry),
            address: *address,
            origin: origin.clone(),
            is_counted: self.counted.is_some(),
            channels: members.map(|members| members.name.clone()).collect(),
            has_line: self.line.is_some(),
            is_alone: self.notes.alone,
            is_announced: self.notes.connected,
        }
    }
}
