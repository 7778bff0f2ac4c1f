//! The loop of a subscription: connect, hand on, judge the ending, wait, go on.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Connection, Event, Plan};
use super::ending::Ending;
use super::message::Message;
use super::progress::Progress;
use super::{Flow, Sink, Transport, Wish};
use crate::command::backoff::Backoff;
use crate::command::error::{CommandError, Retry};
use crate::command::gateway::Gateway;
use crate::command::identity::{Identity, May};
use crate::command::problem::Problem;
use crate::command::{interrupt, output};

/// Events on their way from a connection.
const QUEUE: usize = 256;
/// A connection that stood this long was a good one, even if nothing was said.
const STEADY: Duration = Duration::from_secs(30);
/// Connections in a row that bring nothing before the next transport is tried.
const FRUITLESS: u32 = 2;
/// Connections that never stand before the gateway counts as unreachable.
const HOPELESS: u32 = 6;

/// Keeps a subscription alive and hands what it brings to a sink.
pub(crate) struct Follower<'a> {
    gateway: Gateway,
    identity: Identity,
    wish: Wish,
    sink: &'a mut dyn Sink,
    progress: Progress,
    backoff: Backoff,
    standing: Standing,
    /// Of `wish.transports`, those not yet given up; the first is in use.
    transports: &'static [Transport],
}

/// How the connections so far went.
#[derive(Debug, Default)]
struct Standing {
    /// One was accepted at some time.
    ever_open: bool,
    /// Ended in a row without having been accepted, before any was.
    failed: u32,
    /// Ended in a row without having brought anything.
    fruitless: u32,
    /// We logged in anew and nothing published has arrived since.
    mended: bool,
    /// When the present one was accepted.
    open_since: Option<Instant>,
    /// It brought something.
    fruitful: bool,
}

/// What comes after a connection.
enum Next {
    /// The sink is done, or the user is.
    Done,
    /// Another one, for the reason that this one ended.
    Again(Ending),
}

impl<'a> Follower<'a> {
    /// A follower that has not connected yet.
    pub(crate) fn new(
        gateway: Gateway,
        identity: Identity,
        wish: Wish,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let mut transports = wish.transports;
        if gateway.is_proxied() && transports.len() > 1 {
            // WebSocket would go past the proxy, where there may be no way.
            transports = without_ws(transports);
        }
        Self {
            gateway,
            identity,
            progress: Progress::new(wish.start.clone()),
            wish,
            sink,
            backoff: Backoff::default(),
            standing: Standing::default(),
            transports,
        }
    }

    /// Follows until the sink is done or Ctrl-C, both of which are good endings.
    ///
    /// # Errors
    /// What no new connection mends: a refusal, a close code that forbids to come back, a gateway
    /// that could not be reached at all.
    pub(crate) fn run(mut self) -> Result<(), CommandError> {
        let (sender, events) = sync_channel(QUEUE);
        let interrupted = sender.clone();
        // A full queue means that its reader is blocked; the grace takes care of that.
        interrupt::watch(move || drop(interrupted.try_send(Event::Interrupted)))?;
        let done = self.connections(&sender, &events);
        self.identity.leave(&self.gateway);
        done
    }

    fn connections(
        &mut self,
        sender: &SyncSender<Event>,
        events: &Receiver<Event>,
    ) -> Result<(), CommandError> {
        loop {
            let ending = match self.connection(sender, events)? {
                Next::Done => return Ok(()),
                Next::Again(ending) => ending,
            };
            let wait = self.judge(ending)?;
            if let Ok(Event::Interrupted) = events.recv_timeout(wait) {
                return Ok(());
            }
        }
    }

    /// Makes a connection and hands on what it brings until it ends.
    fn connection(
        &mut self,
        sender: &SyncSender<Event>,
        events: &Receiver<Event>,
    ) -> Result<Next, CommandError> {
        self.standing.open_since = None;
        self.standing.fruitful = false;
        let plan = match self.plan() {
            Ok(plan) => plan,
            Err(error) => return Ok(Next::Again(Ending::Failed(error))),
        };
        let transport = self.transport();
        let connection = Connection::open(transport, plan, sender.clone())?;
        while let Ok(event) = events.recv() {
            let flow = match event {
                Event::Open => self.opened(transport),
                Event::Text { text, id } => self.deliver(&text, id.as_deref())?,
                Event::Position(position) => {
                    self.standing.arrived();
                    self.progress.reached(position);
                    Flow::More
                }
                Event::Ended(ending) => return Ok(Next::Again(ending)),
                Event::Interrupted => Flow::Done,
            };
            if flow == Flow::Done {
                connection.close(transport, events);
                break;
            }
        }
        Ok(Next::Done)
    }

    fn plan(&mut self) -> Result<Plan, CommandError> {
        let bearer = self.identity.for_channel(&self.gateway, &self.wish.channel, May::Read)?;
        let mut query = vec![("ids", "1".to_owned()), ("users", self.wish.users.to_owned())];
        query.extend(self.progress.query());
        Ok(Plan {
            gateway: self.gateway.clone(),
            channel: self.wish.channel.clone(),
            query,
            bearer,
        })
    }

    fn opened(&mut self, transport: Transport) -> Flow {
        self.standing.ever_open = true;
        self.standing.open_since = Some(Instant::now());
        output::status(&format!("connected ({})", transport.verb()));
        Flow::More
    }

