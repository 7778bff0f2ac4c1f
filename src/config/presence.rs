//! `[presence]`: how long a client is there, and what others see of it.

use std::time::Duration;

use super::section::Section;

/// Presence: its times in seconds, its lists in clients.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// Without a connection and without a post or poll, until presence ends. 0.1 s to 30 days,
    /// default 600 s.
    pub timeout: Duration,
    /// The grace after the unclean end of the last connection. 0 to 3 600 s, default 5 s.
    pub linger: Duration,
    /// After a restart, for those who were here when the process died to come back. 0 to 3 600 s,
    /// default 30 s.
    pub restart: Duration,
    /// Changes within this time after a push go out together. 0 to 60 s, default 0.1 s.
    pub coalesce: Duration,
    /// Up to so many present, whole lists are pushed; above, changes. 1 to 1 000 000, default 200.
    pub max_list: usize,
    /// Up to so many present, changes are pushed; above, counts. 1 to 100 000 000, default 2 000.
    pub max_diff: usize,
    /// What is shown of a public address. Default: cut.
    pub ip: IpDisclosure,
}

/// What is shown of a public address, on lists and in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpDisclosure {
    /// Its network: /24 of IPv4, /48 of IPv6. Private and loopback addresses are whole.
    Cut,
    /// All of it.
    Full,
    /// An empty text in place of any address.
    None,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(10),
            linger: Duration::from_secs(5),
            restart: Duration::from_secs(30),
            coalesce: Duration::from_millis(100),
            max_list: 200,
            max_diff: 2_000,
            ip: IpDisclosure::Cut,
        }
    }
}

impl Presence {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        const WORDS: [(&str, IpDisclosure); 3] = [
            ("cut", IpDisclosure::Cut),
            ("full", IpDisclosure::Full),
            ("none", IpDisclosure::None),
        ];
        let mut presence = Self::default();
        section.seconds("timeout", 0.1..=2_592_000.0, &mut presence.timeout);
        section.seconds("linger", 0.0..=3_600.0, &mut presence.linger);
        section.seconds("restart", 0.0..=3_600.0, &mut presence.restart);
        section.seconds("coalesce", 0.0..=60.0, &mut presence.coalesce);
        section.whole("max_list", 1..=1_000_000, &mut presence.max_list);
        section.whole("max_diff", 1..=100_000_000, &mut presence.max_diff);
        section.choice("ip", &WORDS, &mut presence.ip);
        presence
    }
}
