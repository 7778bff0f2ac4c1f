//! The scribe: who is here is written down, so that a restart knows it, and what the webhook is to tell
//! is, before it is told.
//!
//! Presence lays each change on the [`desk`]; the [`pen`], one thread, takes all that lies there, writes
//! it to the journal, syncs once for all events in it, and passes these on to the webhook. So nobody waits
//! for a disk but events and logouts. A change of a client and the event that goes with it are one line: a crash has both, or
//! neither.
//!
//! Where the disk takes nothing, or less than comes, the gateway goes on without: events are sent as they
//! come, without a number, and the journal stays as it was. [`Scribe::mend`] has everyone who is here
//! told again, into a new journal that takes its place as a whole.

mod desk;
mod pen;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

pub(super) use self::desk::Desk;
use self::desk::{Item, News};
use self::pen::{Page, Pen, Told};
use super::webhook::{Event, Webhook};
use crate::config::Hooks;
use crate::identity::ClientId;
use crate::metrics::Tally as _;
use crate::presence::{Announce, Edge, Presence, Stay};
use crate::store::{
    EdgeRecord, EventRecord, HereRecord, Journal, Journaled, LifeRecord, StoreError,
};

/// Writes down who comes and goes.
///
/// Writers: presence. Bound: that of its desk, 100 000 changes; what comes then is lost and counted, and
/// everyone who is here is written down anew. Dropped, it writes what lies there and ends.
#[derive(Debug)]
pub struct Scribe {
    desk: Arc<Desk>,
    webhook: Option<Arc<Webhook>>,
    told: Arc<Told>,
}

impl Scribe {
    /// Starts the webhook, if there is a receiver, and the thread, with the events that are due from an
    /// earlier life. Answers who was here then, too.
    ///
    /// # Errors
    /// No more threads can be had.
    pub fn start(
        hooks: &Hooks,
        journal: Journal,
        said: Journaled,
    ) -> io::Result<(Self, Vec<HereRecord>)> {
        let desk = Arc::new(Desk::new());
        let webhook = Webhook::start_with(hooks, Some(Arc::clone(&desk)))?.map(Arc::new);
        let Journaled { life, here, due, .. } = said;
        let life = LifeRecord { epoch: life.epoch.saturating_add(1), ..life };
        let due = pass_on(webhook.as_deref(), due);
        let told = Arc::<Told>::default();
        let mut pen = Pen {
            desk: Arc::clone(&desk),
            webhook: webhook.clone(),
            journal,
            page: Page::Nowhere,
            life,
            due,
            told: Arc::clone(&told),
        };
        match begin(&mut pen, &here) {
            Ok(()) => pen.page = Page::Journal,
            Err(error) => pen.lose(&error),
        }
        std::thread::Builder::new().name("scribe".to_owned()).spawn(move || pen.run())?;
        Ok((Self { desk, webhook, told }, here.into_values().collect()))
    }

    /// Tells a backend of who comes and goes; none where no receiver is configured.
    pub fn webhook(&self) -> Option<&Arc<Webhook>> {
        self.webhook.as_ref()
    }

    /// How many changes were not written down.
    pub fn lost(&self) -> u64 {
        self.told.lost.get()
    }

    /// Waits until all that was announced so far is on disk, or is known not to be.
    pub async fn written(&self) {
        let (written, is_written) = oneshot::channel();
        self.desk.ask(Item::Asked(written));
        // Dropped where there is no room: then it is lost.
        let _ = is_written.await;
    }

    /// Has what was written be on disk, and where nothing could be, everyone who is here written into a
    /// new journal. To be called from time to time.
    pub async fn mend(&self, presence: &Arc<Presence>) {
        self.written().await;
        if !self.told.is_lost.load(Ordering::Relaxed) {
            return;
        }
        let (begun, has_begun) = oneshot::channel();
        self.desk.ask(Item::Anew(begun));
        if has_begun.await != Ok(true) {
            return;
        }
        let (desk, presence) = (Arc::clone(&self.desk), Arc::clone(presence));
        let told = tokio::task::spawn_blocking(move || {
            presence.announce_all(|| desk.wait_for_room());
            desk.ask(Item::AllTold);
        });
        if told.await.is_err() {
            tracing::error!("telling who is here panicked");
        }
    }

    /// Has presence announce that everyone has gone; it is written down when this returns.
    pub async fn end(&self, presence: &Arc<Presence>) {
        self.desk.end();
        let (desk, presence) = (Arc::clone(&self.desk), Arc::clone(presence));
        let told = tokio::task::spawn_blocking(move || {
            presence.announce_the_end(|| desk.wait_for_room());
        });
        if told.await.is_err() {
            tracing::error!("telling that everyone has gone panicked");
        }
        self.written().await;
    }

    /// Takes nothing more: what lies on the desk is written, and nobody waits for it.
    pub fn close(&self) {
        self.desk.close();
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl Announce for Scribe {
    fn announce(&self, client: &ClientId, edge: Option<Edge>, stay: Option<Stay>) {
        let laid = self.desk.lay(News { client: client.clone(), edge, stay });
        if let (Err(_), Some(edge), Some(webhook)) = (laid, edge, &self.webhook) {
            webhook.drop_one(edge);
        }
    }
}

/// Has the webhook send what is due. What there is nobody to send to is dropped.
fn pass_on(
    webhook: Option<&Webhook>,
    due: BTreeMap<u64, EventRecord>,
) -> BTreeMap<u64, EventRecord> {
    let Some(webhook) = webhook else {
        if !due.is_empty() {
            tracing::warn!(
                events = due.len(),
                "events are dropped: there is no hooks.url any more"
            );
        }
        return BTreeMap::new();
    };
    if !due.is_empty() {
        tracing::info!(events = due.len(), "events of an earlier process are sent to hooks.url");
    }
    // In the order of their numbers, which is that of each client.
    due.into_iter()
        .filter(|(number, record)| {
            let event = event_of(*number, record);
            let is_known = event.is_some();
            if let Some(event) = event {
                webhook.put(event);
            }
            is_known
        })
        .collect()
}

fn event_of(number: u64, record: &EventRecord) -> Option<Event> {
    let client = ClientId::parse(&record.client).ok()?;
    let edge = match record.edge {
        EdgeRecord::Connected => Edge::Connected,
        EdgeRecord::Disconnected => Edge::Disconnected,
    };
    let id = record.id.parse().ok()?;
    Some(Event::new(client, edge).known(id, number, record.at))
}

/// Begins a journal with what the last one left.
fn begin(pen: &mut Pen, here: &BTreeMap<String, HereRecord>) -> Result<(), StoreError> {
    let mut draft = pen.journal.draft()?;
    draft.write(pen.life, pen.due.values().cloned(), here.values().cloned())?;
    pen.journal.begin(draft)
}
