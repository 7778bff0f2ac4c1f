//! One connection as its worker keeps it, and how bytes leave through it.

use std::io;
use std::sync::Arc;

use tokio::time::Instant;

use super::controls::Controls;
use super::pace::Pace;
use super::tally::Reason;
use super::{Encoding, Full, Joined, Keeper, Limits, Outbox, Peer, Sink, Source, Tally};
use crate::channel::DeliveryPolicy;
use crate::metrics::Tally as _;
use crate::transport::ws::{Assembly, Message};
use crate::transport::{ConnectionId, Transport};

/// State of a connection. Owner: its worker, which is the only one that reads or writes it.
///
/// An idle one has no buffer: `outbox` and `inbound` exist only while something waits in them.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) sink: Sink,
    pub(super) encoding: Encoding,
    /// Its group, and its place among the group's subscribers.
    pub(super) group: usize,
    pub(super) place: usize,
    pub(super) source: Arc<dyn Source>,
    /// What it has been given: the last offset, and the last version of the users list.
    pub(super) offset: u64,
    pub(super) users: u64,
    /// Publications come from the channel's history, not from broadcasts.
    pub(super) replaying: bool,
    pub(super) phase: Phase,
    pub(super) outbox: Option<Box<Outbox>>,
    pub(super) inbound: Option<Box<Inbound>>,
    /// The control frames of its peer, if there were any lately.
    pub(super) controls: Option<Box<Controls>>,
    /// How often it wants to hear, if not always.
    pub(super) pace: Option<Box<Pace>>,
    pub(super) peer: Option<Box<dyn Peer>>,
    /// Who had its socket before.
    pub(super) keeper: Option<Box<dyn Keeper>>,
    pub(super) beat: Beat,
    pub(super) expires: Option<Instant>,
    /// When the wheel will look at it next.
    pub(super) scheduled: Instant,
    /// Why it ends, once it does.
    pub(super) reason: Reason,
    /// What its worker counts.
    pub(super) tally: Arc<Tally>,
}

/// What came in and is not dealt with.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    pub(super) assembly: Assembly,
    /// A whole message that nobody had room for.
    pub(super) held: Option<Message>,
}

/// How far a connection is on its way out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// It lives.
    Open,
    /// Its last frame is written or waits: behind it comes FIN, and what the peer sends is read and
    /// dropped until it ends the stream too or this time comes. Unread bytes would have the kernel
    /// reset the stream, and the peer might never see the last frame.
    Closing {
        until: Instant,
        /// FIN is still to be sent, once nothing waits.
        finish: bool,
    },
}

/// The heartbeat of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Beat {
    /// Something is sent at this time.
    Due(Instant),
    /// A ping was sent: its pong must come by this time.
    Awaited(Instant),
}

/// What became of bytes for a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// They are gone or wait.
    Ok,
    /// They found no room.
    Full,
    /// The stream is broken.
    Broken,
}

impl Phase {
    /// Whether messages still go to the connection.
    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }
}

impl Connection {
    /// Whether messages go to it.
    pub(super) fn is_open(&self) -> bool {
        self.phase.is_open()
    }

    /// Whether what its peer sends means anything.
    pub(super) fn speaks(&self) -> bool {
        self.encoding.transport() == Transport::Ws && self.is_open()
    }

