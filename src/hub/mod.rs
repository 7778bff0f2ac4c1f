//! The hub: orders a channel's publications, keeps its recent history, hands each to the workers
//! that have subscribers.
//!
//! A channel has one short lock. Under it, and only there, a publication gets its position, enters
//! the recent history and the queues of the workers; under it too, a subscriber gets its start. So
//! a subscription misses nothing and gets nothing twice, whatever happens at the same time.

#![allow(
    clippy::significant_drop_tightening,
    reason = "a channel's lock is held to the end of its step on purpose: the step is the promise"
)]

mod publish;
#[cfg(test)]
mod ranges;
mod recent;
mod subscribe;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::time::Instant;

pub use recent::Bottom;
pub use subscribe::{From, Lack, Reach, Start};

use crate::channel::{Bounds, ChannelName, DeliveryPolicy, Kind, Policy, Position, Publication};
use crate::engine::Engine;
use crate::metrics::Count;
use crate::worker::{ChannelKey, Workers};
use recent::Recent;

/// Least time that a channel which nobody uses is remembered: longer than the longest pause
/// between two polls, so that a poller's position stays good.
const REMEMBERED: Duration = Duration::from_secs(90);

/// All channels of a node that are in use.
///
/// Writers: `channel` opens, `sweep` frees. Bound: a channel without subscribers and history is
/// freed after its history's age, at least 90 s.
#[derive(Debug)]
pub struct Hub {
    channels: DashMap<ChannelName, Arc<Channel>>,
    workers: Arc<Workers>,
    engine: Box<dyn Engine>,
    /// The channel of all private lines; see [`Hub::line`].
    line: Arc<Channel>,
    next_key: AtomicU64,
    /// What each board begins with; see [`Hub::stand`].
    standing: RwLock<Option<Bytes>>,
    users_pushes: Count,
}

/// One channel on this node.
#[derive(Debug)]
pub struct Channel {
    key: ChannelKey,
    name: ChannelName,
    policy: Arc<Policy>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The position of the newest publication.
    last: Position,
    recent: Recent,
    /// How many subscribers each worker has.
    subscribers: Vec<u32>,
    used_at: Instant,
    /// No longer in the map: whoever still holds it must look again.
    freed: bool,
}

impl Hub {
    /// A hub without channels.
    pub fn new(workers: Arc<Workers>, engine: Box<dyn Engine>) -> Self {
        let root = ChannelName::root();
        let (last, policy) = (engine.open(&root), Arc::new(line_policy()));
        let line = Arc::new(Channel::new(LINE, &root, &policy, (last, workers.count())));
        Self {
            channels: DashMap::new(),
            workers,
            engine,
            line,
            next_key: AtomicU64::new(0),
            standing: RwLock::default(),
            users_pushes: Count::default(),
        }
    }

    /// The workers that deliver for this hub.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// The channel `name`, opened if nobody used it until now.
    pub fn channel(&self, name: &ChannelName, policy: &Arc<Policy>) -> Arc<Channel> {
        if let Some(channel) = self.find(name) {
            return channel;
        }
        let entry = self.channels.entry(name.clone());
        Arc::clone(entry.or_insert_with(|| self.make(name, policy)).value())
    }

