//! What all streams have in common: who subscribes to what, from where, told how.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http::request::Parts;
use tokio::time::Instant;

use super::archive::Held;
use super::identify::Caller;
use super::limit::{Entered, Whom};
use super::peer::ChannelPeer;
use super::request::{Pairs, channel_name, from_of, policy_of, remote_of};
use super::{Failure, Gate};
use crate::channel::{ChannelName, DeliveryPolicy, Policy, Since};
use crate::code::{Close, Limit, Problem};
use crate::dialect::{UsersMode, plain};
use crate::hub::{Channel, From, Reach, Start};
use crate::identity::Claims;
use crate::presence::{Leave, Opening, Seat, Visitor};
use crate::transport::{ConnectionId, Framing, Transport};
use crate::worker::{Attach, ChannelKey, Encoding, Form, Order, Sink, Source};

/// Updates a second that `max_rate` may ask for.
const RATES: std::ops::RangeInclusive<f64> = 0.1..=100.0;

/// A subscription that was asked for and is allowed.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) channel: ChannelName,
    pub(super) policy: Arc<Policy>,
    pub(super) visitor: Visitor,
    pub(super) claims: Option<Arc<Claims>>,
    pub(super) from: From,
    pub(super) encoding: Encoding,
    /// Whether it wants to be told, once, that something it said is ignored: `errors=1`.
    pub(super) tells_ignored: bool,
    /// How long after an update the next may come.
    pub(super) pace: Option<Duration>,
    /// Whether it is a private line: it gets what is sent to its client, and nothing of a channel.
    pub(super) is_line: bool,
    /// Whether its first message is where it starts from.
    pub(super) tells_start: bool,
    /// Its place among the connections of its address, where it does not have that of its connection.
    pub(super) entered: Option<Arc<Entered>>,
}

/// A subscription that is open: its worker has it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: ConnectionId,
    pub(super) start: Start,
}

impl Wanted {
    /// Reads a subscription out of a request; limits were judged, identity and fields are here.
    pub(super) fn of(gate: &Gate, parts: &Parts, framing: Framing) -> Result<Self, Failure> {
        if gate.drain.is_draining() {
            return Err(Failure::draining());
        }
        let channel = channel_name(parts)?;
        let policy = policy_of(gate, &channel);
        if !channel.is_root()
            && let Err(unknown) = policy
        {
            return Err(unknown);
        }
        if gate.hub.workers().connections() >= gate.config.limits.connections {
            let detail = "limits.connections are open on this node";
            return Err(Failure::of_limit(Limit::Connections, detail));
        }
        let query = Pairs::of_query(parts)?;
        let caller = gate.identify_by_token(parts, &query)?;
        let is_line = caller.is_line() && channel.is_root();
        // A line is there whatever the root is.
        let policy = if is_line { Arc::clone(gate.hub.line().policy()) } else { policy? };
        if !is_line {
            caller.check_read(&channel, &policy)?;
        }
        let visitor = gate.visitor(parts, &caller, &policy)?;
        let mut from = from_of(parts, &query)?;
        let mut users = users_mode(&query, &policy)?;
        if is_line {
            // Nothing of a channel can be missed on it, and it is on no list.
            (from, users) = (beside_history(from), UsersMode::None);
        }
        let pace = pace(&query, &policy)?;
        gate.may_open(&channel, &caller, remote_of(parts).whom())?;
        let entered = gate.enter_beside_connection(parts)?;
        let claims = match caller {
            Caller::Client(claims) => Some(claims),
            Caller::Backend(_) | Caller::ClientId(_) | Caller::Nobody => None,
        };
        let ids = query.is_on("ids") && !policy.kind.carries_id();
        let tells_start = (ids || query.is_on("start")) && framing.transport != Transport::Poll;
        let beats = query.is_on("beat") && framing.transport == Transport::Ws;
        let direct = form(&query, framing.transport)?;
        let encoding = Encoding { framing, ids, users, direct, beats };
        Ok(Self {
            channel,
            policy,
            visitor,
            claims,
            from,
            encoding,
            tells_ignored: query.is_on("errors"),
            pace,
            is_line,
            tells_start,
            entered,
        })
    }

