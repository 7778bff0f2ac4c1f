//! `GET /poll[/{channel}]`: a subscription that ends at its first delivery.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use tokio::time::Instant;

use super::leave::detachable;
use super::messages::Messages;
use super::peer::ChannelPeer;
use super::post::json;
use super::problem::Answer;
use super::request::Pairs;
use super::subscribe::Wanted;
use super::{Failure, Gate, Leaving};
use crate::channel::{Position, Publication, Since};
use crate::dialect::plain;
use crate::hub::From;
use crate::presence::{Leave, Opening};
use crate::transport::ConnectionId;
use crate::transport::{Transport, poll};
use crate::worker::{
    Attach, Delivered, Ending, Inlet, Kept, Mark, Order, Outlet, Peer, Reaction, Said, Sink,
};

/// Longest wait in seconds, and the one of who does not say: below what proxies allow.
const MAX_WAIT: usize = 55;
const WAIT: usize = 25;
/// How long a worker may take to end a poll: a guard, not a measure.
const END: Duration = Duration::from_secs(5);

/// What a poll found when it came.
enum Begun {
    /// Something, or it was not to wait: how it began.
    Answer(Opening),
    /// Nothing: its worker has it, from this position on.
    Waits(Position),
}

/// A poll that is under way.
struct Polling {
    wanted: Wanted,
    wait: Duration,
    connection: ConnectionId,
    /// Where its worker puts what it is told; none where the worker answers itself.
    outlet: Option<Arc<Outlet>>,
    /// It is on no list: nobody in particular asks.
    is_nobody: bool,
}

/// What a client that polls has seen: a position, and version and life of the users list.
#[derive(Clone, Copy, Debug)]
struct Seen {
    position: Position,
    users: (u64, u32),
}

/// The peer of a poll that its worker answers.
struct PollPeer {
    peer: ChannelPeer,
    seen: Seen,
}

