//! What a peer sends over its WebSocket: read, taken apart, heard, answered.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::connection::{Beat, Inbound, Phase, Sent, is_retry};
use super::connections::Connections;
use super::controls::Controls;
use super::tally::Reason;
use super::{Ending, Joined, Reaction, Said, Sink};
use crate::code::{Close, Limit};
use crate::metrics::Tally as _;
use crate::transport::Transport;
use crate::transport::ws::{self, Message};

/// Most bytes that one connection may bring in one turn.
const READ_A_TURN: usize = 64 * 1024;

impl Connections {
    /// Reads what a peer sent, up to the bound of a turn.
    pub(super) fn read(&mut self, key: usize, now: Instant) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut room = READ_A_TURN;
        while room > 0 && self.may_read(key) {
            let Some(connection) = self.slab.get_mut(key) else {
                break;
            };
            let Sink::Socket(socket) = &mut connection.sink else {
                break;
            };
            let part = scratch.len().min(room);
            let read = socket.read(scratch.get_mut(..part).unwrap_or_default());
            match read {
                Ok(0) => {
                    self.drop_now(key, Ending::Dropped);
                    break;
                }
                Ok(count) => {
                    room = room.saturating_sub(count);
                    connection.tally.received.add(count);
                    if matches!(connection.phase, Phase::Open) {
                        self.on_bytes(key, scratch.get(..count).unwrap_or_default(), now);
                    }
                }
                Err(error) if is_retry(&error) => {
                    self.scratch = scratch;
                    return;
                }
                Err(_) => {
                    self.drop_now(key, Ending::Dropped);
                    break;
                }
            }
        }
        self.scratch = scratch;
        // The socket was not emptied, and nobody will say again that it can be read. Where answers
        // wait, it is read when they have left; where a message waits for room, when that is heard.
        if self.may_read(key)
            && let Some(connection) = self.slab.get(key)
            && self.keys.contains_key(&connection.id)
        {
            self.unread.push_back(connection.id);
        }
    }

    /// Deals with a peer that has nothing to say: whether it is still there is all that matters.
    pub(super) fn read_silent(&mut self, key: usize, is_gone: bool) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut gone = is_gone;
        match &mut connection.sink {
            // What it sends is dropped, and not waited for: its next event tells of more.
            Sink::Socket(socket) => match socket.read(&mut scratch) {
                Ok(0) => gone = true,
                Ok(count) => connection.tally.received.add(count),
                Err(_) => {}
            },
            // The request behind a poll is kept for whoever gets the socket back; more is not read.
            Sink::Parked(parked) if parked.read.is_empty() => {
                match parked.socket.read(&mut scratch) {
                    Ok(0) => gone = true,
                    Ok(count) => {
                        connection.tally.received.add(count);
                        parked.read =
                            Bytes::copy_from_slice(scratch.get(..count).unwrap_or_default());
                    }
                    Err(_) => {}
                }
            }
            Sink::Parked(_) | Sink::Awaited | Sink::Body(_) => {}
        }
        self.scratch = scratch;
        if gone {
            self.drop_now(key, Ending::Dropped);
        }
    }

    /// Whether more may be taken from a peer: not while its own answers wait, nor a message for room.
    fn may_read(&self, key: usize) -> bool {
        let Some(connection) = self.slab.get(key) else {
            return false;
        };
        let held = connection.inbound.as_ref().is_some_and(|inbound| inbound.held.is_some());
        !held && connection.waiting() <= self.limits.outbox_bytes / 2
    }

    /// Goes on reading where a turn's bound or a full outbox stopped it.
    pub(super) fn resume_reading(&mut self, key: usize, now: Instant) {
        if self.slab.get(key).is_some_and(|connection| connection.inbound.is_some()) {
            self.take_apart(key, now);
        }
    }

    /// Adds bytes that were read, and hears the messages that are whole.
    pub(super) fn on_bytes(&mut self, key: usize, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return;
        }
        let spare = std::mem::take(&mut self.spare);
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        let inbound = connection
            .inbound
            .get_or_insert_with(|| Box::new(Inbound { assembly: spare, held: None }));
        inbound.assembly.feed(bytes);
        self.take_apart(key, now);
    }

    /// Hears every whole message; then lets the assembly go if nothing incomplete is in it.
    fn take_apart(&mut self, key: usize, now: Instant) {
        loop {
            let max = self.limits.message_bytes;
            if self.slab.get(key).is_none_or(|connection| !connection.is_open()) {
                return;
            }
            if self.slab.get(key).is_some_and(|c| c.waiting() > self.limits.outbox_bytes / 2) {
                return;
            }
            let Some(inbound) = self.inbound(key) else {
                return;
            };
            let next = match inbound.held.take() {
                Some(held) => Ok(Some(held)),
                None => inbound.assembly.next(max),
            };
            match next {
                Err(close) => {
                    self.close(key, close, now);
                    return;
                }
                Ok(None) => break,
                Ok(Some(message)) => {
                    if !self.on_message(key, message, now) {
                        return;
                    }
                }
            }
        }
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if connection.inbound.as_ref().is_some_and(|inbound| inbound.assembly.is_idle())
            && let Some(inbound) = connection.inbound.take()
        {
            self.spare = inbound.assembly;
        }
    }

    /// Deals with one message; `false` when no more is to be taken from the peer now.
    fn on_message(&mut self, key: usize, message: Message, now: Instant) -> bool {
        let reaction = match &message {
            Message::Ping(payload) => {
                if !self.hears_control(key, now) {
                    return false;
                }
                let pong = Joined::of_frame(|out| ws::pong(out, payload));
                return self.answer(key, pong, now);
            }
            Message::Pong => return self.on_pong(key, now),
            Message::Close(code) => {
                self.on_close(key, *code, now);
                return false;
            }
            Message::Text(text) => self.hear(key, Said::Text(text)),
            Message::Binary(bytes) => self.hear(key, Said::Binary(bytes)),
        };
        match reaction {
            Reaction::Taken => true,
            Reaction::Tell(json) => {
                self.answer(key, Joined::of_frame(|out| ws::text(out, &json)), now)
            }
            Reaction::Echo => {
                let echo = Joined::of_frame(|out| match &message {
                    Message::Binary(bytes) => ws::binary(out, bytes),
                    Message::Text(text) => ws::text(out, text.as_bytes()),
                    Message::Ping(_) | Message::Pong | Message::Close(_) => {}
                });
                self.answer(key, echo, now)
            }
            Reaction::Close(close) => {
                self.close(key, close, now);
                false
            }
            Reaction::Busy => {
                if let Some(inbound) = self.inbound(key) {
                    inbound.held = Some(message);
                }
                if let Some(connection) = self.slab.get(key) {
                    self.unheard.push_back(connection.id);
                }
                false
            }
        }
    }

    /// What a peer's message leads to. A bug in whoever hears it ends this connection, no other.
    fn hear(&mut self, key: usize, said: Said<'_>) -> Reaction {
        let Some(connection) = self.slab.get_mut(key) else {
            return Reaction::Taken;
        };
        let Some(peer) = &mut connection.peer else {
            return Reaction::Taken;
        };
        let heard = std::panic::AssertUnwindSafe(|| peer.heard(said));
        std::panic::catch_unwind(heard).unwrap_or_else(|_| {
            tracing::error!("hearing a message panicked; its connection is closed");
            connection.tally.panics.add(1);
            Reaction::Close(Close::GoingAway)
        })
    }

    fn answer(&mut self, key: usize, frame: Joined, now: Instant) -> bool {
        let Some(connection) = self.slab.get_mut(key) else {
            return false;
        };
        let sent = connection.send_always(&Arc::new(frame), now);
        self.settle(key, sent, now);
        sent == Sent::Ok
    }

    /// Tells a WebSocket something beside what it subscribed to.
    pub(super) fn say(&mut self, key: usize, json: &[u8], now: Instant) {
        let to = self.slab.get(key).filter(|connection| connection.is_open());
        if to.is_some_and(|connection| connection.encoding.transport() == Transport::Ws) {
            self.answer(key, Joined::of_frame(|out| ws::text(out, json)), now);
        }
    }

    /// Deals with a pong; `false` when it was one too many.
    fn on_pong(&mut self, key: usize, now: Instant) -> bool {
        let Some(connection) = self.slab.get_mut(key) else {
            return false;
        };
        if let Beat::Awaited(_) = connection.beat {
            connection.beat = Beat::Due(now + self.limits.ping);
            // A pong may take longer than the next ping: the wheel is not to wait for it.
            self.schedule(key, now);
            return true;
        }
        self.hears_control(key, now)
    }

    /// Counts a control frame that nobody asked for; one too many ends the connection.
    fn hears_control(&mut self, key: usize, now: Instant) -> bool {
        let Some(connection) = self.slab.get_mut(key) else {
            return false;
        };
        let controls = connection.controls.get_or_insert_with(|| Box::new(Controls::new(now)));
        let is_heard = controls.allows(self.limits.controls_a_second, now)
            || connection.peer.as_ref().is_some_and(|peer| !peer.is_counted());
        if !is_heard {
            connection.tally.limited.add(Limit::MessagesPerSecond, 1);
            self.close(key, Close::RateLimited, now);
        }
        is_heard
    }

    /// The peer's close is echoed, RFC 6455 section 5.5.1; then the stream ends from our side.
    fn on_close(&mut self, key: usize, code: Option<u16>, now: Instant) {
        let clean = matches!(code, None | Some(1000 | 1001));
        let ending = if clean { Ending::Clean } else { Ending::Dropped };
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        connection.reason = Reason::Client;
        // A peer that goes on behind its close is read until it ends, or it would be reset.
        let silent = connection.inbound.as_ref().is_none_or(|inbound| inbound.assembly.is_spent());
        let echo = Arc::new(Joined::of_frame(|out| ws::close_echo(out, code)));
        let sent = connection.send_always(&echo, now);
        if sent == Sent::Broken || (silent && connection.outbox.is_none()) {
            // The peer says nothing more, so the end of the stream can follow the echo at once.
            if let Sink::Socket(socket) = &mut connection.sink {
                socket.goodbye();
            }
            self.drop_now(key, ending);
        } else {
            self.start_farewell(key, ending, now);
        }
    }
}
