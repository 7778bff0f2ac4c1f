//! What happens to connections because their time has come: heartbeats, deadlines, the drain.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Beat, Phase, Sent};
use super::connections::Connections;
use super::tally::Reason;
use super::{Encoding, Ending, Joined, Sink};
use crate::code::{Close, Limit};
use crate::dialect::plain;
use crate::transport::ConnectionId;
use crate::transport::Transport;

/// How long a connection that is still catching up is spared by a drain, a time.
const SPARED: Duration = Duration::from_millis(50);
/// How long a message that nobody had room for waits, a time.
const FOR_ROOM: Duration = Duration::from_millis(1);

impl Connections {
    /// How long the loop may sleep.
    pub(super) fn until_next(&mut self, now: Instant) -> Option<Duration> {
        let busy = !self.groups.is_idle() || !self.unread.is_empty() || !self.unreplayed.is_empty();
        if busy {
            return Some(Duration::ZERO);
        }
        let drain = self.drain.as_ref().and_then(|drain| drain.front());
        let drain = drain.map(|(at, _)| at.saturating_duration_since(now));
        let room = (!self.unheard.is_empty()).then_some(FOR_ROOM);
        [drain, room, self.wheel.until_next(now)].into_iter().flatten().min()
    }

    /// Does what is due, and what earlier turns left over.
    pub(super) fn on_time(&mut self, now: Instant) {
        for id in self.wheel.expired(now) {
            self.with(id, |this, key| this.on_deadline(key, now));
        }
        let unheard = std::mem::take(&mut self.unheard);
        for id in unheard.into_iter().chain(std::mem::take(&mut self.unread)) {
            self.with(id, |this, key| {
                this.resume_reading(key, now);
                this.read(key, now);
            });
        }
        for id in std::mem::take(&mut self.unreplayed) {
            self.with(id, |this, key| this.replay(key, now));
        }
        self.drain_some(now);
    }

    /// Has the wheel look at a connection in time for its next deadline.
    pub(super) fn schedule(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        let next = connection.next_deadline(&self.limits);
        if next < connection.scheduled || connection.scheduled <= now {
            connection.scheduled = next;
            self.wheel.add(next, connection.id);
        }
    }

    fn on_deadline(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        if connection.scheduled > now && connection.next_deadline(&self.limits) > now {
            return;
        }
        connection.scheduled = now;
        if let Phase::Closing { until, .. } = connection.phase {
            if until > now {
                self.schedule(key, now);
            } else if connection.outbox.is_some() {
                self.give_up(key);
            } else {
                self.drop_now(key, Ending::Dropped);
            }
            return;
        }
        let late = |since: Instant| since + self.limits.write <= now;
        // It may take more by now, and the news of that wait for us.
        if connection.oldest().is_some_and(late) && connection.flush() == Sent::Broken {
            self.drop_now(key, Ending::Dropped);
            return;
        }
        if connection.oldest().is_some_and(late) {
            // The far end takes nothing: a close frame would not reach it either.
            connection.tally.limited.add(Limit::WriteSeconds, 1);
            self.give_up(key);
            return;
        }
        if connection.expires.is_some_and(|expires| expires <= now) {
            self.close(key, Close::TokenExpired, now);
            return;
        }
        if let Some(sent) = connection.send_held(&self.limits, now) {
            self.settle(key, sent, now);
        }
        self.beat(key, now);
        self.schedule(key, now);
    }

