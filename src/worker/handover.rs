//! How a socket comes to a connection, and how that of an answered poll goes back.

use std::sync::Arc;

use bytes::Bytes;
use mio::Token;
use tokio::time::Instant;

use super::connection::{Connection, Phase, Sent};
use super::connections::Connections;
use super::tally::Reason;
use super::{Ending, Handed, Joined, Kept, Parked, Sink};
use crate::channel::DeliveryPolicy;
use crate::transport::{ConnectionId, Transport, poll};

/// How much of a backlog the kernel takes, where the newest replaces what waits: little, since only
/// what waits here can be replaced. Elsewhere it is what the socket has from its listener: room for a
/// reader that stalls for a moment.
const UNSENT_OF_LATEST: u32 = 16 * 1024;

impl Connections {
    /// Gives an attached connection its socket, and sends what has waited for it.
    pub(super) fn hand_over(&mut self, id: ConnectionId, handed: Handed, now: Instant) {
        let Some(key) = self.keys.get(&id).copied() else {
            return;
        };
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        let Handed { mut socket, read, head, keeper } = handed;
        let is_poll = connection.encoding.transport() == Transport::Poll;
        if !is_poll && connection.source.delivery() == DeliveryPolicy::Latest {
            let _ = socket2::SockRef::from(socket.tcp()).set_tcp_notsent_lowat(UNSENT_OF_LATEST);
        }
        connection.keeper = Some(keeper);
        if socket.register(&self.registry, Token(key)).is_err() {
            self.drop_now(key, Ending::Dropped);
        } else if is_poll {
            connection.sink = Sink::Parked(Box::new(Parked { socket, head, read }));
            self.answer_if_told(key, now);
        } else {
            connection.sink = Sink::Socket(socket);
            connection.outbox().add_before(Joined::of_bytes(head), now);
            self.begin(key, &read, now);
        }
    }

    /// Starts a connection that has its socket now.
    fn begin(&mut self, key: usize, read: &[u8], now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if connection.flush() == Sent::Broken {
            self.drop_now(key, Ending::Dropped);
            return;
        }
        self.schedule(key, now);
        // It may have been closed while it waited for its socket.
        self.finish_if_flushed(key);
        if self.slab.get(key).is_some_and(|connection| connection.speaks()) {
            self.on_bytes(key, read, now);
        }
        self.replay(key, now);
    }

    /// A long poll is a subscription that ends at its first delivery.
    pub(super) fn end_poll_if_told(&mut self, key: usize, now: Instant) {
        if self.slab.get(key).is_some_and(|c| c.encoding.transport() == Transport::Poll) {
            self.end_poll(key, now);
        }
    }

    /// Ends a poll with what it was told: the answer leaves at once, or once its socket comes.
    pub(super) fn end_poll(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if !connection.is_open() {
            return;
        }
        connection.add_kept(now);
        if matches!(connection.sink, Sink::Body(_)) {
            connection.reason = Reason::Answered;
            self.drop_now(key, Ending::Answered);
            return;
        }
        let told = connection.outbox.take().map(|mut outbox| outbox.take_all_frames());
        let Some(peer) = &mut connection.peer else {
            return;
        };
        let body = peer.answer(&told.unwrap_or_default());
        connection.outbox().add_before(Joined::of_bytes(Bytes::from(body)), now);
        connection.reason = Reason::Answered;
        connection.phase = Phase::Closing { until: now + self.limits.write, finish: true };
        self.detach(key, Ending::Answered);
        self.answer_if_told(key, now);
    }

    /// Writes the answer of a poll, if there is one and a socket.
    fn answer_if_told(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if let Sink::Parked(parked) = &mut connection.sink
            && !connection.phase.is_open()
            && let Some(outbox) = &mut connection.outbox
        {
            let head = std::mem::take(&mut parked.head);
            outbox.add_before(Joined::of_bytes(poll::head(&head, outbox.bytes())), now);
            if connection.flush() == Sent::Broken {
                self.drop_now(key, Ending::Dropped);
                return;
            }
        }
        self.schedule(key, now);
        self.finish_if_flushed(key);
    }

    /// Gives the socket of an answered poll back: its next request is HTTP again.
    pub(super) fn give_back(&mut self, key: usize) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if let Sink::Parked(parked) = std::mem::replace(&mut connection.sink, Sink::Awaited)
            && let Some(keeper) = connection.keeper.take()
        {
            let Parked { mut socket, read, .. } = *parked;
            if socket.deregister(&self.registry).is_ok() {
                keeper.take_back(socket, read);
            }
        }
        self.drop_now(key, Ending::Dropped);
    }
}

impl Connection {
    /// Adds what waits for the client of a poll to what the poll was told.
    fn add_kept(&mut self, now: Instant) {
        let Some(peer) = &mut self.peer else {
            return;
        };
        let Kept { messages: kept, gap } = peer.kept();
        let messages: Vec<_> = kept.iter().map(|it| self.encoding.direct(it)).chain(gap).collect();
        if messages.is_empty() {
            return;
        }
        let joined = Arc::new(Joined::of_messages(messages.iter(), self.encoding.framing));
        self.tally.delivered(self.encoding.transport(), &joined.frames, 0);
        // Nothing is written to a poll before it ends.
        self.send_always(&joined, now);
    }
}
