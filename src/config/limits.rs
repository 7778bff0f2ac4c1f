//! `[limits]`: a bound on everything that a peer can make us hold or wait for.

use std::time::Duration;

use ipnet::IpNet;

use super::network;
use super::section::{ANY_SPAN, Section};

/// What else a body or an outbox holds beside the text of two messages, in bytes.
const ROOM: usize = 65_536;

/// Bounds on sizes, times, counts and rates. Sizes are bytes; a second is one on the clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Networks that no per-address or per-client limit counts; an address is an IPv4 address or an
    /// IPv6 /64. Default: none.
    pub exempt: Vec<IpNet>,
    /// A message, and a whole WebSocket message as sent. Bytes, 1 to 64 MiB, default 32 KiB.
    pub message_bytes: usize,
    /// The body of a request. Bytes, up to 1 GiB and more than `message_bytes`, default 1 MiB;
    /// unset, it grows with `message_bytes`.
    pub body_bytes: usize,
    /// The head of a request, all headers together. Bytes, 8 KiB to 1 MiB, default 16 KiB.
    pub header_bytes: usize,
    /// The target in the request line. Bytes, 64 to 65 534, default 8 KiB.
    pub target_bytes: usize,
    /// To send a whole head, that of a WebSocket upgrade as well. 0.05 s to a day, default 10 s.
    pub header_seconds: Duration,
    /// To send a whole body. 0.05 s to a day, default 30 s.
    pub body_seconds: Duration,
    /// For a peer to take anything of what waits for it, on a connection or a stream of HTTP/2.
    /// 0.05 s to a day, default 10 s.
    pub write_seconds: Duration,
    /// Between two requests on one connection. 0.05 s to a day, default 75 s.
    pub keep_alive_seconds: Duration,
    /// What waits for one slow connection. Bytes, 1 KiB to 1 GiB, default 1 MiB; unset, it grows
    /// with `message_bytes`.
    pub outbox_bytes: usize,
    /// What waits in the inboxes of all clients together. Bytes, 256 KiB to 1 TiB, default 256 MiB.
    pub inbox_bytes: usize,
    /// The same in those of the clients that logged in from one address. Bytes, 256 KiB to 1 TiB,
    /// default 8 MiB.
    pub inbox_bytes_per_address: usize,
    /// Connections of one client at once. 1 to 1 000 000, default 16.
    pub connections_per_client: usize,
    /// Connections from one address at once, and subscriptions over HTTP/2 beside them.
    /// 1 to 10 000 000, default 1 000.
    pub connections_per_address: usize,
    /// Connections of this node at once. 1 to 100 000 000, default 1 000 000.
    pub connections: usize,
    /// Clients present on this node at once. 1 to 100 000 000, default 1 000 000.
    pub clients: usize,
    /// Logins from one address, per second in the long run. 1 to 1 000 000 000, default 50.
    pub logins_per_second: u32,
    /// Logins from one address at a stroke. 1 to 1 000 000 000, default 500.
    pub login_burst: u32,
    /// Messages of one client over all its connections and posts, per second in the long run; ten
    /// times as many pings and pongs may come over one WebSocket. 1 to 1 000 000 000, default 100.
    pub messages_per_second: u32,
    /// Messages of one client at a stroke. 1 to 1 000 000 000, default 500.
    pub message_burst: u32,
    /// Channels that one address makes by first use, at a stroke and per minute in the long run.
    /// 1 to 1 000 000 000, default 128.
    pub rooms_per_minute: u32,
    /// Orders that wait for one worker. 16 to 16 777 216 entries, default 8 192.
    pub worker_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exempt: Vec::new(),
            message_bytes: 32_768,
            body_bytes: 1_048_576,
            header_bytes: 16_384,
            target_bytes: 8_192,
            header_seconds: Duration::from_secs(10),
            body_seconds: Duration::from_secs(30),
            write_seconds: Duration::from_secs(10),
            keep_alive_seconds: Duration::from_secs(75),
            outbox_bytes: 1_048_576,
            inbox_bytes: 268_435_456,
            inbox_bytes_per_address: 8_388_608,
            connections_per_client: 16,
            connections_per_address: 1_000,
            connections: 1_000_000,
            clients: 1_000_000,
            logins_per_second: 50,
            login_burst: 500,
            messages_per_second: 100,
            message_burst: 500,
            rooms_per_minute: 128,
            worker_queue: 8_192,
        }
    }
}

impl Limits {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut limits = Self::default();
        section.list("exempt", &mut limits.exempt, network::parse);
        limits.read_sizes(section);
        limits.read_times(section);
        limits.read_counts(section);
        limits.read_rates(section);
        limits
    }

    fn read_sizes(&mut self, section: &mut Section<'_>) {
        let body = section.origin("body_bytes");
        let outbox = section.origin("outbox_bytes");
        section.whole("message_bytes", 1..=67_108_864, &mut self.message_bytes);
        section.whole("body_bytes", 2..=1_073_741_824, &mut self.body_bytes);
        // hyper panics on a read buffer below 8 KiB, and no URI is longer than 65 534.
        section.whole("header_bytes", 8_192..=1_048_576, &mut self.header_bytes);
        section.whole("target_bytes", 64..=65_534, &mut self.target_bytes);
        section.whole("outbox_bytes", 1_024..=1_073_741_824, &mut self.outbox_bytes);
        let inboxes = 262_144..=1_099_511_627_776;
        section.whole("inbox_bytes", inboxes.clone(), &mut self.inbox_bytes);
        section.whole("inbox_bytes_per_address", inboxes, &mut self.inbox_bytes_per_address);

        let message = self.message_bytes;
        let room = message * 2 + ROOM;
        match body {
            Some(origin) if self.body_bytes <= message => {
                let what = format!("must be more than limits.message_bytes, which is {message}");
                section.refuse(origin, "body_bytes", what);
            }
            None if self.body_bytes <= message => self.body_bytes = room,
            Some(_) | None => {}
        }
        // An outbox that cannot hold one message would close every reader of a large one.
        if outbox.is_none() && self.outbox_bytes <= message {
            self.outbox_bytes = room;
        }
    }

    fn read_times(&mut self, section: &mut Section<'_>) {
        section.seconds("header_seconds", ANY_SPAN, &mut self.header_seconds);
        section.seconds("body_seconds", ANY_SPAN, &mut self.body_seconds);
        section.seconds("write_seconds", ANY_SPAN, &mut self.write_seconds);
        section.seconds("keep_alive_seconds", ANY_SPAN, &mut self.keep_alive_seconds);
    }

    fn read_counts(&mut self, section: &mut Section<'_>) {
        section.whole("connections_per_client", 1..=1_000_000, &mut self.connections_per_client);
        section.whole("connections_per_address", 1..=10_000_000, &mut self.connections_per_address);
        section.whole("connections", 1..=100_000_000, &mut self.connections);
        section.whole("clients", 1..=100_000_000, &mut self.clients);
        section.whole("worker_queue", 16..=16_777_216, &mut self.worker_queue);
    }

    fn read_rates(&mut self, section: &mut Section<'_>) {
        let any = 1..=1_000_000_000;
        section.whole("logins_per_second", any.clone(), &mut self.logins_per_second);
        section.whole("login_burst", any.clone(), &mut self.login_burst);
        section.whole("messages_per_second", any.clone(), &mut self.messages_per_second);
        section.whole("message_burst", any.clone(), &mut self.message_burst);
        section.whole("rooms_per_minute", any, &mut self.rooms_per_minute);
    }
}
