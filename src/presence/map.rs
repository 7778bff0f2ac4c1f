//! The map of clients, sharded by client id.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::time::Instant;

use super::budget::Budget;
use super::client::{Client, Membership, State};
use super::members::{Freed, Members};
use super::timer::Timer;
use super::{Announce, Change, List, PresenceError, Rules, Tell, Visitor};
use crate::channel::ChannelName;
use crate::dialect::{UsersMode, plain};
use crate::identity::ClientId;
use crate::metrics::By;
use crate::transport::ConnectionId;

/// Who is present on this node.
///
/// Writers: `login`, `attach`, `detach`, `touch`, `logout`, and the timer. Readers get rendered
/// lists, never a guard. Bound: `limits.clients`; beyond it [`PresenceError::TooManyClients`].
#[derive(Debug)]
pub struct Presence {
    pub(super) clients: DashMap<ClientId, Arc<Client>>,
    channels: DashMap<ChannelName, Arc<Members>>,
    root: Arc<Members>,
    pub(super) rules: Rules,
    pub(super) tell: Arc<dyn Tell>,
    pub(super) announce: Option<Arc<dyn Announce>>,
    /// What all inboxes may hold.
    pub(super) inboxes: Arc<Budget>,
    /// The number of the next direct message. It begins anywhere: nobody takes one for another of an
    /// earlier process.
    pub(super) nonces: AtomicU64,
    pub(super) timer: Timer,
    changes: By<Change, 2>,
}

impl Presence {
    /// Nobody is present yet. Changes of lists are told to `tell`.
    pub fn new(rules: Rules, tell: Arc<dyn Tell>, now: Instant) -> Self {
        Self {
            clients: DashMap::new(),
            channels: DashMap::new(),
            root: Arc::new(Members::new(ChannelName::root(), rules)),
            rules,
            tell,
            announce: None,
            inboxes: Budget::new(rules.inbox_bytes, rules.inbox_bytes_per_address),
            nonces: AtomicU64::new(getrandom::u64().unwrap_or(0) >> 1),
            timer: Timer::new(now),
            changes: By::default(),
        }
    }

    /// The same, with comings and goings told to `announce`.
    #[must_use]
    pub fn announcing(self, announce: Option<Arc<dyn Announce>>) -> Self {
        Self { announce, ..self }
    }

    /// How many clients are present, anonymous ones among them.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// How often somebody joined or left the list of a channel.
    pub const fn changes(&self) -> &By<Change, 2> {
        &self.changes
    }

    /// Bytes that wait in all inboxes.
    pub fn inbox_bytes(&self) -> usize {
        self.inboxes.used()
    }

    /// Whether nobody is present.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Makes a client present on the root channel, or renews its presence there.
    ///
    /// # Errors
    /// [`PresenceError::TooManyClients`].
    pub fn login(&self, visitor: &Visitor, now: Instant) -> Result<(), PresenceError> {
        self.with_present(visitor, |client, state| {
            state.introduce(visitor);
            self.join(client, state, &ChannelName::root(), now);
            self.keep(client, state, &ChannelName::root(), now);
        })
    }

    /// A client with a token posted on `channel`: it is present again, or for longer.
    ///
    /// # Errors
    /// [`PresenceError::TooManyClients`].
    pub fn touch(
        &self,
        visitor: &Visitor,
        channel: &ChannelName,
        now: Instant,
    ) -> Result<(), PresenceError> {
        self.with_present(visitor, |client, state| {
            self.enlist(client, state, visitor, now);
            self.keep(client, state, channel, now);
        })
    }

    /// A client that is on the root's list posted on `channel`; `false` if it is not.
    pub fn refresh(&self, client: &ClientId, channel: &ChannelName, now: Instant) -> bool {
        let Some(client) = self.find(client) else {
            return false;
        };
        let mut state = client.lock();
        let is_listed = !state.ended && state.is_listed();
        if is_listed {
            self.keep(&client, &mut state, channel, now);
            self.note(&client.id, &mut state);
        }
        is_listed
    }

    /// Ends a client's presence everywhere. Answers its connections, which are to be closed.
    pub fn logout(&self, client: &ClientId, now: Instant) -> Vec<ConnectionId> {
        let Some(client) = self.find(client) else {
            return Vec::new();
        };
        let mut state = client.lock();
        let connections = state.connections.iter().map(|held| held.seat.connection).collect();
        self.end(&client, &mut state, now);
        connections
    }