/// The verb.
pub(super) async fn poll(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    let wanted = Wanted::of(&gate, &parts, Transport::Poll.into())?;
    let query = Pairs::of_query(&parts)?;
    let wait = query.number("wait", 0..=MAX_WAIT)?.unwrap_or(WAIT);
    let mut wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0));
    if let (Some(pace), From::Since(_)) = (wanted.pace, wanted.from) {
        // What comes meanwhile comes together, and of each sender the newest.
        tokio::time::sleep(pace.min(wait)).await;
        wait = if gate.drain.is_draining() { Duration::ZERO } else { wait.saturating_sub(pace) };
    }
    let polling = Polling {
        is_nobody: wanted.claims.is_none(),
        wait,
        connection: gate.hub.workers().allot().0,
        outlet: (!detachable(&parts).polls).then(Arc::default),
        wanted,
    };
    let _held = gate.hold_for(&polling.wanted).await?;
    gate.connect_token(polling.wanted.claims.as_deref()).await;
    let (begun, version) = polling.begin(&gate)?;
    let mut response = match (begun, polling.outlet.clone()) {
        (Begun::Answer(opening), _) => json(Body::new(polling.answer_now(&gate, opening, version))),
        (Begun::Waits(position), Some(outlet)) => {
            json(polling.wait(&gate, outlet, Seen { position, users: version }).await)
        }
        (Begun::Waits(_), None) => {
            let mut response = json(Vec::new());
            response.extensions_mut().insert(Leaving::poll(&gate, polling.connection));
            response
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl Polling {
    /// Version and life of the users list that the client saw last.
    const fn seen(&self) -> Option<(u64, u32)> {
        match self.wanted.from {
            From::Since(since) => since.users,
            From::Now | From::Newest(_) => None,
        }
    }

    /// Looks whether there is anything to answer; if not, hands the poll to its worker.
    fn begin(&self, gate: &Arc<Gate>) -> Result<(Begun, (u64, u32)), Failure> {
        let open = |mut opening: Opening| {
            if let Some(earlier) = opening.superseded {
                gate.hub.workers().of(earlier).send(Order::Finish(earlier));
            }
            if self.seen() == Some(opening.version) {
                opening.users = None;
            }
            let version = opening.version;
            let idle = opening.users.is_none() && opening.inbox.is_empty() && opening.dropped == 0;
            let asked = matches!(self.wanted.from, From::Since(_)) && !self.wait.is_zero();
            let waits = if idle && asked { self.attach(gate, version) } else { None };
            (waits.map_or(Begun::Answer(opening), Begun::Waits), version)
        };
        if self.is_nobody {
            let (users, version) =
                gate.presence.peek(&self.wanted.channel, self.wanted.encoding.users);
            let (inbox, dropped, superseded) = (Vec::new(), 0, None);
            return Ok(open(Opening { users, version, inbox, dropped, superseded }));
        }
        let seat = Gate::seat(&self.wanted, self.connection);
        let begun = gate.presence.attach(&self.wanted.visitor, seat, Instant::now(), open)?;
        gate.close_if_ended(self.wanted.claims.as_deref(), self.connection);
        Ok(begun)
    }

    /// Subscribes, unless there is something to answer already.
    fn attach(&self, gate: &Arc<Gate>, users: (u64, u32)) -> Option<Position> {
        gate.with_channel(&self.wanted, self.connection, |key, source, start| {
            if start.is_behind() || start.gap.is_some() {
                return None;
            }
            let leave = (!self.is_nobody).then_some(Leave::Poll(self.wait));
            let peer = ChannelPeer::new(gate, &self.wanted, self.connection, leave);
            let seen = Seen { position: start.position, users };
            let (sink, peer): (_, Box<dyn Peer>) = match &self.outlet {
                Some(outlet) => (Sink::Body(Arc::clone(outlet)), Box::new(peer)),
                None => (Sink::Awaited, Box::new(PollPeer { peer, seen })),
            };
            let attach = Attach {
                id: self.connection,
                sink,
                encoding: self.wanted.encoding,
                channel: key,
                source,
                offset: start.position.offset,
                replay: false,
                users: users.0,
                first: Vec::new(),
                expires: gate.expiry(self.wanted.claims.as_deref()),
                answer_by: self.outlet.is_none().then(|| Instant::now() + self.wait),
                pace: None,
                peer,
            };
            gate.hub.workers().of(self.connection).send(Order::Attach(Box::new(attach)));
            Some(start.position)
        })
    }

    /// Answers with what there is; the client is there until its next poll is due.
    fn answer_now(&self, gate: &Gate, opening: Opening, version: (u64, u32)) -> Messages {
        let channel = gate.channel_for(&self.wanted);
        let (start, mut kept) = channel.kept(self.wanted.from, usize::MAX);
        let first = self.wanted.first(gate, opening, &start);
        gate.tallies.mine().delivered.add((Transport::Poll, Delivered::Publication), kept.len());
        let position = kept.last().map_or(start.position, |newest| newest.position);
        if self.wanted.pace.is_some() {
            kept = newest_of_each(kept);
        }
        if !self.is_nobody {
            let client = &self.wanted.visitor.client;
            let leave = Leave::Poll(self.wait);
            gate.presence.detach(client, self.connection, leave, Instant::now());
        }
        let object = |publication: Arc<Publication>| {
            let ids = self.wanted.encoding.ids;
            if ids { plain::with_id(&publication) } else { publication.plain.clone() }
        };
        let messages = first.into_iter().chain(kept.into_iter().map(object)).collect();
        let seen = Seen { position, users: version };
        Messages::new(messages, format!(r#"],"since":"{seen}"}}"#))
    }

    /// Waits for the first delivery, or until the time is over.
    async fn wait(&self, gate: &Gate, outlet: Arc<Outlet>, seen: Seen) -> Vec<u8> {
        let worker = gate.hub.workers().of(self.connection).clone();
        let inlet = Inlet::new(outlet, worker, self.connection);
        let frames = if let Ok(frames) = tokio::time::timeout(self.wait, inlet.ended()).await {
            frames
        } else {
            // What the worker was told before is still delivered.
            inlet.finish();
            tokio::time::timeout(END, inlet.ended()).await.unwrap_or_default()
        };
        seen.answer(&frames)
    }
}

/// The newest of each sender, in their order.
fn newest_of_each(kept: Vec<Arc<Publication>>) -> Vec<Arc<Publication>> {
    let mut senders = HashSet::new();
    let mut newest: Vec<_> =
        kept.into_iter().rev().filter(|one| senders.insert(Arc::clone(&one.sender))).collect();
    newest.reverse();
    newest
}

impl Seen {
    /// The answer that tells `told`, and what the client has seen with it.
    fn answer(mut self, told: &[(Mark, Bytes)]) -> Vec<u8> {
        for (mark, _) in told {
            match mark {
                Mark::Offset(offset) => self.position.offset = *offset,
                Mark::Users(users) => self.users.0 = *users,
                Mark::Other => {}
            }
        }
        let messages = told.iter().map(|(_, message): &(Mark, Bytes)| &**message);
        poll::answer(messages, &self.to_string())
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Since { position: Some(self.position), users: Some(self.users) }.fmt(f)
    }
}

impl Peer for PollPeer {
    fn heard(&mut self, said: Said<'_>) -> Reaction {
        self.peer.heard(said)
    }

    fn kept(&mut self) -> Kept {
        self.peer.kept()
    }

    fn answer(&mut self, told: &[(Mark, Bytes)]) -> Vec<u8> {
        self.seen.answer(told)
    }

    fn closed(self: Box<Self>, ending: Ending) {
        Box::new(self.peer).closed(ending);
    }
}
