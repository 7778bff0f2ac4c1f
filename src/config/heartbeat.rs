//! `[heartbeat]`: how a peer that is silently gone is found.

use std::time::Duration;

use super::section::{ANY_SPAN, Section};

/// Heartbeats, in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Between pings on an idle WebSocket (`heartbeat` in wire.md). 0.05 s to a day, default 25 s.
    pub interval: Duration,
    /// For the answer to a ping (`heartbeat_timeout` in wire.md). 0.05 s to a day, default 10 s.
    pub timeout: Duration,
    /// Between comments of SSE and empty lines of a stream. 0.05 s to a day, default 15 s.
    pub stream: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(25),
            timeout: Duration::from_secs(10),
            stream: Duration::from_secs(15),
        }
    }
}

impl Heartbeat {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut heartbeat = Self::default();
        section.seconds("interval", ANY_SPAN, &mut heartbeat.interval);
        section.seconds("timeout", ANY_SPAN, &mut heartbeat.timeout);
        section.seconds("stream", ANY_SPAN, &mut heartbeat.stream);
        heartbeat
    }
}
