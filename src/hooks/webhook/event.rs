//! One event, as it waits.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
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
    /// How many attempts failed in this process.
    pub(in crate::hooks) tries: u32,
    /// How old it was when this process first had it, and since when that has.
    pub(super) age: (Duration, Instant),
}

impl Event {
    pub(in crate::hooks) fn new(client: ClientId, edge: Edge) -> Self {
        let age = (Duration::ZERO, Instant::now());
        Self { id: Uuid::new_v4(), number: None, client, edge, tries: 0, age }
    }

    /// The same, under the id and number that an earlier process gave it, so many seconds after 1970.
    #[must_use]
    pub(in crate::hooks) fn known(self, id: Uuid, number: u64, at: Option<u64>) -> Self {
        let now = seconds_now();
        let age = Duration::from_secs(now.saturating_sub(at.unwrap_or(now)));
        Self { id, number: Some(number), age: (age, Instant::now()), ..self }
    }

    /// How long ago it happened. Within a process a clock that is set changes nothing of it.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let (age, since) = self.age;
        age.saturating_add(now.saturating_duration_since(since))
    }
}

/// Seconds since 1970 by the clock of the wall.
pub(in crate::hooks) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
