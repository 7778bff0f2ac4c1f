//! Workers: one event loop per core, which owns its connections and writes to them.
//!
//! A worker is an operating-system thread that blocks in `mio::Poll` until a socket is ready, its
//! next deadline comes, or its one waker rings. Orders reach it through a bounded queue; what it
//! hears goes up through the [`Peer`] of the connection. It knows transports and encodings, and
//! nothing of clients, presence or HTTP. It never blocks: disk, database and engine live elsewhere.
//!
//! - `run` is the loop; `connections`, `input` and `deadlines` are what happens to a connection: by
//!   order, because its peer spoke, because its time came; `handover` is how a socket comes and goes,
//! - `controls` counts pings and pongs, `pace` thins what a subscriber wants less often, `group` has the subscribers of a channel,
//! - `outbox` holds what a socket would not take, `outlet` is the same for a body of hyper,
//! - `shield` has a bug end one connection and no other, `stall` deals with time in which we did not run,
//! - `joined` encodes the messages of one turn once, `socket` is plain TCP or TLS,
//! - `tally` is what the worker counts, for the metrics.

mod connection;
mod connections;
mod controls;
mod deadlines;
mod group;
mod handover;
mod input;
mod joined;
mod outbox;
mod outlet;
mod pace;
mod queue;
mod run;
mod shield;
mod socket;
mod stall;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub use joined::{Encoding, Form, Item, Joined, Mark};
pub use outbox::{Full, Outbox};
pub use outlet::{GivenUp, Inlet, Outlet};
pub use queue::{Reservation, WorkerHandle, Workers};
pub use socket::Socket;
pub use tally::{Delivered, Missing, Reason, Tally};

use crate::channel::{DeliveryPolicy, Publication};
use crate::code::Close;
use crate::dialect::Direct;
use crate::transport::ConnectionId;

/// What all workers hold to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of a message from a peer.
    pub message_bytes: usize,
    /// Most bytes that wait for a connection.
    pub outbox_bytes: usize,
    /// How old the oldest unsent byte may become.
    pub write: Duration,
    /// How often an idle WebSocket is pinged.
    pub ping: Duration,
    /// How long a ping may stay without its pong.
    pub pong: Duration,
    /// How many pings, and pongs that nobody asked for, a counted peer may send in a second.
    pub controls_a_second: u32,
    /// How often an idle SSE or stream is written to.
    pub keep_warm: Duration,
    /// How many publications may wait for a worker.
    pub queue: usize,
    /// Called by a worker that has nothing to do, before it sleeps. Must not wait.
    pub idle: fn(),
    /// Called when a worker has met a bug that it cannot go on after: what it had is lost.
    pub died: fn(),
}

/// What somebody above asks of a worker.
pub enum Order {
    /// A new connection, already counted as a subscriber of its channel.
    Attach(Box<Attach>),
    /// The socket of an attached connection.
    Socket(ConnectionId, Box<Handed>),
    /// Something for everyone on a channel.
    Deliver(ChannelKey, Item),
    /// A message for these connections alone; the receipt is taken if one of them is still there.
    Tell(Vec<ConnectionId>, Direct, Arc<Receipt>),
    /// A message of ours for a WebSocket alone, as JSON.
    Say(ConnectionId, Bytes),
    /// End this connection with a code.
    Close(ConnectionId, Close),
    /// End this poll behind what it was told.
    Finish(ConnectionId),
    /// The far end is gone: its body was dropped, or its upgrade failed.
    Gone(ConnectionId),
    /// The body took everything; more of a replay can follow.
    Drained(ConnectionId),
    /// End all connections with 1001, spread over this time; then end the thread.
    Drain(Duration),
}

/// A channel, as workers tell channels apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChannelKey(pub u64);

/// A connection on its way to its worker.
pub struct Attach {
    /// Its id, from [`Workers::allot`].
    pub id: ConnectionId,
    /// Where its bytes go.
    pub sink: Sink,
    /// How they are encoded.
    pub encoding: Encoding,
    /// The channel it subscribes to.
    pub channel: ChannelKey,
    /// The channel itself, for replays.
    pub source: Arc<dyn Source>,
    /// What it has of the channel already.
    pub offset: u64,
    /// Whether there is more behind `offset` that must be replayed.
    pub replay: bool,
    /// What it has of the users list already.
    pub users: u64,
    /// Messages that come first, in order.
    pub first: Vec<Bytes>,
    /// How long after an update the next may come, on a `latest` channel; none for at once.
    pub pace: Option<Duration>,
    /// When its token expires.
    pub expires: Option<Instant>,
    /// When it is answered at the latest: a poll that its worker answers.
    pub answer_by: Option<Instant>,
    /// Who hears what it says.
    pub peer: Box<dyn Peer>,
}