    fn make(&self, name: &ChannelName, policy: &Arc<Policy>) -> Arc<Channel> {
        let key = ChannelKey(self.next_key.fetch_add(1, Ordering::Relaxed));
        let begun = (self.engine.open(name), self.workers.count());
        let channel = Channel::new(key, name, policy, begun);
        let standing = self.standing.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Kind::Board, Some(plain)) = (policy.kind, standing) {
            channel.state().begin_with(self.engine.order(name, begun.0), plain);
        }
        Arc::new(channel)
    }

    /// From now on a board that is opened begins with `plain`; answers those that are open and have
    /// something else, which it is to be published on.
    pub fn stand(&self, plain: &Bytes) -> Vec<(ChannelName, Arc<Policy>)> {
        *self.standing.write().unwrap_or_else(PoisonError::into_inner) = Some(plain.clone());
        // One that was opened with what stood before is in the map by now. So may one be that was
        // opened since: it began with `plain`, and is not to be told it twice.
        let boards = self.channels.iter().filter(|open| open.policy.kind == Kind::Board);
        let others = boards.filter(|open| open.state().recent.newest() != Some(plain));
        others.map(|open| (open.name.clone(), Arc::clone(&open.policy))).collect()
    }

    /// The channel that private lines subscribe to, in the place of the root: nothing is ever
    /// published on it, so what they get is what is sent to their clients.
    pub const fn line(&self) -> &Arc<Channel> {
        &self.line
    }

    /// The channel `name`, if it is in use.
    pub fn find(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        self.channels.get(name).map(|channel| Arc::clone(channel.value()))
    }

    /// Whether the channel `name` is in use.
    pub fn has(&self, name: &ChannelName) -> bool {
        self.channels.contains_key(name)
    }

    /// The channel `name` to read from: if nobody uses it, one that is empty, and that nobody else
    /// will ever see. Its order is one of its own, so that any position is told as a gap.
    pub fn look_at(&self, name: &ChannelName, policy: &Arc<Policy>) -> Arc<Channel> {
        self.find(name).unwrap_or_else(|| self.make(name, policy))
    }

    /// How many channels are in use.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// How many changes of users lists went to workers.
    pub const fn users_pushes(&self) -> &Count {
        &self.users_pushes
    }

    /// Whether no channel is in use.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// The durable channel `name` as it was read from the store, unless it is in use by now: its newest
    /// position, the newest that is kept of it, oldest first, and what lies beneath.
    pub fn restore(
        &self,
        (name, policy): (&ChannelName, &Arc<Policy>),
        last: Position,
        kept: Vec<Publication>,
        bottom: Bottom,
    ) -> Arc<Channel> {
        let entry = self.channels.entry(name.clone());
        let restored = entry.or_insert_with(|| {
            let channel = self.make(name, policy);
            channel.state().restore(last, kept, bottom);
            channel
        });
        Arc::clone(restored.value())
    }

    /// The durable channels that are in use.
    pub fn durable(&self) -> Vec<(ChannelName, Arc<Policy>)> {
        let durable = self.channels.iter().filter(|channel| channel.policy.durable);
        durable.map(|channel| (channel.name.clone(), Arc::clone(&channel.policy))).collect()
    }

    /// How many bytes of durable channels are in memory because somebody reads what is old.
    pub fn bytes_read(&self) -> usize {
        let durable = self.channels.iter().filter(|channel| channel.policy.durable);
        durable.map(|channel| channel.bytes_read()).sum()
    }

    /// Drops history that is too old, and channels that nobody uses any more. A durable one that
    /// somebody holds is used: it cannot be made anew without its store.
    pub fn sweep(&self, now: Instant) {
        self.channels.retain(|_, channel| {
            let is_held = channel.policy.durable && Arc::strong_count(channel) > 1;
            if is_held {
                channel.state().recent.trim(now);
            }
            is_held || !channel.free_if_unused(now)
        });
        self.channels.shrink_to_fit();
    }
}

/// The key of the channel of private lines; no other channel gets that far.
const LINE: ChannelKey = ChannelKey(u64::MAX);

/// Its rules: texts, and nothing is kept.
const fn line_policy() -> Policy {
    Policy {
        kind: Kind::Message,
        anonymous: false,
        prefix: String::new(),
        delivery: DeliveryPolicy::Every,
        history: Bounds { messages: 0, age: Duration::ZERO, bytes: 0 },
        durable: false,
    }
}

impl Channel {
    /// A channel whose order begins at `last`, at so many workers.
    fn new(
        key: ChannelKey,
        name: &ChannelName,
        policy: &Arc<Policy>,
        (last, workers): (Position, usize),
    ) -> Self {
        let (now, recent) = (Instant::now(), Recent::new(policy.history, policy.kind.greets()));
        let state = State {
            last,
            recent: if policy.durable { recent.durable(now) } else { recent },
            subscribers: vec![0; workers],
            used_at: now,
            freed: false,
        };
        Self { key, name: name.clone(), policy: Arc::clone(policy), state: Mutex::new(state) }
    }

    /// Its name.
    pub const fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Its rules.
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The newest position.
    pub fn last(&self) -> Position {
        self.state().last
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is valid between any two statements: a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn free_if_unused(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.recent.trim(now);
        // What is on disk need not be in memory as well.
        let is_kept = !state.recent.is_over(now) && !self.policy.durable;
        let used = is_kept || state.subscribers.iter().any(|count| *count > 0);
        let is_short = state.last.offset == 0 || self.policy.durable;
        let age = if is_short { Duration::ZERO } else { self.policy.history.age };
        let forgotten = now.saturating_duration_since(state.used_at) >= age.max(REMEMBERED);
        state.freed = !used && forgotten;
        state.freed
    }
}

#[cfg(test)]
impl Hub {
    /// One of a node without others, with a worker that nobody is connected to.
    pub(crate) fn alone() -> Self {
        let second = Duration::from_secs(1);
        let limits = crate::worker::Limits {
            message_bytes: 1,
            outbox_bytes: 1,
            write: second,
            ping: second,
            pong: second,
            controls_a_second: 1,
            keep_warm: second,
            queue: 1,
            idle: || {},
            died: || {},
        };
        let workers = Workers::start(1, limits).expect("a thread can be started");
        Self::new(Arc::new(workers), Box::new(crate::engine::Memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_that_began_with_what_stands_is_not_told_it_again() {
        let (hub, policy) = (Hub::alone(), Arc::new(Policy { kind: Kind::Board, ..line_policy() }));
        let (early, late) = (ChannelName::parse("early"), ChannelName::parse("late"));
        let (early, late) = (early.unwrap(), late.unwrap());
        let (first, second) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
        hub.channel(&early, &policy);
        assert_eq!(hub.stand(&first), [(early, Arc::clone(&policy))], "had nothing");
        hub.channel(&late, &policy);
        let told = |plain| hub.stand(plain).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(!told(&first).contains(&late), "began with it");
        assert!(told(&second).contains(&late), "has what stood before");
    }
}
