//! Presence: who is here, since when, until when.
//!
//! A client is present on the root channel from login until it logs out, closes its last connection,
//! or lets its time run out; on any other channel while it is subscribed there. Both are one
//! mechanism: a *membership* that is held by connections or, without one, until a time.
//!
//! - [`Presence`] (`map`) is the sharded map of clients, `timer` ends who runs out of time,
//! - `members` is the users list of one channel and how changes of it are told,
//! - `inbox` keeps direct messages for clients without a connection,
//! - `line` is presence for what is sent to a client alone, on no list,
//! - `announce` tells who comes and goes, and `restore` is told who was here when the process died.
//!
//! Locks are taken in this order, and each for a few steps only: client, members, channel, queue.

#![allow(
    clippy::significant_drop_tightening,
    reason = "the locks of client and list are held to the end of a step on purpose"
)]

mod announce;
mod attach;
mod budget;
mod client;
mod direct;
mod inbox;
mod line;
mod map;
mod members;
mod restore;
#[cfg(test)]
mod tests;
mod timer;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use direct::{Reached, Taken, UnknownClient, Way};
pub use map::Presence;
pub use members::List;
pub use restore::Past;

use crate::channel::ChannelName;
use crate::dialect::{Direct, UsersMode, UsersTold};
use crate::identity::{ClientId, DisplayName};
use crate::metrics::Label;
use crate::transport::ConnectionId;

/// What presence holds to; wire.md sections 2 and 5.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long without a connection and without a post or poll.
    pub timeout: Duration,
    /// How long after a connection that did not end by the client's own close.
    pub linger: Duration,
    /// How long after a restart, of those who were connected when the process died.
    pub restart: Duration,
    /// Least time between two pushes of one list.
    pub coalesce: Duration,
    /// Up to how many present whole lists are told.
    pub max_list: usize,
    /// Up to how many present differences are told.
    pub max_diff: usize,
    /// How many connections a client may have.
    pub connections_per_client: usize,
    /// How many clients may be present.
    pub clients: usize,
    /// Bytes that may wait in all inboxes together.
    pub inbox_bytes: usize,
    /// The same of the clients of one address.
    pub inbox_bytes_per_address: usize,
}

/// Told of each change of a users list, in order. Called with the list locked: must not wait.
pub trait Tell: fmt::Debug + Send + Sync {
    /// `told` is the change on `channel`, in the form that each subscriber gets.
    fn tell(&self, channel: &ChannelName, told: &Arc<UsersTold>);
}

/// Told of each client with a token when it comes, goes, or is elsewhere, in the order in which that
/// happened. Called with the client locked: must not wait.
pub trait Announce: fmt::Debug + Send + Sync {
    /// `client` has come or gone, if that is an edge of its stay, and is here as `stay` says from now
    /// on; `None`: no more.
    fn announce(&self, client: &ClientId, edge: Option<Edge>, stay: Option<Stay>);
}

/// What there is to know of a client that is here, to know it again after a restart.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that change independently")]
pub struct Stay {
    /// Its entry in users lists.
    pub entry: Arc<str>,
    /// Where its login came from.
    pub address: IpAddr,
    /// The `Origin` of its login.
    pub origin: Option<Arc<str>>,
    /// Whether the limits of that address count it.
    pub is_counted: bool,
    /// The channels on whose lists it is.
    pub channels: Vec<ChannelName>,
    /// Whether it has a private line.
    pub has_line: bool,
    /// Whether it stays without a connection: by a login, a post, or what its backend made for it.
    pub is_alone: bool,
    /// Whether it was announced as connected.
    pub is_announced: bool,
}

/// One of the two ends of a stay that is announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Edge {
    /// The client has a connection, for the first time since it is present.
    Connected,
    /// Its presence ended, and it had one.
    Disconnected,
}

impl Label for Edge {
    const ALL: &'static [Self] = &[Self::Connected, Self::Disconnected];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
        })
    }
}

/// Somebody who logs in, connects, polls or posts.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who it is.
    pub client: ClientId,
    /// Its display name.
    pub name: Option<DisplayName>,
    /// Where it comes from.
    pub address: IpAddr,
    /// The address as lists and messages show it.
    pub shown_ip: Arc<str>,
    /// The `Origin` of its request.
    pub origin: Option<Arc<str>>,
    /// Whether `connections_per_client` counts what it opens.
    pub is_counted: bool,
    /// The order of its token; `None` for one without: it is on no list but that of its channel,
    /// and gone with its connection.
    pub token: Option<u64>,
}

/// A connection that attaches to a channel.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its id.
    pub connection: ConnectionId,
    /// The channel it subscribes to.
    pub channel: ChannelName,
    /// What it is told of users.
    pub users: UsersMode,
    /// Whether it is a long poll, of which there is one at a time.
    pub is_poll: bool,
    /// Whether direct messages go to it, and what waits in the inbox.
    pub takes_direct: bool,
    /// Whether it is a private line: on the root, but no subscriber of it and on no list.
    pub is_line: bool,
}

/// What a connection starts with.
#[derive(Debug)]
pub struct Opening {
    /// The users list, where it asked for one.
    pub users: Option<Bytes>,
    /// Version and life of the users list of the channel.
    pub version: (u64, u32),
    /// What was sent to the client and waited.
    pub inbox: Vec<Direct>,
    /// How many more there were than the inbox holds.
    pub dropped: u64,
    /// An earlier poll of the same client, to be ended.
    pub superseded: Option<ConnectionId>,
}

/// What happens to a users list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// A client came to be on it.
    Joined,
    /// A client left it.
    Left,
}

impl Label for Change {
    const ALL: &'static [Self] = &[Self::Joined, Self::Left];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Joined => "joined",
            Self::Left => "left",
        })
    }
}

/// How a connection left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leave {
    /// By the client's own close.
    Clean,
    /// In any other way; the client may come back within `linger`.
    Dropped,
    /// A poll was answered; the next one may come within `linger` and its `wait`.
    Poll(Duration),
}

/// Why a client cannot be present, or not with one more connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PresenceError {
    /// `limits.clients` are present.
    TooManyClients,
    /// The client has `limits.connections_per_client` connections.
    TooManyConnections,
}

impl fmt::Display for PresenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyClients => "limits.clients are present",
            Self::TooManyConnections => "the client has limits.connections_per_client connections",
        })
    }
}

impl std::error::Error for PresenceError {}
