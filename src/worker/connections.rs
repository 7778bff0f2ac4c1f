//! The connections of a worker, and what happens to them by order of those above.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mio::Registry;
use mio::event::Event;
use slab::Slab;
use tokio::time::Instant;

use super::connection::{Beat, Connection, Inbound, Phase, Sent};
use super::group::Groups;
use super::pace::Pace;
use super::tally::{Missing, Reason};
use super::{Attach, ChannelKey, Ending, Item, Joined, Limits, Order, Receipt, Sink, WorkerHandle};
use crate::channel::DeliveryPolicy;
use crate::code::Close;
use crate::dialect::Direct;
use crate::transport::ConnectionId;
use crate::transport::Transport;
use crate::transport::ws::Assembly;
use crate::wheel::Wheel;

/// How fine deadlines are.
const TICK: Duration = Duration::from_millis(20);
/// Most bytes of one page of a replay, and how many pages one connection gets in a turn.
const PAGE_BYTES: usize = 64 * 1024;
const PAGES_A_TURN: usize = 4;
/// How much is read from a socket at once.
pub(super) const SCRATCH: usize = 64 * 1024;
/// How long a peer is given to end the stream after our last frame.
const FAREWELL: Duration = Duration::from_secs(1);

/// All connections of one worker. Owner: its loop.
pub(super) struct Connections {
    pub(super) index: usize,
    /// Where sockets say that something happened.
    pub(super) registry: Registry,
    pub(super) handle: WorkerHandle,
    pub(super) limits: Limits,
    /// Boxed: a crowd grows and shrinks the slab without moving its connections.
    pub(super) slab: Slab<Box<Connection>>,
    pub(super) keys: HashMap<ConnectionId, usize>,
    pub(super) groups: Groups,
    pub(super) wheel: Wheel<ConnectionId>,
    /// Where sockets are read into; nothing of it outlives a read.
    pub(super) scratch: Vec<u8>,
    /// The assembly that connections without one of their own are lent.
    pub(super) spare: Assembly,
    /// Connections that have more to read than one turn allows, and more to replay.
    pub(super) unread: VecDeque<ConnectionId>,
    pub(super) unreplayed: VecDeque<ConnectionId>,
    /// Connections with a message that nobody had room for, each of them once.
    pub(super) unheard: VecDeque<ConnectionId>,
    /// Connections whose slab entry is to be freed behind this turn.
    dropped: Vec<usize>,
    /// When to close which connection, while draining.
    pub(super) drain: Option<VecDeque<(Instant, ConnectionId)>>,
}

impl Connections {
    pub(super) fn new(
        (index, registry): (usize, Registry),
        handle: WorkerHandle,
        limits: Limits,
        now: Instant,
    ) -> Self {
        Self {
            index,
            registry,
            handle,
            limits,
            slab: Slab::new(),
            keys: HashMap::new(),
            groups: Groups::default(),
            wheel: Wheel::new(now, TICK),
            scratch: vec![0; SCRATCH],
            spare: Assembly::default(),
            unread: VecDeque::new(),
            unheard: VecDeque::new(),
            unreplayed: VecDeque::new(),
            dropped: Vec::new(),
            drain: None,
        }
    }

    /// Whether everything was drained, so that the worker may end.
    pub(super) fn is_finished(&self) -> bool {
        self.drain.as_ref().is_some_and(VecDeque::is_empty) && self.slab.is_empty()
    }

    /// Does what somebody above asks for.
    pub(super) fn on_order(&mut self, order: Order, now: Instant) {
        match order {
            Order::Attach(attach) => self.attach(*attach, now),
            Order::Socket(id, handed) => self.with(id, |this, _| this.hand_over(id, *handed, now)),
            Order::Deliver(channel, item) => self.deliver(channel, item),
            Order::Tell(ids, message, receipt) => self.tell(&ids, &message, &receipt, now),
            Order::Say(id, json) => self.with(id, |this, key| this.say(key, &json, now)),
            Order::Close(id, close) => self.with(id, |this, key| this.close(key, close, now)),
            Order::Finish(id) => self.with(id, |this, key| this.end_poll(key, now)),
            Order::Gone(id) => self.with(id, |this, key| this.drop_now(key, Ending::Dropped)),
            Order::Drained(id) => self.with(id, |this, key| this.replay(key, now)),
            Order::Drain(spread) => self.start_drain(spread, now),
        }
    }

