//! One event, as it waits.

use uuid::Uuid;

use crate::identity::ClientId;
use crate::presence::Edge;

/// A client came or went.
#[derive(Clone, Debug)]
pub(in crate::hooks) struct Event {
    /// Its own, and the same at each attempt.
    pub(in crate::hooks) id: Uuid,
    /// Its place among all events that were ever written down; none where it was not.
    pub(in crate::hooks) number: Option<u64>,
    pub(in crate::hooks) client: ClientId,
    pub(in crate::hooks) edge: Edge,
    /// How many attempts failed.
    pub(in crate::hooks) tries: u32,
}

impl Event {
    pub(in crate::hooks) fn new(client: ClientId, edge: Edge) -> Self {
        Self { id: Uuid::new_v4(), number: None, client, edge, tries: 0 }
    }
}
