//! One client: its connections, its memberships and its inbox.

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::budget::{Budget, Share};
use super::inbox::Inbox;
use super::line::Line;
use super::members::Members;
use super::{Edge, Seat, Visitor};
use crate::channel::ChannelName;
use crate::dialect::plain;
use crate::identity::ClientId;

/// A client that is present, or an anonymous subscriber for the life of its connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: ClientId,
    /// What `ended` says, for the timer, which must not wait for the lock.
    pub(super) gone: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    /// It is no longer in the map: whoever still holds it must look again.
    pub(super) ended: bool,
    pub(super) anonymous: bool,
    /// What was announced of it.
    pub(super) notes: Notes,
    /// Its entry in users lists.
    pub(super) entry: Arc<str>,
    /// Where its login came from: address and `Origin`.
    pub(super) login: (IpAddr, Option<Arc<str>>),
    /// Whom the limits of an address count it for; nobody where it is exempt.
    pub(super) counted: Option<IpAddr>,
    pub(super) connections: Vec<Held>,
    /// The root first, unless it is anonymous or only here for its line.
    pub(super) memberships: Vec<Membership>,
    /// Its presence that is on no list.
    pub(super) line: Option<Box<Line>>,
    pub(super) inbox: Option<Box<Inbox>>,
    /// Until when a connection that breaks is taken for one that the client has closed: it said that
    /// it leaves, and the two may come in any order.
    pub(super) leaving: Option<Instant>,
    /// When the timer will look at it.
    pub(super) planned: Option<Instant>,
    /// How many entries the timer has for it; when it ends, they are stale.
    pub(super) entries: usize,
}

/// What was announced of a client, and what is to be.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that change independently")]
pub(super) struct Notes {
    /// That it is connected was.
    pub(super) connected: bool,
    /// That it is here was.
    pub(super) here: bool,
    /// That it stays without a connection was, or is to be.
    pub(super) alone: bool,
    /// Something of it is otherwise than it was announced.
    pub(super) changed: bool,
    /// What is to be announced beside that.
    pub(super) edge: Option<Edge>,
}

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) seat: Seat,
    pub(super) token: Option<u64>,
    pub(super) address: IpAddr,
    pub(super) is_counted: bool,
    /// A poll that a later one has ended: nothing more is told to it.
    pub(super) is_over: bool,
}

/// Presence on one channel.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) members: Arc<Members>,
    /// When it ends if no connection holds it by then.
    pub(super) until: Option<Instant>,
}

impl Client {
    pub(super) fn new(visitor: &Visitor) -> Self {
        let state = State {
            ended: false,
            anonymous: visitor.token.is_none(),
            notes: Notes::default(),
            entry: entry(visitor),
            login: (visitor.address, visitor.origin.clone()),
            counted: visitor.is_counted.then_some(visitor.address),
            connections: Vec::new(),
            memberships: Vec::new(),
            line: None,
            inbox: None,
            leaving: None,
            planned: None,
            entries: 0,
        };
        Self { id: visitor.client.clone(), gone: AtomicBool::new(false), state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid between any two statements: a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(visitor: &Visitor) -> Arc<str> {
    let name = visitor.name.as_ref().map(crate::identity::DisplayName::as_str);
    Arc::from(plain::user(visitor.client.as_str(), &visitor.shown_ip, name))
}

impl State {
    /// How many connections keep a membership of `channel`: on the root all of them do that are no
    /// lines.
    pub(super) fn holding(&self, channel: &ChannelName) -> usize {
        let members = self.connections.iter().filter(|held| !held.seat.is_line);
        if channel.is_root() {
            return members.count();
        }
        members.filter(|held| held.seat.channel == *channel).count()
    }

    /// Whether it is on the list of the root: by a login, or by a token that is no line.
    pub(super) fn is_listed(&self) -> bool {
        self.memberships.iter().any(|membership| membership.members.name.is_root())
    }

    /// Has lists tell of it what `visitor` says, and whoever speaks for it come from there.
    pub(super) fn introduce(&mut self, visitor: &Visitor) {
        let (entry, login) = (entry(visitor), (visitor.address, visitor.origin.clone()));
        self.notes.changed |= entry != self.entry || login != self.login;
        (self.entry, self.login) = (entry, login);
        self.counted = visitor.is_counted.then_some(visitor.address);
    }

    /// Its inbox, made if there is none. One that a backend made is counted for no address: the
    /// backend's own would stand for all of its clients.
    pub(super) fn inbox(&mut self, budget: &Arc<Budget>) -> &mut Inbox {
        let source = self.counted.filter(|_| self.line.is_none());
        self.inbox.get_or_insert_with(|| Box::new(Inbox::new(Share::new(budget, source))))
    }

    pub(super) fn membership(&mut self, channel: &ChannelName) -> Option<&mut Membership> {
        self.memberships.iter_mut().find(|membership| membership.members.name == *channel)
    }

    /// Gives what ran out between `stopped` and `now` that time again.
    pub(super) fn spare(&mut self, stopped: Instant, now: Instant) {
        let ran_out = |until: &&mut Instant| stopped < **until && **until <= now;
        let memberships = self.memberships.iter_mut().filter_map(|m| m.until.as_mut());
        let line = self.line.as_mut().map(|line| &mut line.until);
        for until in memberships.chain(line).filter(ran_out) {
            *until += now - stopped;
        }
    }

    /// When the first membership ends that no connection holds, or the line.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let free = |membership: &&Membership| self.holding(&membership.members.name) == 0;
        let memberships = self.memberships.iter().filter(free);
        memberships.filter_map(|membership| membership.until).chain(self.line_end()).min()
    }
}
