//! The webhook: a backend is told by HTTP of each client that connects, and of its end.
//!
//! Presence announces; what it announces waits in the [`queue`], in order for each client; a few
//! threads take from it and [`sender`] posts. What fails is tried again later ([`backoff`]), and
//! the next event of the same client waits for it, while those of others pass. Nothing here is
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

use self::event::Event;
use self::failure::Failure;
use self::queue::Queue;
use self::seldom::Seldom;
use self::sender::Sender;
use crate::config::Hooks;
use crate::identity::ClientId;
use crate::presence::{Announce, Edge};

pub use self::failure::Reason;
pub use self::tally::{Outcome, Tally};

/// How many events are sent at once, each of another client: so many may hang in a receiver before
/// all others wait.
const AT_ONCE: usize = 8;

/// How often an event is tried: for three minutes on average, for six at most.
const TRIES: u32 = 12;

/// Tells a backend of those who come and go.
///
/// Writers: presence puts events in, the threads take them out. Bound: `hooks.queue`; what comes
/// then is dropped and counted. Dropped, it ends without another attempt.
#[derive(Debug)]
pub struct Webhook(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Queue,
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
        let Some(shared) = Shared::new(hooks) else { return Ok(None) };
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
        self.0.queue.len()
    }

    /// Takes no more events, gives those there are until `within` to be sent, and drops the rest. Those
    /// that wait to be tried again are, at once.
    pub async fn finish(&self, within: Duration) {
        let left = self.0.queue.finish(within).await;
        if !left.is_empty() {
            tracing::warn!(
                events = left.len(),
                "events for hooks.url are dropped: they could not be sent before the end"
            );
        }
        for edge in left {
            self.0.tally.ended(edge, Outcome::Dropped);
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.0.queue.stop();
    }
}

impl Announce for Webhook {
    fn announce(&self, client: &ClientId, edge: Edge) {
        if self.0.queue.push(Event::new(client.clone(), edge)).is_err() {
            self.0.tally.ended(edge, Outcome::Dropped);
            // Told by a thread that may wait for the log.
            self.0.dropping.note();
        }
    }
}

impl Shared {
    fn new(hooks: &Hooks) -> Option<Self> {
        Some(Self {
            queue: Queue::new(hooks.queue),
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
            tracing::warn!(events, "events for hooks.url are dropped: hooks.queue of them wait");
        }
        let Err(failure) = sent else {
            self.tally.ended(event.edge, Outcome::Delivered);
            return self.queue.done(&event.client);
        };
        self.tally.failed(failure.reason);
        tracing::debug!(client.id = %event.client, %failure, "an event could not be sent");
        if event.tries + 1 < TRIES {
            self.failing.note();
            if let Some(attempts) = self.failing.due(now) {
                tracing::warn!(attempts, %failure, "hooks.url does not take events: tried again");
            }
            return self.queue.again(&event.client, now + backoff::wait(event.tries));
        }
        self.tally.ended(event.edge, Outcome::GivenUp);
        self.giving_up.note();
        if let Some(events) = self.giving_up.due(now) {
            tracing::warn!(events, %failure, tries = TRIES, "events for hooks.url are given up");
        }
        self.queue.done(&event.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn an_event_is_given_up_after_its_last_attempt_and_the_next_one_is_sent() {
        let url = Some("http://localhost:1".to_owned());
        let secret = Some(Secret::new("9f2c4e8a1b7d3056"));
        let shared = Shared::new(&Hooks { url, secret, ..Hooks::default() }).unwrap();
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
