//! The kinds of abuse (robustness.md R1 to R3), and when each must be over.

use std::time::Duration;

use crate::run::Deadlines;

/// What an abuser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends this once, and neither reads nor writes any more.
    Deaf(Opening),
    /// Sends this once, and reads whatever comes, without an answer to anything.
    Mute(Opening),
    /// Sends this, then a byte a second; reads whatever comes.
    Drips(Opening),
    /// Asks for so many streams over HTTP/2, opens no window, and answers pings.
    Shut(&'static str, usize),
}

/// What an abuser begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Nothing,
    /// Half a head.
    Head,
    /// A head and a little of a body.
    Body,
    /// An upgrade on this address.
    Upgrade(&'static str),
    /// An upgrade, and the header of a frame.
    Frame,
    /// A request, so many times.
    Get(&'static str, usize),
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) manner: Manner,
    /// When the last one must be gone, as the configuration has it.
    pub(crate) limit: fn(&Deadlines) -> Duration,
}

/// A channel on which nobody speaks.
const QUIET: &str = "/ws/quiet?users=none";

const fn kind(
    name: &'static str,
    about: &'static str,
    manner: Manner,
    limit: fn(&Deadlines) -> Duration,
) -> Kind {
    Kind { name, about, manner, limit }
}

pub(crate) static ALL: [Kind; 13] = [
    kind("idle", "connects and says nothing", Manner::Deaf(Opening::Nothing), |d| d.header),
    kind("slow-head", "a byte of a head a second", Manner::Drips(Opening::Head), |d| d.header),
    kind("slow-body", "a byte of a body a second", Manner::Drips(Opening::Body), |d| d.body),
    kind(
        "deaf-ws",
        "a WebSocket that is never read",
        Manner::Deaf(Opening::Upgrade("/ws?users=none")),
        |d| d.write,
    ),
    kind(
        "deaf-sse",
        "an event stream that is never read",
        Manner::Deaf(Opening::Get("/sse?users=none", 1)),
        |d| d.write,
    ),
    kind(
        "deaf-stream",
        "a stream that is never read",
        Manner::Deaf(Opening::Get("/stream?users=none", 1)),
        |d| d.write,
    ),
    kind(
        "deaf-history",
        "asks for all history fifty times and never reads",
        Manner::Deaf(Opening::Get("/history?since=0&limit=1000", 50)),
        |d| d.write,
    ),
    kind(
        "deaf-poll",
        "polls for everything fifty times and never reads",
        Manner::Deaf(Opening::Get("/poll?users=none&since=0&wait=20", 50)),
        |d| d.write,
    ),
    kind(
        "shut-sse",
        "an event stream over HTTP/2 whose window stays shut",
        Manner::Shut("/sse?users=none", 1),
        |d| d.write,
    ),
    // The second answer is made once the first has been given up.
    kind(
        "shut-history",
        "all history over HTTP/2, twice, and the windows stay shut",
        Manner::Shut("/history?since=0&limit=1000", 2),
        |d| d.write * 2,
    ),
    kind("no-pong", "reads, and answers no ping", Manner::Mute(Opening::Upgrade(QUIET)), |d| {
        d.ping + d.pong
    }),
    kind("half-open", "neither reads nor writes", Manner::Deaf(Opening::Upgrade(QUIET)), |d| {
        d.ping + d.pong
    }),
    kind("slow-frame", "a byte of a frame a second", Manner::Drips(Opening::Frame), |d| {
        d.ping + d.pong
    }),
];

impl Opening {
    /// The bytes, for a client with this token.
    pub(crate) fn bytes(self, token: &str) -> Vec<u8> {
        use crate::http::{get, upgrade};
        let with_token = |target: &str| format!("{target}&token={token}");
        match self {
            Self::Nothing => Vec::new(),
            Self::Head => b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_vec(),
            Self::Body => format!(
                "POST /post HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: 10000\r\n\r\nvalue="
            )
            .into_bytes(),
            Self::Upgrade(target) => upgrade(&with_token(target)),
            Self::Frame => {
                let mut bytes = upgrade(&with_token(QUIET));
                // A masked text of 30 000 bytes, and the mask: RFC 6455 section 5.2.
                bytes.extend([0x81, 0x80 | 0x7e, 0x75, 0x30, 1, 2, 3, 4]);
                bytes
            }
            Self::Get(target, times) => get(target, token).repeat(times),
        }
    }
}
