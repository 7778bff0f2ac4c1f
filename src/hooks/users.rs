//! The users push: changes of a users list, on their way to the subscribers of its channel.

use std::sync::Arc;

use crate::channel::ChannelName;
use crate::dialect::UsersTold;
use crate::hub::Hub;
use crate::presence::Tell;

/// Hands what presence tells to the hub.
#[derive(Debug)]
pub struct UsersPush {
    hub: Arc<Hub>,
}

impl UsersPush {
    /// Pushes through `hub`.
    pub const fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }
}

impl Tell for UsersPush {
    fn tell(&self, channel: &ChannelName, told: &Arc<UsersTold>) {
        self.hub.tell_users(channel, told);
    }
}
