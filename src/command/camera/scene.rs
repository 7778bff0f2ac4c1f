//! What the cameras of one process share.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::tally::Tally;
use crate::command::address::Channel;
use crate::command::gateway::Gateway;
use crate::command::output;

/// How many log in and connect at once, so that a thousand do not come as one wave.
const OPENINGS: usize = 32;
/// As many cameras as are told of one by one; of more there are numbers.
const TOLD: u16 = 9;

/// Where the cameras are, and what is known of all of them.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) channel: Channel,
    pub(crate) cameras: u16,
    pub(crate) tally: Tally,
    pub(crate) openings: Semaphore,
    ever_open: AtomicBool,
}

impl Scene {
    /// `cameras` on `channel`, none of which has connected yet.
    pub(crate) fn new(gateway: Gateway, channel: Channel, cameras: u16) -> Self {
        Self {
            gateway,
            channel,
            cameras,
            tally: Tally::default(),
            openings: Semaphore::new(OPENINGS),
            ever_open: AtomicBool::new(false),
        }
    }

    /// A camera has connected: from now on the gateway is known to be there.
    pub(crate) fn opened(&self) {
        self.ever_open.store(true, Ordering::Relaxed);
    }

    /// Whether any camera was connected at some time.
    pub(crate) fn was_open(&self) -> bool {
        self.ever_open.load(Ordering::Relaxed)
    }

    /// Tells how camera `index` is doing, with its number where it is not alone.
    pub(crate) fn tell(&self, index: u16, what: &str) {
        match self.cameras {
            1 => output::status(what),
            2..=TOLD => output::status(&format!("camera {}: {what}", u32::from(index) + 1)),
            _ => {}
        }
    }
}