    /// Hands one message on, unless it came before.
    fn deliver(&mut self, text: &str, beside: Option<&str>) -> Result<Flow, CommandError> {
        self.standing.arrived();
        let message = Message::read(text);
        match &message {
            Message::Position(position) => {
                self.progress.reached(position.clone());
                return Ok(Flow::More);
            }
            Message::Data { id, .. } => {
                let id = beside.or(id.as_deref());
                if id.is_some_and(|id| !self.progress.advance(id)) {
                    return Ok(Flow::More);
                }
            }
            Message::Gap | Message::Presence | Message::Error | Message::Close(_) => {}
        }
        if matches!(message, Message::Data { .. }) {
            self.backoff.reset();
            self.standing.mended = false;
        }
        self.sink.take(text, &message)
    }

    /// How long to wait before the next connection; an error if there must be none.
    fn judge(&mut self, ending: Ending) -> Result<Duration, CommandError> {
        if self.standing.open_since.is_some_and(|since| since.elapsed() > STEADY) {
            self.backoff.reset();
            self.standing.mended = false;
        }
        let (why, asked) = match ending {
            Ending::Closed(code @ (4002 | 4003)) => return Err(CommandError::Closed(code)),
            Ending::Closed(4001) => return self.expired(),
            Ending::Closed(code) => (format!("the gateway closed the connection ({code})"), None),
            Ending::Later(wait) => ("the gateway asks to wait".to_owned(), Some(wait)),
            Ending::Blocked(error) if self.standing.ever_open => {
                // It got through before: a proxy whose gateway is being replaced, or another net.
                self.count_fruitless(&error.to_string());
                (error.to_string(), None)
            }
            Ending::Blocked(error) => {
                if self.fall_back(&error.to_string()) {
                    return Ok(Duration::ZERO);
                }
                return Err(error);
            }
            Ending::Failed(error) => return self.failed(error),
            Ending::Lost(why) => {
                self.count_fruitless(&why);
                (format!("connection lost ({why})"), None)
            }
            Ending::Stopped => ("connection stopped".to_owned(), None),
        };
        Ok(self.wait(&why, asked))
    }

    /// A close with 4001: a login of our own is made anew, a token of the user's is his to renew.
    fn expired(&mut self) -> Result<Duration, CommandError> {
        if !self.identity.forget() {
            return Err(CommandError::Closed(4001));
        }
        Ok(self.mended("the token has expired, logging in again"))
    }

    /// A connection that did not come to stand.
    fn failed(&mut self, error: CommandError) -> Result<Duration, CommandError> {
        let mends = match error.problem() {
            Some(problem) if !self.standing.mended => self.mends(problem)?,
            _ => None,
        };
        if let Some(wait) = mends {
            return Ok(wait);
        }
        let asked = match error.retry() {
            Retry::After(asked) => asked,
            Retry::Never if self.is_outage(&error) => None,
            Retry::Never => return Err(error),
        };
        self.standing.failed += 1;
        let is_unreachable = matches!(error, CommandError::Unreachable { .. });
        if is_unreachable && !self.standing.ever_open && self.standing.failed >= HOPELESS {
            return Err(error);
        }
        let is_in_between = error.problem().is_none() && error.retry() != Retry::Never;
        if is_in_between && self.transport() == Transport::Ws {
            self.count_fruitless(&error.to_string());
        }
        Ok(self.wait(&error.to_string(), asked))
    }

    /// Whether logging in is what `problem` asks for, and how long to wait after it.
    fn mends(&mut self, problem: &Problem) -> Result<Option<Duration>, CommandError> {
        match self.identity.mend(&self.gateway, problem) {
            Ok(true) => Ok(Some(self.mended("logged in"))),
            Ok(false) => Ok(None),
            Err(error) => match error.retry() {
                Retry::After(asked) => Ok(Some(self.wait(&error.to_string(), asked))),
                Retry::Never => Err(error),
            },
        }
    }

    /// The first login since something arrived is followed at once, later ones with a back-off.
    fn mended(&mut self, why: &str) -> Duration {
        if self.standing.mended {
            return self.wait(why, None);
        }
        self.standing.mended = true;
        output::status(why);
        Duration::ZERO
    }

    /// Whether this gateway was there before and is not to be reached now.
    fn is_outage(&self, error: &CommandError) -> bool {
        self.standing.ever_open && matches!(error, CommandError::Unreachable { .. })
    }

    fn count_fruitless(&mut self, why: &str) {
        if self.standing.fruitful {
            return;
        }
        self.standing.fruitless += 1;
        if self.standing.fruitless >= FRUITLESS && self.fall_back(why) {
            self.standing.fruitless = 0;
        }
    }

    /// Gives the present transport up for the next; `false` if there is none.
    fn fall_back(&mut self, why: &str) -> bool {
        let Some(rest @ [next, ..]) = self.transports.get(1..) else {
            return false;
        };
        let (verb, next) = (self.transport().verb(), next.verb());
        output::status(&format!("{verb} does not get through ({why}), trying {next}"));
        self.transports = rest;
        true
    }

    fn wait(&mut self, why: &str, asked: Option<Duration>) -> Duration {
        let wait = self.backoff.next(asked);
        output::status(&format!("{why}; again in {:.1} s", wait.as_secs_f32()));
        wait
    }

    fn transport(&self) -> Transport {
        self.transports.first().copied().unwrap_or(Transport::Ws)
    }
}

impl Standing {
    /// Something arrived.
    fn arrived(&mut self) {
        self.fruitful = true;
        self.fruitless = 0;
    }
}

fn without_ws(transports: &'static [Transport]) -> &'static [Transport] {
    match transports {
        [Transport::Ws, rest @ ..] => rest,
        all => all,
    }
}
