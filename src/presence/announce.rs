//! Who is announced as having come and gone: each client with a token, once a presence.

use std::sync::Arc;

use super::client::{Client, State};
use super::{Announce, Edge, Presence};
use crate::identity::ClientId;

impl Presence {
    /// Announces a client that has just got a connection, unless it had one before.
    pub(super) fn announce_connected(&self, client: &ClientId, state: &mut State) {
        if !state.anonymous && !std::mem::replace(&mut state.announced, true) {
            self.announce(client, Edge::Connected);
        }
    }

    /// Announces that a client has gone, if it was announced as having come.
    pub(super) fn announce_gone(&self, client: &ClientId, state: &mut State) {
        if std::mem::take(&mut state.announced) {
            self.announce(client, Edge::Disconnected);
        }
    }

    /// Announces that everyone has gone, since this node is about to. Lists stay as they are: nobody is
    /// left to be told.
    pub fn announce_the_end(&self) {
        if self.announce.is_none() {
            return;
        }
        // Not under the locks of the map: those come behind that of a client.
        let clients: Vec<Arc<Client>> =
            self.clients.iter().map(|entry| Arc::clone(entry.value())).collect();
        for client in clients {
            self.announce_gone(&client.id, &mut client.lock());
        }
    }

    fn announce(&self, client: &ClientId, edge: Edge) {
        if let Some(announce) = &self.announce {
            Announce::announce(&**announce, client, edge);
        }
    }
}
