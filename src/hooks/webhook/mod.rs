//! The webhook: a backend is told by HTTP of each client that connects, and of its end.
//!
//! Presence announces; what it announces waits in the [`queue`], in order for each client; a few
//! threads take from it and [`sender`] posts. What fails is tried again later ([`backoff`]), and
//! the next event of the same client waits for it, while those of others pass. What is written down is
//! tried for a day, also by the processes after this one; the rest for some minutes. Nothing here is
//! waited for by anyone but the drain.
//!
//! Delivered is delivered at least once: an answer that is lost has the event sent again, under the
//! same id. Source: wire.md section 6, "Hooks"; robustness.md, A11.

mod backoff;
mod body;
mod event;
mod failure;
mod queue;
mod resolver;
mod seldom;
mod sender;
mod signature;
mod tally;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::failure::Failure;
use self::queue::Queue;
use self::seldom::Seldom;
use self::sender::Sender;
use super::scribe::Desk;
use crate::config::Hooks;
use crate::identity::ClientId;
use crate::presence::{Announce, Edge, Stay};

pub(super) use self::event::{Event, seconds_now};
pub use self::failure::Reason;
pub use self::tally::{Outcome, Tally};

/// How many events are sent at once, each of another client: so many may hang in a receiver before
/// all others wait.
const AT_ONCE: usize = 8;

/// How often an event is tried at the least: for three minutes on average, for six at most.
const TRIES: u32 = 12;
/// How long one that was written down is tried for at the least.
const KEPT: Duration = Duration::from_hours(24);

/// Tells a backend of those who come and go.
///
/// Writers: presence puts events in, the threads take them out. Bound: `hooks.queue`; what comes
/// then is dropped and counted. Dropped, it ends without another attempt.
#[derive(Debug)]
pub struct Webhook(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Queue,
    /// Where what becomes of events that were written down is; none where none are.
    desk: Option<Arc<Desk>>,
    sender: Sender,
    tally: Tally,
    failing: Seldom,
    dropping: Seldom,
    giving_up: Seldom,
}

impl Webhook {
    /// Starts the threads; `None` where no receiver is configured.
    ///
    /// # Errors
    /// No more threads can be had.
    pub fn start(hooks: &Hooks) -> io::Result<Option<Self>> {
        Self::start_with(hooks, None)
    }

    /// The same for events that come from the scribe, and are told to be done on its desk.
    pub(super) fn start_with(hooks: &Hooks, desk: Option<Arc<Desk>>) -> io::Result<Option<Self>> {
        let Some(shared) = Shared::new(hooks, desk) else { return Ok(None) };
        let webhook = Self(Arc::new(shared));
        for number in 0..AT_ONCE {
            let shared = Arc::clone(&webhook.0);
            let name = format!("webhook-{number}");
            std::thread::Builder::new().name(name).spawn(move || shared.run())?;
        }
        Ok(Some(webhook))
    }

    /// What was counted.
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// How many events wait or are being sent.
    pub fn waiting(&self) -> usize {
        self.0.queue.len() + self.0.desk.as_ref().map_or(0, |desk| desk.events())
    }

    /// Whether there is room for one more event behind so many that are to be [put](Self::put).
    pub(super) fn has_room(&self, before: usize) -> bool {
        self.0.queue.has_room(before + 1)
    }

    /// Has an event that there was room for sent.
    pub(super) fn put(&self, event: Event) {
        let (edge, is_kept) = (event.edge, event.number.is_some());
        if self.0.queue.push_promised(event).is_err() && !is_kept {
            self.0.tally.ended(edge, Outcome::Dropped);
        }
    }

    /// Counts an event that there was no room for.
    pub(super) fn drop_one(&self, edge: Edge) {
        self.0.tally.ended(edge, Outcome::Dropped);
        // Told by a thread that may wait for the log.
        self.0.dropping.note();
    }

    /// Takes no more events, gives those there are until `within` to be sent, and drops the rest, but
    /// for those that are written down. Those that wait to be tried again are, at once.
    pub async fn finish(&self, within: Duration) {
        let left = self.0.queue.finish(within).await;
        let (kept, dropped): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|event| event.number.is_some());
        if !kept.is_empty() {
            tracing::warn!(
                events = kept.len(),
                "events for hooks.url could not be sent before the end: they are after the next start"
            );
        }
        if !dropped.is_empty() {
            tracing::warn!(
                events = dropped.len(),
                "events for hooks.url are dropped: they could not be sent before the end"
            );
        }
        for event in dropped {
            self.0.tally.ended(event.edge, Outcome::Dropped);
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.0.queue.stop();
    }
}

impl Announce for Webhook {
    fn announce(&self, client: &ClientId, edge: Option<Edge>, _: Option<Stay>) {
        if let Some(edge) = edge
            && self.0.queue.push(Event::new(client.clone(), edge)).is_err()
        {
            self.drop_one(edge);
        }
    }
}

