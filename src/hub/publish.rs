//! Publishing: position, recent history and the workers' queues in one step.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Hub, State};
use crate::channel::{ChannelName, Policy, Position, Publication};
use crate::dialect::UsersTold;
use crate::dialect::plain::Draft;
use crate::metrics::Tally as _;
use crate::worker::{Item, Order, Reservation};

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
            state.record(Arc::clone(&publication));
            for worker in state.workers() {
                let item = Item::Publication(Arc::clone(&publication));
                reservation.send(worker, Order::Deliver(channel.key, item));
            }
            return publication;
        }
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

    fn record(&mut self, publication: Arc<Publication>) {
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
