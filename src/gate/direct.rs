//! What is sent to one client: on its way to the connections that it has, and back if none takes it.

use std::sync::{Arc, Weak};

use super::Gate;
use crate::channel::ChannelName;
use crate::dialect::Direct;
use crate::hub::Hub;
use crate::identity::ClientId;
use crate::presence::{Presence, Reached, UnknownClient, Way};
use crate::transport::ConnectionId;
use crate::worker::{Order, Receipt, Reservation};

/// To whom, and on which channel; cloned for the way back.
#[derive(Clone)]
struct Route {
    presence: Arc<Presence>,
    /// Orders wait in the queues that the hub has.
    hub: Weak<Hub>,
    to: ClientId,
    channel: ChannelName,
}

impl Gate {
    /// Hands `message` to the connections of one client on a channel, or leaves it in its inbox.
    pub(super) fn deliver_direct(
        &self,
        to: &ClientId,
        channel: &ChannelName,
        message: Direct,
        reservation: Reservation<'_>,
    ) -> Result<Reached, UnknownClient> {
        let route = Route {
            presence: Arc::clone(&self.presence),
            hub: Arc::downgrade(&self.hub),
            to: to.clone(),
            channel: channel.clone(),
        };
        // Outlives the call: the last one to let it go takes the client's lock, which the call holds.
        let mut kept = None;
        let reached = self.presence.send_direct(to, channel, message, |way| {
            kept = route.take(&self.hub, way, reservation);
        });
        drop(kept);
        reached
    }
}

impl Route {
    /// Gives the orders that `way` needs. What it answers is to be dropped without a lock.
    fn take(&self, hub: &Hub, way: Way, mut reservation: Reservation<'_>) -> Option<Arc<Receipt>> {
        let (connections, message) = match way {
            Way::Fetch(polls) => {
                for poll in polls {
                    hub.workers().of(poll).send(Order::Finish(poll));
                }
                return None;
            }
            Way::Tell(connections, message) => (connections, message),
        };
        let back = self.clone();
        let undelivered = Box::new(move |message| back.undelivered(message));
        let receipt = Arc::new(Receipt::new(message.clone(), undelivered));
        for (worker, connections) in by_worker(connections) {
            let receipt = Arc::clone(&receipt);
            reservation.send(worker, Order::Tell(connections, message.clone(), receipt));
        }
        Some(receipt)
    }

    /// No connection took it.
    fn undelivered(&self, message: Direct) {
        let Some(hub) = self.hub.upgrade() else {
            return;
        };
        let mut kept = None;
        let deliver = hub
            .workers()
            .try_reserve()
            .map(|reservation| |way| kept = self.take(&hub, way, reservation));
        self.presence.undelivered(&self.to, &self.channel, message, deliver);
        drop(kept);
    }
}

fn by_worker(connections: Vec<ConnectionId>) -> Vec<(usize, Vec<ConnectionId>)> {
    let mut apart: Vec<(usize, Vec<ConnectionId>)> = Vec::new();
    for connection in connections {
        let worker = connection.worker();
        match apart.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, mine)) => mine.push(connection),
            None => apart.push((worker, vec![connection])),
        }
    }
    apart
}