impl Shared {
    fn new(hooks: &Hooks, desk: Option<Arc<Desk>>) -> Option<Self> {
        Some(Self {
            queue: Queue::new(hooks.queue),
            desk,
            sender: Sender::new(hooks)?,
            tally: Tally::default(),
            failing: Seldom::default(),
            dropping: Seldom::default(),
            giving_up: Seldom::default(),
        })
    }

    /// The life of one thread.
    fn run(&self) {
        while let Some(event) = self.queue.next() {
            let attempt = AssertUnwindSafe(|| self.sender.send(&event));
            let sent = catch_unwind(attempt).unwrap_or(Err(Failure::UNKNOWN));
            self.judge(&event, sent, Instant::now());
        }
    }

    fn judge(&self, event: &Event, sent: Result<(), Failure>, now: Instant) {
        if let Some(events) = self.dropping.due(now) {
            tracing::error!(events, "events for hooks.url are dropped: hooks.queue of them wait");
        }
        let Err(failure) = sent else {
            return self.end(event, Outcome::Delivered);
        };
        self.tally.failed(failure.reason);
        tracing::debug!(client.id = %event.client, %failure, "an event could not be sent");
        if !is_given_up(event, now) {
            self.failing.note();
            if let Some(attempts) = self.failing.due(now) {
                tracing::warn!(attempts, %failure, "hooks.url does not take events: tried again");
            }
            return self.queue.again(&event.client, now + backoff::wait(event.tries));
        }
        self.giving_up.note();
        if let Some(events) = self.giving_up.due(now) {
            tracing::error!(events, %failure, "events for hooks.url are given up");
        }
        self.end(event, Outcome::GivenUp);
    }

    /// Lets an event go.
    fn end(&self, event: &Event, outcome: Outcome) {
        self.tally.ended(event.edge, outcome);
        if let (Some(desk), Some(number)) = (&self.desk, event.number) {
            desk.done(number);
        }
        self.queue.done(&event.client);
    }
}

/// Whether the attempt that has just failed was the last of an event. One that was written down has as
/// many in each process as any other, also where the clock says that its time is over.
fn is_given_up(event: &Event, now: Instant) -> bool {
    let is_over = event.number.is_none() || event.age(now) >= KEPT;
    is_over && event.tries.saturating_add(1) >= TRIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn what_was_written_down_is_tried_for_a_day_and_a_few_times_in_each_process() {
        let now = Instant::now();
        let event = |number, tries| {
            let ann = ClientId::parse("ann").unwrap();
            let new = Event::new(ann, Edge::Connected);
            Event { number, tries, ..new }
        };
        let later = now + KEPT + Duration::from_secs(1);
        assert!(is_given_up(&event(None, TRIES - 1), now));
        for (tries, at, is_over) in
            [(TRIES, now, false), (TRIES - 2, later, false), (TRIES - 1, later, true)]
        {
            assert_eq!(is_given_up(&event(Some(7), tries), at), is_over, "{tries}");
        }
        // Of an earlier process, by a clock that may be wrong.
        let yesterday = seconds_now() - KEPT.as_secs();
        for (happened, is_over) in [(yesterday, true), (seconds_now() + 9_000, false), (0, true)] {
            let event = event(None, TRIES);
            let event = Event { tries: TRIES, ..event.clone().known(event.id, 7, Some(happened)) };
            assert_eq!(is_given_up(&event, now + Duration::from_secs(1)), is_over);
        }
    }

    #[test]
    fn an_event_is_given_up_after_its_last_attempt_and_the_next_one_is_sent() {
        let url = Some("http://localhost:1".to_owned());
        let secret = Some(Secret::new("9f2c4e8a1b7d3056"));
        let shared = Shared::new(&Hooks { url, secret, ..Hooks::default() }, None).unwrap();
        let ann = ClientId::parse("ann").unwrap();
        for edge in [Edge::Connected, Edge::Disconnected] {
            shared.queue.push(Event::new(ann.clone(), edge)).unwrap();
        }
        // Long ago: what is to be tried again can be at once.
        let now = Instant::now().checked_sub(Duration::from_mins(2)).unwrap();
        for tries in 0..TRIES {
            let event = shared.queue.next().unwrap();
            assert_eq!((event.edge, event.tries), (Edge::Connected, tries));
            shared.judge(&event, Err(Failure::status(500)), now);
        }
        assert_eq!(shared.tally.events.get((Edge::Connected, Outcome::GivenUp)), 1);
        assert_eq!(shared.tally.failures.get(Reason::Status), u64::from(TRIES));
        let event = shared.queue.next().unwrap();
        assert_eq!((event.edge, event.tries), (Edge::Disconnected, 0));
        shared.judge(&event, Ok(()), now);
        assert_eq!(shared.queue.len(), 0);
    }
}
