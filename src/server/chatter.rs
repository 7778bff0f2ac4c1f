//! Frames of HTTP/2 that ask for nothing: how many a peer may send.

use std::time::Duration;

use tokio::time::Instant;

/// The preface that comes before all frames, RFC 9113 section 3.4.
const PREFACE: usize = 24;
/// Length, kind, flags and stream.
const HEAD: usize = 9;
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
    /// What has come of a head that is not whole.
    head: [u8; HEAD],
    have: usize,
    /// How much comes before the next head.
    skip: usize,
    count: u32,
    since: Instant,
}

impl Chatter {
    /// A connection of which nothing was read.
    pub(super) fn new(now: Instant) -> Self {
        Self { head: [0; HEAD], have: 0, skip: PREFACE, count: 0, since: now }
    }

    /// Looks at what was read; `false` once too many came within a second.
    pub(super) fn allows(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        let mut is_fine = true;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let taken = (HEAD - self.have).min(bytes.len());
            let (new, rest) = bytes.split_at(taken);
            for (to, from) in self.head.iter_mut().skip(self.have).zip(new) {
                *to = *from;
            }
            self.have += taken;
            bytes = rest;
            if self.have == HEAD {
                is_fine &= self.on_head(now);
            }
        }
        is_fine
    }

    fn on_head(&mut self, now: Instant) -> bool {
        let [high, middle, low, kind, ..] = self.head;
        self.have = 0;
        self.skip = [high, middle, low].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
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