/// Where the bytes of a connection go.
#[derive(Debug)]
pub enum Sink {
    /// A socket that will be handed over by [`Order::Socket`]; until then all waits.
    Awaited,
    /// The worker's own socket.
    Socket(Socket),
    /// The worker's own socket, on which a poll waits for its answer.
    Parked(Box<Parked>),
    /// A body of hyper.
    Body(Arc<Outlet>),
}

/// The socket of a poll that waits.
#[derive(Debug)]
pub struct Parked {
    socket: Socket,
    /// The head of the answer, all but its length.
    head: Bytes,
    /// What the peer sent behind its request. Bound: one read, then nothing more is read.
    read: Bytes,
}

/// A socket on its way to the worker of an attached connection.
pub struct Handed {
    /// The socket.
    pub socket: Socket,
    /// What was read from it already.
    pub read: Bytes,
    /// The head of the HTTP answer, which is written before anything else; of a poll it lacks the
    /// length and the empty line.
    pub head: Bytes,
    /// Who had the socket.
    pub keeper: Box<dyn Keeper>,
}

/// Who had a socket before its worker: takes it back behind a poll, and is dropped with it else.
pub trait Keeper: Send {
    /// Takes the socket back, with what was read from it and not dealt with. Called on the worker's
    /// thread: never waits.
    fn take_back(self: Box<Self>, socket: Socket, read: Bytes);
}

/// The part of a channel that a worker needs: what it keeps, and to be told when subscribers leave.
pub trait Source: Send + Sync {
    /// What is kept after `offset`, oldest first, as much as fits in about `bytes`; one at least.
    /// Locks the channel, briefly.
    fn page(&self, offset: u64, bytes: usize) -> Page;

    /// What happens to subscribers that are slow.
    fn delivery(&self) -> DeliveryPolicy;

    /// One subscriber of `worker` is gone. Locks the channel, briefly.
    fn unsubscribe(&self, worker: usize);
}

/// A part of what a channel keeps.
#[derive(Debug)]
pub struct Page {
    /// What to tell where the page does not begin right after what was asked for.
    pub gap: Option<Bytes>,
    /// The publications, oldest first, offsets consecutive.
    pub publications: Vec<Arc<Publication>>,
    /// Whether this is all there was.
    pub caught_up: bool,
}

/// What is told to one client with the end of its poll.
#[derive(Debug, Default)]
pub struct Kept {
    /// Direct messages.
    pub messages: Vec<Direct>,
    /// What to tell where there were more.
    pub gap: Option<Bytes>,
}

/// Who hears what a connection says, and that it ended. Called on the worker's thread: never waits.
pub trait Peer: Send {
    /// A whole message came.
    fn heard(&mut self, said: Said<'_>) -> Reaction;

    /// What waits for the client of a poll that is about to be answered, and belongs into the answer.
    fn kept(&mut self) -> Kept {
        Kept::default()
    }

    /// The body that answers a poll which was told this.
    fn answer(&mut self, told: &[(Mark, Bytes)]) -> Vec<u8> {
        let _ = told;
        Vec::new()
    }

    /// Whether more than [`Limits::controls_a_second`] is the end of the connection.
    fn is_counted(&self) -> bool {
        true
    }

    /// The connection has ended; called once, the last call.
    fn closed(self: Box<Self>, ending: Ending);
}

/// A message of a client.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What becomes of a message of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// It was taken care of.
    Taken,
    /// The sender is told this.
    Tell(Bytes),
    /// The sender gets the same message back.
    Echo,
    /// The connection ends.
    Close(Close),
    /// Not now: a queue is full. The message is kept and offered again; nothing is read meanwhile.
    Busy,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// By the client's own close frame with 1000, 1001 or no code.
    Clean,
    /// A poll, by its answer.
    Answered,
    /// In any other way.
    Dropped,
}

/// Says what became of a message that was sent to several connections.
///
/// If it is dropped and no worker has taken the message, `undelivered` gets it back: so a message
/// to a connection that is just ending is not lost.
pub struct Receipt {
    taken: AtomicBool,
    message: Direct,
    undelivered: Box<dyn Fn(Direct) + Send + Sync>,
}

impl Receipt {
    /// A receipt for `message`.
    pub fn new(message: Direct, undelivered: Box<dyn Fn(Direct) + Send + Sync>) -> Self {
        Self { taken: AtomicBool::new(false), message, undelivered }
    }

    fn take(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.taken.load(Ordering::Relaxed) {
            (self.undelivered)(self.message.clone());
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl fmt::Debug for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attach").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attach(_) => "Attach",
            Self::Socket(..) => "Socket",
            Self::Deliver(..) => "Deliver",
            Self::Say(..) => "Say",
            Self::Tell(..) => "Tell",
            Self::Close(..) => "Close",
            Self::Finish(_) => "Finish",
            Self::Gone(_) => "Gone",
            Self::Drained(_) => "Drained",
            Self::Drain(_) => "Drain",
        })
    }
}