    /// Calls `act` with the key of `id`, if the connection is still there. A bug in that ends the
    /// connection.
    pub(super) fn with(&mut self, id: ConnectionId, act: impl FnOnce(&mut Self, usize)) {
        if let Some(key) = self.keys.get(&id).copied() {
            self.shielded(key, |this| act(this, key));
        }
    }

    fn attach(&mut self, attach: Attach, now: Instant) {
        let id = attach.id;
        let entry = self.slab.vacant_entry();
        let key = entry.key();
        let (group, place) = self.groups.join(attach.channel, attach.source.delivery(), key);
        let beat = match attach.encoding.transport() {
            Transport::Ws => now + self.limits.ping,
            Transport::Sse | Transport::Stream => now + self.limits.keep_warm,
            // A poll that is a body is ended by whoever waits for it, long before this.
            Transport::Poll => attach.answer_by.unwrap_or(now + Duration::from_hours(1)),
        };
        if let Sink::Body(outlet) = &attach.sink {
            outlet.count_by(self.handle.tally());
        }
        entry.insert(Box::new(Connection {
            id,
            sink: attach.sink,
            encoding: attach.encoding,
            group,
            place,
            source: attach.source,
            offset: attach.offset,
            users: attach.users,
            replaying: attach.replay,
            phase: Phase::Open,
            outbox: None,
            inbound: None,
            controls: None,
            pace: attach.pace.map(|every| Box::new(Pace::new(every, now))),
            peer: Some(attach.peer),
            keeper: None,
            beat: Beat::Due(beat),
            expires: attach.expires,
            scheduled: now + Duration::from_hours(24),
            reason: Reason::Gone,
            tally: Arc::clone(self.handle.tally()),
        }));
        self.handle.tally().opened(attach.encoding.transport());
        self.keys.insert(id, key);
        self.handle.set_connections(self.slab.len());
        self.shielded(key, |this| {
            if !attach.first.is_empty() {
                let joined = Joined::of_messages(attach.first.iter(), attach.encoding.framing);
                this.send_first(key, &Arc::new(joined), now);
            }
            this.replay(key, now);
            this.schedule(key, now);
            if this.drain.is_some() {
                this.close(key, Close::GoingAway, now);
            }
        });
    }

    /// The first messages of a connection wait whatever their size: they are bounded by list and inbox.
    fn send_first(&mut self, key: usize, joined: &Arc<Joined>, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if connection.send_always(joined, now) == Sent::Broken {
            self.drop_now(key, Ending::Dropped);
        } else {
            self.end_poll_if_told(key, now);
        }
    }

    fn deliver(&mut self, channel: ChannelKey, item: Item) {
        let is_publication = matches!(item, Item::Publication(_));
        if !self.groups.add(channel, item) && is_publication {
            self.handle.release(1);
        }
    }

    fn tell(&mut self, ids: &[ConnectionId], message: &Direct, receipt: &Receipt, now: Instant) {
        // It has a place reserved, as a publication has.
        self.handle.release(1);
        for id in ids {
            self.with(*id, |this, key| {
                let Some(connection) = this.slab.get_mut(key).filter(|c| c.is_open()) else {
                    return;
                };
                let message = connection.encoding.direct(message);
                let framing = connection.encoding.framing;
                let joined = Arc::new(Joined::of_messages(std::iter::once(&message), framing));
                let sent = connection.send(&joined, 0, DeliveryPolicy::Every, (&this.limits, now));
                if sent == Sent::Ok {
                    receipt.take();
                }
                this.settle(key, sent, now);
            });
        }
    }

    /// Writes one slice of the broadcast whose turn it is.
    pub(super) fn broadcast_slice(&mut self, now: Instant) {
        let Some((slice, begun)) = self.groups.next_slice() else {
            return;
        };
        self.handle.release(begun);
        for key in slice.subscribers {
            self.shielded(key, |this| {
                let Some(connection) = this.slab.get_mut(key) else {
                    return;
                };
                let Some(joined) = this.groups.joined(slice.group, connection.encoding) else {
                    return;
                };
                let sent = connection.give(&joined, slice.delivery, (&this.limits, now));
                if let Some(sent) = sent {
                    this.settle(key, sent, now);
                }
            });
        }
        self.handle.tally().written(slice.ordered);
        for (place, key) in self.groups.end_slice(slice.group) {
            self.move_to(key, place);
        }
    }