    /// How many bytes wait for it, as far as the worker knows.
    pub(super) fn waiting(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.bytes())
    }

    /// Where bytes wait for it.
    pub(super) fn outbox(&mut self) -> &mut Outbox {
        self.outbox.get_or_insert_with(|| Box::new(Outbox::counted_by(&self.tally)))
    }

    /// Since when the oldest unsent byte waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        match &self.sink {
            Sink::Body(outlet) => outlet.oldest(),
            Sink::Socket(_) | Sink::Awaited | Sink::Parked(_) => self.outbox.as_ref()?.oldest(),
        }
    }

    /// Whether all it was given has left, so that more of a replay may follow.
    pub(super) fn is_drained(&self) -> bool {
        match &self.sink {
            Sink::Body(outlet) => outlet.is_drained(),
            Sink::Socket(_) => self.outbox.is_none(),
            Sink::Awaited | Sink::Parked(_) => false,
        }
    }

    /// Delivers the messages of `joined` from the byte `from` on.
    pub(super) fn send(
        &mut self,
        joined: &Arc<Joined>,
        from: usize,
        policy: DeliveryPolicy,
        limits: (&Limits, Instant),
    ) -> Sent {
        let sent = self.write(joined, from, policy, limits);
        if sent == Sent::Ok {
            self.tally.delivered(self.encoding.transport(), &joined.frames, from);
        }
        sent
    }

    /// Sends the bytes of `joined` from `from` on, or lets them wait as `policy` allows.
    fn write(
        &mut self,
        joined: &Arc<Joined>,
        from: usize,
        policy: DeliveryPolicy,
        (limits, now): (&Limits, Instant),
    ) -> Sent {
        let bound = (policy, limits.outbox_bytes);
        let mut from = from;
        if let Sink::Body(outlet) = &self.sink {
            return outlet.add(joined, from, bound, now).map_or(Sent::Full, |()| Sent::Ok);
        }
        if let Sink::Socket(socket) = &mut self.sink
            && self.outbox.is_none()
        {
            match socket.write(joined.bytes.get(from..).unwrap_or_default()) {
                Ok(written) => {
                    from += written;
                    self.tally.sent.add(written);
                }
                Err(error) if is_retry(&error) => {}
                Err(_) => return Sent::Broken,
            }
            if from == joined.bytes.len() {
                return Sent::Ok;
            }
        }
        match self.outbox().add(joined, from, bound, now) {
            Ok(()) => Sent::Ok,
            Err(Full) => Sent::Full,
        }
    }

    /// Sends what was held to keep the pace, if it is time.
    pub(super) fn send_held(&mut self, limits: &Limits, now: Instant) -> Option<Sent> {
        let held = self.pace.as_mut()?.release(now)?;
        let joined = Arc::new(held.into_joined());
        Some(self.send(&joined, 0, DeliveryPolicy::Latest, (limits, now)))
    }

    /// Sends a frame that no policy may drop: control frames, answers, the last frame.
    pub(super) fn send_always(&mut self, joined: &Arc<Joined>, now: Instant) -> Sent {
        if let Sink::Body(outlet) = &self.sink {
            outlet.add_always(joined, now);
            return Sent::Ok;
        }
        self.outbox().add_always(joined, 0, now);
        self.flush()
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> Sent {
        let socket = match &mut self.sink {
            Sink::Socket(socket) => socket,
            Sink::Parked(parked) if !self.phase.is_open() => &mut parked.socket,
            Sink::Parked(_) | Sink::Awaited | Sink::Body(_) => return Sent::Ok,
        };
        match socket.flush() {
            Err(error) if !is_retry(&error) => return Sent::Broken,
            _ => {}
        }
        while let Some(outbox) = &mut self.outbox {
            let result = socket.write_vectored(&outbox.slices());
            match result {
                Ok(written) => {
                    outbox.sent(written);
                    self.tally.sent.add(written);
                }
                Err(error) if is_retry(&error) => return Sent::Ok,
                Err(_) => return Sent::Broken,
            }
            if outbox.is_empty() {
                self.outbox = None;
            }
        }
        Sent::Ok
    }

    /// Drops what waits, but for the frame that is begun.
    pub(super) fn drop_unbegun(&mut self) {
        if let Sink::Body(outlet) = &self.sink {
            outlet.drop_unbegun();
        }
        if let Some(outbox) = &mut self.outbox {
            outbox.drop_unbegun();
            if outbox.is_empty() {
                self.outbox = None;
            }
        }
    }

    /// When something of this connection is due next.
    pub(super) fn next_deadline(&self, limits: &Limits) -> Instant {
        if let Phase::Closing { until, .. } = self.phase {
            return until;
        }
        let beat = match self.beat {
            Beat::Due(at) | Beat::Awaited(at) => at,
        };
        let write = self.oldest().map(|since| since + limits.write);
        let pace = self.pace.as_ref().and_then(|pace| pace.due());
        [self.expires, write, pace].into_iter().flatten().fold(beat, Instant::min)
    }
}

/// Whether a failed read or write is to be tried again later.
pub(super) fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
