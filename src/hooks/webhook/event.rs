//! One event, as it waits.

use uuid::Uuid;

use crate::identity::ClientId;
use crate::presence::Edge;

/// A client came or went.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Its own, and the same at each attempt.
    pub(super) id: Uuid,
    pub(super) client: ClientId,
    pub(super) edge: Edge,
    /// How many attempts failed.
    pub(super) tries: u32,
}

impl Event {
    pub(super) fn new(client: ClientId, edge: Edge) -> Self {
        Self { id: Uuid::new_v4(), client, edge, tries: 0 }
    }
}