    /// Deals with what became of bytes.
    pub(super) fn settle(&mut self, key: usize, sent: Sent, now: Instant) {
        match sent {
            Sent::Ok => {
                let Some(connection) = self.slab.get(key) else {
                    return;
                };
                if connection.encoding.transport() == Transport::Poll {
                    self.end_poll_if_told(key, now);
                } else if connection.oldest().is_some() || connection.pace.is_some() {
                    self.schedule(key, now);
                }
            }
            Sent::Full => {
                if let Some(connection) = self.slab.get_mut(key) {
                    connection.drop_unbegun();
                }
                self.close(key, Close::SlowConsumer, now);
            }
            Sent::Broken => self.drop_now(key, Ending::Dropped),
        }
    }

    /// Brings a connection that is behind further, as fast as it takes it.
    pub(super) fn replay(&mut self, key: usize, now: Instant) {
        for _ in 0..PAGES_A_TURN {
            let Some(connection) = self.slab.get_mut(key) else {
                return;
            };
            if !connection.replaying || !connection.is_open() || !connection.is_drained() {
                return;
            }
            let sent = connection.send_page(PAGE_BYTES, (&self.limits, now));
            self.settle(key, sent, now);
        }
        if let Some(connection) = self.slab.get(key)
            && connection.replaying
        {
            self.unreplayed.push_back(connection.id);
        }
    }

    /// Something happened at a socket. A bug in what follows ends its connection.
    pub(super) fn on_ready(&mut self, event: &Event, now: Instant) {
        let key = event.token().0;
        self.shielded(key, |this| this.on_event(key, event, now));
    }

    fn on_event(&mut self, key: usize, event: &Event, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if event.is_writable() {
            if connection.flush() == Sent::Broken {
                self.drop_now(key, Ending::Dropped);
                return;
            }
            self.finish_if_flushed(key);
            self.replay(key, now);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            if !self.slab.get(key).is_some_and(|c| c.encoding.transport() == Transport::Ws) {
                self.read_silent(key, event.is_read_closed() || event.is_error());
                return;
            }
            self.read(key, now);
        } else {
            self.resume_reading(key, now);
            self.read(key, now);
        }
    }

    /// Ends a connection in words: a close code, where the transport has them.
    pub(super) fn close(&mut self, key: usize, close: Close, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if !connection.is_open() {
            return;
        }
        if connection.encoding.transport() == Transport::Poll {
            self.end_poll(key, now);
            return;
        }
        connection.reason = Reason::Told(close);
        let framing = connection.encoding.framing;
        let last = Arc::new(Joined::of_frame(|out| framing.close(out, close)));
        let broken = connection.send_always(&last, now) == Sent::Broken;
        if broken || matches!(connection.sink, Sink::Body(_)) {
            self.drop_now(key, Ending::Dropped);
        } else {
            self.start_farewell(key, Ending::Dropped, now);
        }
    }

    /// Nothing more is said on a socket; what the peer sends is dropped until it ends the stream.
    pub(super) fn start_farewell(&mut self, key: usize, ending: Ending, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        let write = if connection.outbox.is_some() { self.limits.write } else { Duration::ZERO };
        connection.phase = Phase::Closing { until: now + write.max(FAREWELL), finish: true };
        connection.inbound = None;
        self.detach(key, ending);
        self.finish_if_flushed(key);
        self.schedule(key, now);
    }