    /// What comes first: the position, the users list, what waited in the inbox, a gap.
    pub(super) fn first(&self, gate: &Gate, opening: Opening, start: &Start) -> Vec<Bytes> {
        gate.tallies.mine().began(self.encoding.transport(), &opening, start);
        let mut first = Vec::new();
        if self.tells_start {
            first.push(plain::since(&start.resume()));
        }
        if self.encoding.beats {
            first.push(plain::heartbeat(gate.config.heartbeat.interval));
        }
        first.extend(opening.users);
        first.extend(opening.inbox.iter().map(|message| self.encoding.direct(message)));
        if opening.dropped > 0 {
            first.push(plain::inbox_gap(&self.channel, opening.dropped));
        }
        first.extend(start.gap.map(|gap| plain::gap(&self.channel, &gap)));
        first
    }
}

/// Where one begins who asks for `from` where there is no history. A poll that names a position
/// waits; one that does not is answered at once.
const fn beside_history(from: From) -> From {
    match from {
        From::Since(_) => From::Since(Since { position: None, users: None }),
        From::Now | From::Newest(_) => From::Now,
    }
}

/// The pace that `max_rate` asks for.
fn pace(query: &Pairs, policy: &Policy) -> Result<Option<Duration>, Failure> {
    let Some(rate) = query.decimal("max_rate", RATES)? else {
        return Ok(None);
    };
    if policy.delivery == DeliveryPolicy::Every {
        let what = "this channel delivers every message; only a latest channel can be thinned";
        return Err(Failure::field("max_rate", what));
    }
    Ok(Some(Duration::from_secs_f64(1.0 / rate)))
}

fn users_mode(query: &Pairs, policy: &Policy) -> Result<UsersMode, Failure> {
    match query.get("users") {
        None if policy.kind.tells_users() => Ok(UsersMode::List),
        None => Ok(UsersMode::None),
        Some(text) => UsersMode::parse(text)
            .ok_or_else(|| Failure::field("users", "must be list, diff, count or none")),
    }
}

/// How direct messages are told: with `direct=1` each with its nonce, with `direct=none` not; with `text=json` texts of
/// backends as JSON strings on every transport, so that none can be taken for a message of ours.
fn form(query: &Pairs, transport: Transport) -> Result<Form, Failure> {
    let texts_as_json = match query.get("text") {
        None => false,
        Some("json") => true,
        Some(_) => return Err(Failure::field("text", "must be json")),
    };
    let carries_texts = matches!(transport, Transport::Ws | Transport::Sse);
    Ok(if query.is_on("direct") {
        Form::Named
    } else if query.get("direct") == Some("none") {
        Form::Untold
    } else if carries_texts && !texts_as_json {
        Form::Raw
    } else {
        Form::Json
    })
}

