//! Frames of HTTP/2 that ask for nothing: how many a peer may send.

use std::time::Duration;

use tokio::time::Instant;

use super::frames::{Frames, Part};

/// The preface that comes before all frames, RFC 9113 section 3.4.
const PREFACE: usize = 24;
/// How many may come in a second. Clients ping a few times a second at most, to learn how fast a
/// connection is, and seldom send settings twice.
const A_SECOND: u32 = 1000;

/// Pings, settings, priorities and frames of no known kind, counted as they pass by.
///
/// Each of them costs an answer, or at least its reading, and no limit of requests has them: whoever
/// sends nothing else in thousands keeps a core busy that others wait for. Frames that requests and
/// answers are made of are not counted, nor those that open windows.
#[derive(Debug)]
pub(super) struct Chatter {
    frames: Frames,
    count: u32,
    since: Instant,
}

impl Chatter {
    /// A connection of which nothing was read.
    pub(super) fn new(now: Instant) -> Self {
        Self { frames: Frames::behind(PREFACE), count: 0, since: now }
    }

    /// Looks at what was read; `false` once too many came within a second.
    pub(super) fn allows(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        let mut is_fine = true;
        while !bytes.is_empty() {
            let (part, taken) = self.frames.next(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            if let Part::Head(kind) = part {
                is_fine &= self.on_frame(kind, now);
            }
        }
        is_fine
    }

    fn on_frame(&mut self, kind: u8, now: Instant) -> bool {
        // DATA, HEADERS, RST_STREAM, WINDOW_UPDATE, CONTINUATION.
        if matches!(kind, 0 | 1 | 3 | 8 | 9) {
            return true;
        }
        if self.since + Duration::from_secs(1) <= now {
            self.since = now;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= A_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

    fn flood(frame: &[u8], count: usize) -> Vec<u8> {
        [&[6; PREFACE], &*frame.repeat(count)].concat()
    }

    #[test]
    fn it_is_counted_however_it_is_cut() {
        let now = Instant::now();
        let limit = usize::try_from(A_SECOND).unwrap();
        for size in [1, 7, 24, 1000, 1 << 20] {
            for (count, is_fine) in [(limit, true), (limit + 1, false)] {
                let mut chatter = Chatter::new(now);
                let bytes = flood(&PING, count);
                let fine: Vec<_> =
                    bytes.chunks(size).map(|part| chatter.allows(part, now)).collect();
                assert_eq!(fine.iter().all(|fine| *fine), is_fine, "{count} in parts of {size}");
            }
        }
    }

    #[test]
    fn a_second_later_as_many_may_come_again_and_data_always() {
        let now = Instant::now();
        let mut chatter = Chatter::new(now);
        let limit = usize::try_from(A_SECOND).unwrap();
        assert!(chatter.allows(&flood(&PING, limit), now));
        assert!(chatter.allows(&[0, 0, 2, 0, 0, 0, 0, 0, 1, 6, 6].repeat(limit), now));
        assert!(chatter.allows(&PING.repeat(limit), now + Duration::from_secs(1)));
        assert!(!chatter.allows(&PING, now + Duration::from_secs(1)));
    }
}