    /// Sends FIN once nothing waits, if it is time for it.
    pub(super) fn finish_if_flushed(&mut self, key: usize) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        let Phase::Closing { until, finish: true } = connection.phase else {
            return;
        };
        if connection.outbox.is_some() {
            return;
        }
        match &mut connection.sink {
            Sink::Socket(socket) if !socket.holds_back() => {
                socket.finish();
                connection.phase = Phase::Closing { until, finish: false };
            }
            Sink::Parked(_) => self.give_back(key),
            Sink::Socket(_) | Sink::Awaited | Sink::Body(_) => {}
        }
    }

    /// Ends a connection without a word. Its entry is freed behind this turn.
    pub(super) fn drop_now(&mut self, key: usize, ending: Ending) {
        self.detach(key, ending);
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if self.keys.remove(&connection.id).is_some() {
            if let Sink::Body(outlet) = &connection.sink {
                outlet.end();
            }
            self.dropped.push(key);
        }
    }

    /// Takes a connection out of its group and tells those above that it ended; once.
    pub(super) fn detach(&mut self, key: usize, ending: Ending) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        let Some(peer) = connection.peer.take() else {
            return;
        };
        connection.tally.ended(connection.encoding.transport(), connection.reason);
        if connection.is_open() {
            let until = connection.scheduled;
            connection.phase = Phase::Closing { until, finish: false };
        }
        let (group, place) = (connection.group, connection.place);
        let source = Arc::clone(&connection.source);
        // The group first: a bug in the others must not leave it with a key that others will get.
        if let Some(moved) = self.groups.leave(group, place) {
            self.move_to(moved, place);
        }
        source.unsubscribe(self.index);
        peer.closed(ending);
    }

    fn move_to(&mut self, key: usize, place: usize) {
        if let Some(connection) = self.slab.get_mut(key) {
            connection.place = place;
        }
    }

    /// Frees what ended in this turn: keys stay unused until no event of the turn can name them.
    pub(super) fn end_dropped(&mut self) {
        if self.dropped.is_empty() {
            return;
        }
        for key in std::mem::take(&mut self.dropped) {
            // Closing a socket takes it out of the poll as well.
            self.slab.try_remove(key);
        }
        if self.slab.is_empty() {
            // The memory of a crowd goes with it.
            self.slab = Slab::new();
            self.keys.shrink_to_fit();
        }
        self.handle.set_connections(self.slab.len());
    }

    /// What a connection has that is not dealt with yet.
    pub(super) fn inbound(&mut self, key: usize) -> Option<&mut Inbound> {
        Some(self.slab.get_mut(key)?.inbound.get_or_insert_default())
    }
}

impl Connection {
    /// Gives the connection its part of a broadcast; `None` if it has all of that already.
    fn give(
        &mut self,
        joined: &Arc<Joined>,
        delivery: DeliveryPolicy,
        limits: (&Limits, Instant),
    ) -> Option<Sent> {
        if !self.is_open() || joined.frames.is_empty() {
            return None;
        }
        let (offset, users) = joined.last();
        if self.replaying {
            // Publications come in their order from the history; what is told of users has no other way.
            let only = Arc::new(joined.users_only()?);
            let from = only.start_after(self.offset, self.users);
            self.users = self.users.max(users.unwrap_or(0));
            return (from < only.bytes.len()).then(|| self.send(&only, from, delivery, limits));
        }
        let from = joined.start_after(self.offset, self.users);
        if from == joined.bytes.len() {
            return None;
        }
        self.offset = self.offset.max(offset.unwrap_or(0));
        self.users = self.users.max(users.unwrap_or(0));
        let Some(pace) = &mut self.pace else {
            return Some(self.send(joined, from, delivery, limits));
        };
        if joined.frames.len() == 1 && pace.may_send(limits.1) {
            return Some(self.send(joined, from, delivery, limits));
        }
        if pace.hold(joined, from, limits.0.outbox_bytes, limits.1).is_err() {
            return Some(Sent::Full);
        }
        Some(self.send_held(limits.0, limits.1).unwrap_or(Sent::Ok))
    }

    /// Sends the next page of what it missed.
    fn send_page(&mut self, bytes: usize, limits: (&Limits, Instant)) -> Sent {
        let page = self.source.page(self.offset, bytes);
        self.replaying = !page.caught_up;
        if let Some(gap) = &page.gap {
            self.tally.gaps.add(Missing::History, 1);
            let framing = self.encoding.framing;
            let told = Arc::new(Joined::of_messages(std::iter::once(gap), framing));
            let sent = self.send_always(&told, limits.1);
            if sent != Sent::Ok {
                return sent;
            }
        }
        let items: Vec<_> = page.publications.into_iter().map(Item::Publication).collect();
        let joined = Arc::new(Joined::of_items(&items, self.encoding));
        self.offset = self.offset.max(joined.last().0.unwrap_or(0));
        if joined.bytes.is_empty() {
            return Sent::Ok;
        }
        self.send(&joined, 0, self.source.delivery(), limits)
    }
}