    /// Connections of `client` whose token comes before `floor`.
    pub fn replaced(&self, client: &ClientId, floor: u64) -> Vec<ConnectionId> {
        let Some(client) = self.find(client) else {
            return Vec::new();
        };
        let state = client.lock();
        let old = state.connections.iter().filter(|held| held.token.is_some_and(|t| t < floor));
        old.map(|held| held.seat.connection).collect()
    }

    /// Whether a request from `address` may speak as `client` without a token: it comes from the
    /// address of its login or of an open connection, and from the `Origin` of its login if from any
    /// but our own. `None` if there is no such client.
    pub fn may_speak(
        &self,
        client: &ClientId,
        address: IpAddr,
        origin: Option<&str>,
    ) -> Option<bool> {
        let client = self.find(client)?;
        let state = client.lock();
        if state.ended || state.anonymous || !state.is_listed() {
            return None;
        }
        let (login, login_origin) = &state.login;
        // A line may not speak, nor may what is near it.
        let mut others = state.connections.iter().filter(|held| !held.seat.is_line);
        let near = *login == address || others.any(|held| held.address == address);
        let same_page = origin.is_none_or(|origin| login_origin.as_deref() == Some(origin));
        Some(near && same_page)
    }

    /// The users list of `channel` behind `after`, at most `limit` entries.
    pub fn page(&self, channel: &ChannelName, after: Option<&ClientId>, limit: usize) -> List {
        match self.members(channel) {
            Some(members) => members.page(after, limit),
            None => {
                List { entries: "[]".to_owned(), count: 0, version: 0, life: 0, partial: false }
            }
        }
    }

    /// The users list of `channel` for somebody who is on no list, with its version and life.
    pub fn peek(&self, channel: &ChannelName, mode: UsersMode) -> (Option<Bytes>, (u64, u32)) {
        let Some(members) = self.members(channel) else {
            let empty = plain::users("[]", 0, 0, false);
            return ((mode != UsersMode::None).then_some(empty), (0, 0));
        };
        let mut list = members.lock();
        (members.first_message(&mut list, mode, None), (list.version(), members.life))
    }

    /// The users list of the root channel as a newcomer gets it.
    pub fn first(&self, newcomer: &ClientId) -> List {
        let mut state = self.root.lock();
        self.root.first(&mut state, Some(newcomer))
    }

    pub(super) fn find(&self, client: &ClientId) -> Option<Arc<Client>> {
        self.clients.get(client).map(|found| Arc::clone(found.value()))
    }

    fn members(&self, channel: &ChannelName) -> Option<Arc<Members>> {
        if channel.is_root() {
            return Some(Arc::clone(&self.root));
        }
        self.channels.get(channel).map(|members| Arc::clone(members.value()))
    }

    pub(super) fn members_or_new(&self, channel: &ChannelName) -> Arc<Members> {
        self.members(channel).unwrap_or_else(|| {
            let new = || Arc::new(Members::new(channel.clone(), self.rules));
            Arc::clone(self.channels.entry(channel.clone()).or_insert_with(new).value())
        })
    }

    /// Calls `act` with the client of `visitor`, put into the map if needed, and its locked state.
    pub(super) fn with_present<T>(
        &self,
        visitor: &Visitor,
        act: impl FnOnce(&Arc<Client>, &mut State) -> T,
    ) -> Result<T, PresenceError> {
        loop {
            let client = self.find_or_new(visitor)?;
            let mut state = client.lock();
            if !state.ended {
                let acted = act(&client, &mut state);
                self.note(&client.id, &mut state);
                return Ok(acted);
            }
            // It ended between look-up and lock, and is taken out of the map now.
            drop(state);
            std::thread::yield_now();
        }
    }

