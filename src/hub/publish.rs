//! Publishing: position, recent history and the workers' queues in one step.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Bottom, Channel, Hub, State};
use crate::channel::{ChannelName, Policy, Position, Publication};
use crate::dialect::UsersTold;
use crate::dialect::plain::Draft;
use crate::metrics::Tally as _;
use crate::worker::{ChannelKey, Item, Order, Reservation};

impl Hub {
    /// Publishes `draft` on the channel `name` and answers it in its place.
    ///
    /// The place in the workers' queues was set aside before: a publication that has a position is
    /// delivered. Waits: no. Locks: the channel's own, briefly.
    pub fn publish(
        &self,
        (name, policy): (&ChannelName, &Arc<Policy>),
        sender: &Arc<str>,
        draft: Draft,
        mut reservation: Reservation<'_>,
    ) -> Arc<Publication> {
        loop {
            let channel = self.channel(name, policy);
            let mut state = channel.state();
            if state.freed {
                // The sweep came between look-up and lock, and takes it out of the map now.
                drop(state);
                std::thread::yield_now();
                continue;
            }
            let position = self.engine.order(name, state.last);
            let (sender, plain) = (Arc::clone(sender), draft.finish(position));
            let at = Instant::now();
            let publication = Arc::new(Publication { position, sender, at, plain });
            state.hand_on(channel.key, &publication, &mut reservation);
            return publication;
        }
    }

    /// Publishes on a durable channel what the store has given its place: what has one is delivered,
    /// in the order of these calls. Waits: no. Locks: the channel's own, briefly.
    pub fn publish_stored(
        &self,
        channel: &Channel,
        publication: Publication,
        mut reservation: Reservation<'_>,
    ) -> Arc<Publication> {
        let publication = Arc::new(publication);
        channel.state().hand_on(channel.key, &publication, &mut reservation);
        publication
    }

    /// Tells the subscribers of `name` who want to know of a change of its users list.
    pub fn tell_users(&self, name: &ChannelName, told: &Arc<UsersTold>) {
        let Some(channel) = self.find(name) else {
            return;
        };
        let state = channel.state();
        self.users_pushes.add(usize::from(state.workers().next().is_some()));
        for worker in state.workers() {
            let item = Item::Users(Arc::clone(told));
            self.workers.at(worker).send(Order::Deliver(channel.key, item));
        }
    }
}

impl State {
    /// Has a channel that nobody has seen yet begin with a publication of nobody's.
    pub(super) fn begin_with(&mut self, position: Position, plain: Bytes) {
        let (sender, at) = (Arc::from(""), Instant::now());
        self.record(Arc::new(Publication { position, sender, at, plain }));
    }

    /// Has a channel that nobody has seen yet be what it was when it was stored.
    pub(super) fn restore(&mut self, last: Position, kept: Vec<Publication>, bottom: Bottom) {
        self.recent.deepen(kept, bottom);
        self.last = last;
        self.used_at = Instant::now();
    }

    /// Keeps a publication, and puts it into the queues of the workers that have subscribers.
    fn hand_on(
        &mut self,
        key: ChannelKey,
        publication: &Arc<Publication>,
        reservation: &mut Reservation<'_>,
    ) {
        self.record(Arc::clone(publication));
        for worker in self.workers() {
            let item = Item::Publication(Arc::clone(publication));
            reservation.send(worker, Order::Deliver(key, item));
        }
    }

    pub(super) fn record(&mut self, publication: Arc<Publication>) {
        if publication.position != self.last.next() {
            // Another program wrote in between, or the store is another one.
            self.recent.clear();
        }
        self.last = publication.position;
        self.used_at = publication.at;
        self.recent.push(publication);
    }

    /// The workers that have subscribers.
    fn workers(&self) -> impl Iterator<Item = usize> {
        let counts = self.subscribers.iter().enumerate();
        counts.filter(|(_, count)| **count > 0).map(|(worker, _)| worker)
    }
}
