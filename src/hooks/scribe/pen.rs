//! The one thread that writes to the journal, and passes events on.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

use super::desk::{Batch, Desk, Item, News};
use crate::hooks::webhook::{Event, Webhook, seconds_now};
use crate::metrics::{Count, Tally as _};
use crate::presence::{Edge, Stay};
use crate::store::{
    EdgeRecord, EventRecord, GoneRecord, HereRecord, Journal, JournalDraft, JournalRecord,
    LifeRecord, StoreError,
};

/// Writes what is on the desk: a batch at a time, and where events or somebody waits for it, one sync for
/// all of it. Only then its events go to the webhook.
#[derive(Debug)]
pub(super) struct Pen {
    pub(super) desk: Arc<Desk>,
    pub(super) webhook: Option<Arc<Webhook>>,
    pub(super) journal: Journal,
    pub(super) page: Page,
    pub(super) life: LifeRecord,
    /// The events that the webhook has and the journal knows of.
    pub(super) due: BTreeMap<u64, EventRecord>,
    pub(super) told: Arc<Told>,
}

/// What others may know of the pen.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Nothing can be written: what a restart would find is old.
    pub(super) is_lost: AtomicBool,
    /// How many changes were not written down.
    pub(super) lost: Count,
}

/// Where the pen writes.
#[derive(Debug)]
pub(super) enum Page {
    /// At the end of the journal.
    Journal,
    /// Nowhere, before the next draft.
    Nowhere,
    /// A draft of the next journal, until all that is to be in it was told.
    Draft(JournalDraft),
}

/// What was taken up and waits for the sync.
#[derive(Debug, Default)]
struct Sheet {
    lines: Vec<u8>,
    changes: usize,
    /// Somebody waits for the disk.
    is_awaited: bool,
    /// The number of an event that was dropped is among them.
    is_skipping: bool,
    events: Vec<(Event, Option<EventRecord>)>,
    taken: usize,
}

/// What an entry of a users list has in it.
#[derive(Deserialize)]
struct Entry {
    name: Option<String>,
}

impl Pen {
    /// The life of the thread.
    pub(super) fn run(mut self) {
        while let Some(batch) = self.desk.take() {
            let events = batch.events();
            // A bug that one batch meets loses that, and no more.
            if catch_unwind(AssertUnwindSafe(|| self.write(batch))).is_err() {
                self.desk.passed_on(events);
                self.lose(&"a bug");
            }
        }
    }

    fn write(&mut self, batch: Batch) {
        let Batch { items, done, lost } = batch;
        let (mut sheet, mut waiting) = (Sheet::default(), Vec::new());
        for item in items {
            match item {
                Item::News(news) => self.take_up(news, &mut sheet),
                Item::Anew(begun) => {
                    self.finish(std::mem::take(&mut sheet));
                    let _ = begun.send(self.begin_draft());
                }
                Item::AllTold => {
                    self.finish(std::mem::take(&mut sheet));
                    self.end_draft();
                }
                Item::Asked(written) => {
                    sheet.is_awaited = true;
                    waiting.push(written);
                }
            }
        }
        self.finish(sheet);
        self.strike(&done);
        if lost.changes > 0 {
            self.told.lost.add(usize::try_from(lost.changes).unwrap_or(usize::MAX));
            // Their numbers are never told: so who counts knows.
            self.life.next = self.life.next.saturating_add(lost.events);
            self.lose(&"more changes at once than it can take");
        }
        if matches!(self.page, Page::Journal)
            && self.journal.is_large()
            && let Err(error) = self.journal.compact(self.life)
        {
            self.lose(&error);
        }
        for waiting in waiting {
            // Whoever no longer waits was told.
            let _ = waiting.send(());
        }
    }

    /// Adds the line of a change, and its event with a number if that can be promised.
    fn take_up(&mut self, news: News, sheet: &mut Sheet) {
        let News { client, edge, stay } = news;
        sheet.taken += usize::from(edge.is_some());
        let mut record = None;
        if let (Some(edge), Some(webhook)) = (edge, &self.webhook) {
            if webhook.has_room(sheet.events.len()) {
                let mut event = Event::new(client.clone(), edge);
                if matches!(self.page, Page::Journal) {
                    event.number = Some(self.life.next);
                    record = Some(recorded(&event, self.life.next));
                }
                sheet.is_awaited |= record.is_some();
                sheet.events.push((event, record.clone()));
            } else {
                webhook.drop_one(edge);
                sheet.is_skipping = true;
            }
            self.life.next = self.life.next.saturating_add(1);
        }
        sheet.changes += 1;
        if !matches!(self.page, Page::Nowhere) {
            let client = client.as_str().to_owned();
            let record = match stay {
                Some(mut stay) => {
                    // Where there is nobody to tell, a later process is not to tell the end alone.
                    stay.is_announced &= self.webhook.is_some();
                    JournalRecord::Here(here(client, stay, record))
                }
                None => JournalRecord::Gone(GoneRecord { client, event: record }),
            };
            record.write_to(&mut sheet.lines);
        }
    }