    fn find_or_new(&self, visitor: &Visitor) -> Result<Arc<Client>, PresenceError> {
        if let Some(client) = self.find(&visitor.client) {
            return Ok(client);
        }
        if self.clients.len() >= self.rules.clients {
            return Err(PresenceError::TooManyClients);
        }
        Ok(match self.clients.entry(visitor.client.clone()) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => {
                Arc::clone(entry.insert(Arc::new(Client::new(visitor))).value())
            }
        })
    }

    /// Makes a client with a token a member of the root, unless it is.
    pub(super) fn enlist(
        &self,
        client: &Arc<Client>,
        state: &mut State,
        visitor: &Visitor,
        now: Instant,
    ) {
        if !state.is_listed() {
            state.introduce(visitor);
            self.join(client, state, &ChannelName::root(), now);
        }
    }

    /// Makes a client a member of `channel`, or its entry there what it is now.
    pub(super) fn join(
        &self,
        client: &Arc<Client>,
        state: &mut State,
        channel: &ChannelName,
        now: Instant,
    ) -> Arc<Members> {
        loop {
            let (members, is_new) = match state.membership(channel) {
                Some(membership) => (Arc::clone(&membership.members), false),
                None => (self.members_or_new(channel), true),
            };
            match members.join(&client.id, &state.entry, &*self.tell, now) {
                Err(Freed) => std::thread::yield_now(),
                Ok(flush) => {
                    if is_new {
                        let membership = Membership { members: Arc::clone(&members), until: None };
                        state.memberships.reserve_exact(1);
                        state.memberships.push(membership);
                        state.notes.changed = true;
                        self.changes.add(Change::Joined, 1);
                    }
                    self.plan_flush(Arc::clone(&members), flush);
                    return members;
                }
            }
        }
    }

    /// Ends one membership.
    pub(super) fn leave(
        &self,
        client: &Client,
        state: &mut State,
        channel: &ChannelName,
        now: Instant,
    ) {
        let mine = |membership: &Membership| membership.members.name == *channel;
        let Some(index) = state.memberships.iter().position(mine) else {
            return;
        };
        let members = state.memberships.remove(index).members;
        state.notes.changed = true;
        self.changes.add(Change::Left, 1);
        let flush = members.leave(&client.id, &*self.tell, now);
        self.plan_flush(Arc::clone(&members), flush);
        if !channel.is_root() {
            self.channels.remove_if(channel, |_, found| {
                Arc::ptr_eq(found, &members) && found.free_if_empty()
            });
        }
    }

    /// Lets the memberships of the root and of `channel` live for `presence.timeout` from now on
    /// without a connection.
    pub(super) fn keep(
        &self,
        client: &Arc<Client>,
        state: &mut State,
        channel: &ChannelName,
        now: Instant,
    ) {
        let until = Some(now + self.rules.timeout);
        for membership in &mut state.memberships {
            if membership.members.name.is_root() || membership.members.name == *channel {
                membership.until = until;
            }
        }
        state.stays_alone();
        self.plan(client, state, now);
    }

    /// Ends what has run out, and the client with its root membership unless it has a line.
    pub(super) fn settle(&self, client: &Arc<Client>, state: &mut State, now: Instant) {
        state.settle_line(now);
        let over: Vec<_> = state
            .memberships
            .iter()
            .filter(|membership| membership.until.is_some_and(|until| until <= now))
            .map(|membership| membership.members.name.clone())
            .filter(|channel| state.holding(channel) == 0)
            .collect();
        for channel in over {
            if channel.is_root() && !state.anonymous {
                // Who is not on the root's list is on no other.
                self.leave_all(client, state, now);
                break;
            }
            self.leave(client, state, &channel, now);
        }
        if state.memberships.is_empty() && state.line.is_none() {
            self.end(client, state, now);
        } else {
            self.plan(client, state, now);
            self.note(&client.id, state);
        }
    }

    /// Ends a client: every membership, its line, its inbox, its place in the map.
    pub(super) fn end(&self, client: &Arc<Client>, state: &mut State, now: Instant) {
        state.ended = true;
        client.gone.store(true, Ordering::Release);
        // As long as it is in the map nobody else comes under its id.
        self.announce_gone(&client.id, state);
        state.inbox = None;
        state.line = None;
        for held in std::mem::take(&mut state.connections) {
            if let Some(membership) = state.membership(&held.seat.channel) {
                membership.members.lock().unattend(held.seat.users);
            }
        }
        self.leave_all(client, state, now);
        self.clients.remove_if(&client.id, |_, found| Arc::ptr_eq(found, client));
        self.timer.forget_stale(state.entries);
        if self.clients.is_empty() {
            // The memory of a crowd goes with it.
            self.clients.shrink_to_fit();
        }
    }
}
