//! One connection: a thread that reads a transport, and the queue its events come through.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::thread;
use std::time::Duration;

use super::ending::Ending;
use super::{Transport, poll, sse, stream, ws};
use crate::command::address::Channel;
use crate::command::error::CommandError;
use crate::command::gateway::Gateway;
use crate::command::options::Secret;

/// What a connection, or the user, has to say. The queue is bounded: a full one holds the
/// connection back, and the gateway answers with 4008, after which we resume.
#[derive(Debug)]
pub(crate) enum Event {
    /// The gateway accepted the connection.
    Open,
    /// A message; `id` where the transport tells one beside it.
    Text { text: String, id: Option<String> },
    /// Everything up to here has been told.
    Position(String),
    /// The last event of a connection.
    Ended(Ending),
    /// Ctrl-C, or SIGTERM.
    Interrupted,
}

/// What a connection is made from.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) gateway: Gateway,
    pub(crate) channel: Channel,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) bearer: Option<Secret>,
}

impl Plan {
    /// The address of `verb`, with `more` after what every connection asks for.
    pub(crate) fn url(&self, verb: &str, more: &[(&str, &str)]) -> String {
        let common = self.query.iter().map(|(name, value)| (*name, value.as_str()));
        let query: Vec<(&str, &str)> = common.chain(more.iter().copied()).collect();
        self.gateway.address().of(verb, &self.channel, &query)
    }
}

/// The end of a connection that its thread holds.
#[derive(Debug)]
pub(crate) struct Port {
    events: SyncSender<Event>,
    stop: Receiver<()>,
}

impl Port {
    /// Tells `event`; waits while the queue is full.
    pub(crate) fn tell(&self, event: Event) -> Result<(), Ending> {
        self.events.send(event).map_err(|_| Ending::Stopped)
    }

    /// Tells a message that has no id beside it.
    pub(crate) fn text(&self, text: String) -> Result<(), Ending> {
        self.tell(Event::Text { text, id: None })
    }

    /// Waits for `pause`, or until nobody wants the connection any longer.
    pub(crate) fn pause(&self, pause: Duration) -> Result<(), Ending> {
        match self.stop.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Ending::Stopped),
        }
    }
}

/// The end that the follower holds; dropping it tells the thread to stop.
#[derive(Debug)]
pub(crate) struct Connection {
    _stop: Sender<()>,
}

impl Connection {
    /// Opens `transport` as `plan` says; all news of it come to `events`, `Ended` last.
    pub(crate) fn open(
        transport: Transport,
        plan: Plan,
        events: SyncSender<Event>,
    ) -> Result<Self, CommandError> {
        let (stop, stopped) = channel();
        let port = Port { events, stop: stopped };
        let run = move || {
            let read = AssertUnwindSafe(|| match transport {
                Transport::Ws => ws::read(&plan, &port),
                Transport::Sse => sse::read(&plan, &port),
                Transport::Stream => stream::read(&plan, &port),
                Transport::Poll => poll::read(&plan, &port),
            });
            let ending = match catch_unwind(read) {
                Ok(Ok(never)) => match never {},
                Ok(Err(ending)) => ending,
                Err(_) => Ending::Lost("the reader broke".to_owned()),
            };
            // Nobody listens when the follower is done, which is fine.
            let _ = port.tell(Event::Ended(ending));
        };
        thread::Builder::new()
            .name(transport.verb().to_owned())
            .spawn(run)
            .map_err(CommandError::Runtime)?;
        Ok(Self { _stop: stop })
    }

    /// Ends the connection, giving a WebSocket the time to say goodbye.
    pub(crate) fn close(self, transport: Transport, events: &Receiver<Event>) {
        drop(self);
        if transport != Transport::Ws {
            return;
        }
        while let Ok(event) = events.recv_timeout(Duration::from_secs(1)) {
            if matches!(event, Event::Ended(_) | Event::Interrupted) {
                return;
            }
        }
    }
}
