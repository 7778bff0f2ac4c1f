//! The lines of the journal.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A line of the journal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalRecord {
    /// A process began to write.
    Life(LifeRecord),
    /// A client is here, in this way from now on.
    Here(HereRecord),
    /// A client is here no more.
    Gone(GoneRecord),
    /// A backend is to be told.
    Event(EventRecord),
    /// The event of this number is over and done with.
    Done(u64),
}

/// The life of a process.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LifeRecord {
    /// Its epoch: how many processes have written to this journal.
    pub epoch: u64,
    /// The number that the next event gets.
    pub next: u64,
}

/// A client that is here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that change independently")]
pub struct HereRecord {
    /// Its id.
    pub client: String,
    /// Its display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where its login came from.
    pub address: IpAddr,
    /// The `Origin` of its login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Whether the limits of that address count it.
    pub counted: bool,
    /// The channels on whose lists it is.
    pub channels: Vec<String>,
    /// Whether it has a private line.
    pub line: bool,
    /// Whether it stays without a connection: by a login, a post, or what its backend made for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// Whether its coming was an event.
    pub told: bool,
    /// What a backend is to be told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventRecord>,
}

/// A client that is here no more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GoneRecord {
    /// Its id.
    pub client: String,
    /// What a backend is to be told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventRecord>,
}

/// What a backend is to be told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventRecord {
    /// Its place among all events.
    pub number: u64,
    /// Its id: a UUID.
    pub id: String,
    /// Of whom.
    pub client: String,
    /// What happened.
    pub edge: EdgeRecord,
    /// When, in seconds since 1970 by the clock of the wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeRecord {
    /// The client has its first connection.
    Connected,
    /// Its presence ended.
    Disconnected,
}

impl JournalRecord {
    /// Adds it as a line.
    pub fn write_to(&self, lines: &mut Vec<u8>) {
        let json = serde_json::to_vec(self).unwrap_or_default();
        debug_assert!(!json.is_empty(), "texts, numbers and truth are JSON");
        lines.extend(json);
        lines.push(b'\n');
    }
}

/// What a journal says in the end.
#[derive(Debug, Default)]
pub struct Journaled {
    /// The last process that wrote to it, and the number of the next event.
    pub life: LifeRecord,
    /// Who is here.
    pub here: BTreeMap<String, HereRecord>,
    /// What a backend is still to be told, by number.
    pub due: BTreeMap<u64, EventRecord>,
    /// How many lines are no records.
    pub damaged: usize,
    /// How many bytes at the end are no line: what a crash has torn.
    pub cut: usize,
}

impl Journaled {
    /// What these lines say.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut said = Self::default();
        said.life.next = 1;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                said.cut = line.len();
                break;
            }
            match serde_json::from_slice(line) {
                Ok(record) => said.take(record),
                Err(_) => said.damaged += 1,
            }
        }
        said
    }

    fn take(&mut self, record: JournalRecord) {
        match record {
            JournalRecord::Life(life) => {
                self.life.epoch = self.life.epoch.max(life.epoch);
                self.life.next = self.life.next.max(life.next);
            }
            JournalRecord::Here(mut here) => {
                self.owe(here.event.take());
                self.here.insert(here.client.clone(), here);
            }
            JournalRecord::Gone(gone) => {
                self.here.remove(&gone.client);
                self.owe(gone.event);
            }
            JournalRecord::Event(event) => self.owe(Some(event)),
            JournalRecord::Done(number) => {
                self.due.remove(&number);
            }
        }
    }

    fn owe(&mut self, event: Option<EventRecord>) {
        if let Some(event) = event {
            self.life.next = self.life.next.max(event.number.saturating_add(1));
            self.due.insert(event.number, event);
        }
    }
}