impl Gate {
    /// Counts a subscription for its address where its connection does not stand for it: through a
    /// trusted proxy, whose connections count for nobody, and over HTTP/2, where one connection may
    /// have a hundred of them.
    fn enter_beside_connection(&self, parts: &Parts) -> Result<Option<Arc<Entered>>, Failure> {
        let remote = remote_of(parts);
        if !remote.is_proxied() && parts.version < Version::HTTP_2 {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.addresses.enter(remote.whom())?)))
    }

    /// Whether `whom` may use `channel`, which counts only where that would make it.
    ///
    /// Names that the configuration has are few and nobody's invention, and are not counted.
    pub(super) fn may_open(
        &self,
        channel: &ChannelName,
        caller: &Caller,
        whom: Whom,
    ) -> Result<(), Failure> {
        let is_new = !self.hub.has(channel) && !self.policies.has_name(channel);
        if is_new && !matches!(caller, Caller::Backend(_)) {
            self.rates.room(whom)?;
        }
        Ok(())
    }

    /// Opens a subscription whose bytes go to `sink`, which is made for the connection's id.
    ///
    /// Its client is present, its place in the order is fixed, and its worker has it: from now on
    /// nothing that is published is missed, also while the head of the answer is on its way.
    pub(super) async fn open(
        self: &Arc<Self>,
        wanted: &Wanted,
        sink: impl FnOnce(ConnectionId) -> Sink,
    ) -> Result<Opened, Failure> {
        let _held = self.hold_for(wanted).await?;
        self.connect_token(wanted.claims.as_deref()).await;
        let (connection, worker) = self.hub.workers().allot();
        let seat = Self::seat(wanted, connection);
        let sink = sink(connection);
        let start = self.presence.attach(&wanted.visitor, seat, Instant::now(), |opening| {
            let mut parts = Some((opening, sink));
            self.with_channel(wanted, connection, |key, source, start| {
                let (opening, sink) = parts.take()?;
                let users = opening.version.0;
                let first = wanted.first(self, opening, &start);
                let attach = Attach {
                    id: connection,
                    sink,
                    encoding: wanted.encoding,
                    channel: key,
                    source,
                    offset: start.position.offset,
                    replay: start.is_behind(),
                    users,
                    first,
                    expires: self.expiry(wanted.claims.as_deref()),
                    answer_by: None,
                    pace: wanted.pace,
                    peer: Box::new(ChannelPeer::new(
                        self,
                        wanted,
                        connection,
                        Some(Leave::Dropped),
                    )),
                };
                let is_awaited = matches!(attach.sink, Sink::Awaited);
                let order = Order::Attach(Box::new(attach));
                // Until the socket comes there is nothing to do for it.
                if is_awaited {
                    worker.leave(order);
                } else {
                    worker.send(order);
                }
                Some(start)
            })
        })?;
        self.close_if_ended(wanted.claims.as_deref(), connection);
        let start = start.ok_or_else(|| Failure::new(Problem::Internal, "not attached"))?;
        Ok(Opened { connection, start })
    }

    /// The place that `wanted` takes in presence.
    pub(super) fn seat(wanted: &Wanted, connection: ConnectionId) -> Seat {
        Seat {
            connection,
            channel: wanted.channel.clone(),
            users: wanted.encoding.users,
            is_poll: wanted.encoding.transport() == Transport::Poll,
            takes_direct: wanted.encoding.direct != Form::Untold,
            is_line: wanted.is_line,
        }
    }

    /// Has in memory what `wanted` needs of a durable channel.
    pub(super) async fn hold_for(&self, wanted: &Wanted) -> Result<Held, Failure> {
        if wanted.is_line {
            return Ok(Held::default());
        }
        self.hold(&wanted.channel, &wanted.policy, Reach::From(wanted.from)).await
    }

    /// The channel that `wanted` subscribes to, opened if nobody used it until now.
    pub(super) fn channel_for(&self, wanted: &Wanted) -> Arc<Channel> {
        if wanted.is_line {
            return Arc::clone(self.hub.line());
        }
        self.hub.channel(&wanted.channel, &wanted.policy)
    }

    /// Subscribes `connection` to its channel if `attach` says so; the channel is opened if nobody
    /// used it until now.
    pub(super) fn with_channel<T>(
        &self,
        wanted: &Wanted,
        connection: ConnectionId,
        mut attach: impl FnMut(ChannelKey, Arc<dyn Source>, Start) -> Option<T>,
    ) -> Option<T> {
        loop {
            let channel = self.channel_for(wanted);
            let source: Arc<dyn Source> = Arc::<Channel>::clone(&channel);
            let subscribed = channel.subscribe(wanted.from, connection.worker(), |key, start| {
                attach(key, Arc::clone(&source), start)
            });
            match subscribed {
                Some(attached) => return attached,
                // The sweep came between look-up and lock, and takes it out of the map now.
                None => std::thread::yield_now(),
            }
        }
    }

    /// A token that connects ends those minted before it, and the connections they opened.
    pub(super) async fn connect_token(&self, claims: Option<&Claims>) {
        let Some(claims) = claims else { return };
        let Some(ended) = self.live.connect(claims, self.clock.now()) else {
            return;
        };
        let replaced = self.presence.replaced(&claims.client, ended.floor);
        self.close_all(&replaced, Close::LoggedOut);
        // There is no request to refuse: where it cannot be written now, it is written later.
        let _ = self.write_down(&ended).await;
    }

    /// A token may have been ended while its connection was on the way in.
    pub(super) fn close_if_ended(&self, claims: Option<&Claims>, connection: ConnectionId) {
        if claims.is_some_and(|claims| self.live.check(claims).is_err()) {
            self.close_all(&[connection], Close::LoggedOut);
        }
    }

    /// When the token of a connection expires.
    pub(super) fn expiry(&self, claims: Option<&Claims>) -> Option<Instant> {
        let left =
            claims?.expires_at.saturating_mul(1000).saturating_sub(self.clock.now().millis());
        Some(Instant::now() + Duration::from_millis(left))
    }
}