    /// Resets a connection whose peer takes nothing; a body is given up with what it holds.
    fn give_up(&mut self, key: usize) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        connection.reason = Reason::Unresponsive;
        let socket = match &connection.sink {
            Sink::Socket(socket) => Some(socket),
            Sink::Parked(parked) => Some(&parked.socket),
            Sink::Body(outlet) => {
                outlet.abort();
                None
            }
            Sink::Awaited => None,
        };
        if let Some(socket) = socket {
            // Without this the kernel would go on offering the backlog after we are done.
            let _ = socket2::SockRef::from(socket.tcp()).set_linger(Some(Duration::ZERO));
        }
        self.drop_now(key, Ending::Dropped);
    }

    fn beat(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.slab.get_mut(key) else {
            return;
        };
        connection.controls.take_if(|controls| controls.is_over(now));
        let Encoding { framing, .. } = connection.encoding;
        let transport = framing.transport;
        let waits = connection.oldest().is_some();
        match connection.beat {
            Beat::Due(at) if at <= now && transport == Transport::Poll => self.end_poll(key, now),
            Beat::Due(at) if at <= now => {
                connection.beat = match transport {
                    Transport::Ws => Beat::Awaited(now + self.limits.pong),
                    Transport::Sse | Transport::Stream | Transport::Poll => {
                        Beat::Due(now + self.limits.keep_warm)
                    }
                };
                // Where something waits already, the write deadline watches the far end.
                if !waits || transport == Transport::Ws {
                    let told =
                        connection.encoding.beats.then(|| plain::heartbeat(self.limits.ping));
                    let beat = Arc::new(Joined::of_frame(|out| {
                        framing.heartbeat(out);
                        if let Some(told) = &told {
                            framing.message(out, None, told);
                        }
                    }));
                    let sent = connection.send_always(&beat, now);
                    self.settle(key, sent, now);
                }
            }
            Beat::Awaited(by) if by <= now && waits => {
                connection.beat = Beat::Awaited(now + self.limits.pong);
            }
            Beat::Awaited(by) if by <= now => self.give_up_if_silent(key, now),
            Beat::Due(_) | Beat::Awaited(_) => {}
        }
    }

    /// Ends a connection that has not answered its ping, if the answer does not lie at its socket.
    fn give_up_if_silent(&mut self, key: usize, now: Instant) {
        self.read(key, now);
        let is_silent = |beat| matches!(beat, Beat::Awaited(by) if by <= now);
        if self.slab.get(key).is_some_and(|c| c.is_open() && is_silent(c.beat)) {
            self.give_up(key);
        }
    }

    /// Plans the end of every connection: polls at once, the others spread over `spread`.
    pub(super) fn start_drain(&mut self, spread: Duration, now: Instant) {
        let (polls, others): (Vec<_>, Vec<_>) = self
            .slab
            .iter()
            .map(|(_, connection)| (connection.encoding.transport(), connection.id))
            .partition(|(transport, _)| *transport == Transport::Poll);
        let count = u32::try_from(others.len()).unwrap_or(u32::MAX).max(1);
        let step = spread / count;
        let mut plan: VecDeque<_> = polls.into_iter().map(|(_, id)| (now, id)).collect();
        let mut at = now;
        for (_, id) in others {
            plan.push_back((at, id));
            at += step;
        }
        self.drain = Some(plan);
    }

    /// Ends those whose time has come, behind everything that was published before the drain began.
    fn drain_some(&mut self, now: Instant) {
        if !self.groups.is_idle() {
            return;
        }
        while let Some((at, id)) = self.drain.as_mut().and_then(VecDeque::pop_front) {
            if at > now {
                self.put_back((at, id));
                return;
            }
            self.with(id, |this, key| this.drain_one(key, now));
        }
    }

    fn put_back(&mut self, planned: (Instant, ConnectionId)) {
        if let Some(drain) = &mut self.drain {
            drain.push_front(planned);
        }
    }

    fn drain_one(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.slab.get(key) else {
            return;
        };
        let id = connection.id;
        if connection.encoding.transport() == Transport::Poll {
            self.end_poll(key, now);
        } else if connection.replaying && connection.is_open() {
            // It is read to, or the write deadline would have ended it.
            if let Some(drain) = &mut self.drain {
                drain.push_back((now + SPARED, id));
            }
        } else {
            self.close(key, Close::GoingAway, now);
        }
    }
}