    /// Writes what was taken up, and passes its events on: without a number where that failed.
    fn finish(&mut self, sheet: Sheet) {
        let Sheet { mut lines, changes, is_awaited, is_skipping, events, taken } = sheet;
        if is_skipping {
            // A number that is never told is not given again by the next process either.
            JournalRecord::Life(self.life).write_to(&mut lines);
        }
        let written = match &mut self.page {
            _ if changes == 0 && !is_awaited => Ok(()),
            Page::Journal => self.journal.append(&lines, is_awaited),
            Page::Draft(draft) => draft.append(&lines),
            Page::Nowhere => Ok(()),
        };
        if let Err(error) = &written {
            self.lose(error);
        }
        if matches!(self.page, Page::Nowhere) {
            self.told.lost.add(changes);
        }
        for (mut event, record) in events {
            match record {
                Some(record) if written.is_ok() => _ = self.due.insert(record.number, record),
                _ => event.number = None,
            }
            if let Some(webhook) = &self.webhook {
                webhook.put(event);
            }
        }
        self.desk.passed_on(taken);
    }

    /// Notes which events are over. Not synced: after the loss of power they are told once more.
    fn strike(&mut self, done: &[u64]) {
        let mut lines = Vec::new();
        for number in done {
            if self.due.remove(number).is_some() {
                JournalRecord::Done(*number).write_to(&mut lines);
            }
        }
        let written = match &mut self.page {
            _ if lines.is_empty() => Ok(()),
            Page::Journal => self.journal.append(&lines, false),
            Page::Draft(draft) => draft.append(&lines),
            Page::Nowhere => Ok(()),
        };
        if let Err(error) = written {
            self.lose(&error);
        }
    }

    /// Begins a draft with what is due; `false` if that cannot be.
    fn begin_draft(&mut self) -> bool {
        match self.draft() {
            Ok(draft) => {
                self.page = Page::Draft(draft);
                true
            }
            Err(error) => {
                tracing::debug!(%error, "the journal still cannot be written");
                false
            }
        }
    }

    fn draft(&self) -> Result<JournalDraft, StoreError> {
        let mut draft = self.journal.draft()?;
        draft.write(self.life, self.due.values().cloned(), std::iter::empty())?;
        Ok(draft)
    }

    /// Everyone is in the draft: it is the journal.
    fn end_draft(&mut self) {
        let Page::Draft(mut draft) = std::mem::replace(&mut self.page, Page::Nowhere) else {
            return;
        };
        // What was numbered and lost meanwhile is not to be numbered again.
        let mut line = Vec::new();
        JournalRecord::Life(self.life).write_to(&mut line);
        match draft.append(&line).and_then(|()| self.journal.begin(draft)) {
            Ok(()) => {
                self.page = Page::Journal;
                self.told.is_lost.store(false, Ordering::Relaxed);
                tracing::info!("the journal is written again: a restart knows who was here");
            }
            Err(error) => tracing::debug!(%error, "the journal still cannot be written"),
        }
    }

    /// Gives up the journal as it is, until it can be written anew.
    pub(super) fn lose(&mut self, why: &dyn std::fmt::Display) {
        self.page = Page::Nowhere;
        if !self.told.is_lost.swap(true, Ordering::Relaxed) {
            tracing::error!(
                %why,
                "the journal is not written: until it is, a restart does not know who was here, and \
                 events for hooks.url do not outlive this process"
            );
        }
    }
}

fn recorded(event: &Event, number: u64) -> EventRecord {
    EventRecord {
        number,
        id: event.id.to_string(),
        client: event.client.as_str().to_owned(),
        edge: match event.edge {
            Edge::Connected => EdgeRecord::Connected,
            Edge::Disconnected => EdgeRecord::Disconnected,
        },
        at: Some(seconds_now()),
    }
}

