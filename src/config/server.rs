//! `[server]`: the process itself.

use std::time::Duration;

use super::section::Section;

/// The server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Over which connections are ended when the process stops. 0 to 300 s, default 10 s.
    pub drain: Duration,
    /// Workers that own sockets. 0 to 1 024, default 0: one a core.
    pub workers: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self { drain: Duration::from_secs(10), workers: 0 }
    }
}

impl Server {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut server = Self::default();
        section.seconds("drain", 0.0..=300.0, &mut server.drain);
        section.whole("workers", 0..=64, &mut server.workers);
        server
    }
}