fn here(client: String, stay: Stay, event: Option<EventRecord>) -> HereRecord {
    HereRecord {
        client,
        name: serde_json::from_str::<Entry>(&stay.entry).ok().and_then(|entry| entry.name),
        address: stay.address,
        origin: stay.origin.map(|origin| (*origin).to_owned()),
        counted: stay.is_counted,
        channels: stay.channels.iter().map(|channel| channel.as_str().to_owned()).collect(),
        line: stay.has_line,
        alone: stay.is_alone,
        told: stay.is_announced,
        event,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::PathBuf;

    use tokio::sync::oneshot;

    use super::*;
    use crate::channel::ChannelName;
    use crate::identity::ClientId;
    use crate::store::{DataDir, Journaled};

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("pushgate-pen-{}", uuid::Uuid::new_v4())))
        }

        fn read(&self) -> (Journal, Journaled) {
            DataDir::open(&self.0).unwrap().journal().unwrap()
        }

        /// Who is here by the journal.
        fn here(&self) -> Vec<String> {
            self.read().1.here.into_keys().collect()
        }

        /// A pen as it begins, and its desk with room for two.
        fn pen(&self) -> (Pen, Arc<Desk>) {
            let (mut journal, said) = self.read();
            let mut draft = journal.draft().unwrap();
            let (life, desk) = (said.life, Arc::new(Desk::with_capacity(2)));
            draft.write(life, std::iter::empty(), said.here.into_values()).unwrap();
            journal.begin(draft).unwrap();
            let (webhook, page, told) = (None, Page::Journal, Arc::default());
            let (due, desk_of_pen) = (BTreeMap::new(), Arc::clone(&desk));
            (Pen { desk: desk_of_pen, webhook, journal, page, life, due, told }, desk)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn news(client: &str) -> News {
        let stay = Stay {
            entry: Arc::from(r#"{"client_id":"x","ip":"","name":"Ann \"A\""}"#),
            address: Ipv4Addr::LOCALHOST.into(),
            origin: None,
            is_counted: true,
            channels: vec![ChannelName::root()],
            has_line: false,
            is_alone: false,
            is_announced: false,
        };
        News { client: ClientId::parse(client).unwrap(), edge: None, stay: Some(stay) }
    }

    #[test]
    fn what_finds_no_room_is_lost_until_everyone_is_told_anew() {
        let scratch = Scratch::new();
        let (mut pen, desk) = scratch.pen();
        for client in ["ann", "bob", "cid", "dot"] {
            assert_eq!(desk.lay(news(client)).is_ok(), ["ann", "bob"].contains(&client));
        }
        pen.write(desk.take().unwrap());
        assert_eq!(scratch.here(), ["ann", "bob"]);
        assert_eq!(pen.told.lost.get(), 2);
        desk.lay(news("eve")).unwrap();
        pen.write(desk.take().unwrap());
        assert_eq!(scratch.here(), ["ann", "bob"], "the journal is as it was");
        assert!(pen.told.is_lost.load(Ordering::Relaxed));

        let (begun, mut has_begun) = oneshot::channel();
        desk.ask(Item::Anew(begun));
        desk.lay(news("eve")).unwrap();
        pen.write(desk.take().unwrap());
        assert_eq!(has_begun.try_recv(), Ok(true));
        assert_eq!(scratch.here(), ["ann", "bob"], "a crash finds the old one");
        desk.lay(news("fay")).unwrap();
        desk.ask(Item::AllTold);
        pen.write(desk.take().unwrap());
        assert_eq!(scratch.here(), ["eve", "fay"]);
        assert!(!pen.told.is_lost.load(Ordering::Relaxed));
        desk.lay(news("gus")).unwrap();
        pen.write(desk.take().unwrap());
        let (_, said) = scratch.read();
        assert_eq!(said.here.keys().collect::<Vec<_>>(), ["eve", "fay", "gus"]);
        assert_eq!(said.here["gus"].name.as_deref(), Some("Ann \"A\""));
    }

    #[test]
    fn a_draft_that_does_not_hear_of_all_is_given_up() {
        let scratch = Scratch::new();
        let (mut pen, desk) = scratch.pen();
        desk.lay(news("ann")).unwrap();
        pen.write(desk.take().unwrap());
        pen.lose(&"a test");
        let (begun, _has_begun) = oneshot::channel();
        desk.ask(Item::Anew(begun));
        desk.lay(news("bob")).unwrap();
        assert!(desk.lay(news("cid")).is_err());
        pen.write(desk.take().unwrap());
        desk.ask(Item::AllTold);
        pen.write(desk.take().unwrap());
        assert_eq!(scratch.here(), ["ann"]);
        assert!(pen.told.is_lost.load(Ordering::Relaxed));
    }
}
