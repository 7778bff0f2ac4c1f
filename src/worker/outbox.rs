//! What a socket would not take yet, bounded in bytes.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::joined::Frame;
use super::tally::Waiting;
use super::{Joined, Tally};
use crate::channel::DeliveryPolicy;

/// How many pieces leave in one `writev`.
const MAX_SLICES: usize = 16;

/// Bytes of frames that wait for one connection, as pieces of buffers that all connections share.
///
/// Owner: the worker of the connection; for a body, its outlet. Bound: `limits.outbox_bytes`. At
/// the bound [`DeliveryPolicy`] decides; one piece may be larger than the bound when nothing else waits.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Piece>,
    bytes: Waiting,
}

/// Part of a joined buffer.
#[derive(Debug)]
struct Piece {
    joined: Arc<Joined>,
    from: usize,
    to: usize,
    since: Instant,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        self.joined.bytes.get(self.from..self.to).unwrap_or_default()
    }

    const fn len(&self) -> usize {
        self.to - self.from
    }
}

/// The outbox is full, and its policy does not allow to replace what waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

impl Outbox {
    /// An empty one; what waits in it is counted by `tally`.
    pub fn counted_by(tally: &Arc<Tally>) -> Self {
        Self { waiting: VecDeque::new(), bytes: Waiting::counted_by(tally) }
    }

    /// How many bytes wait.
    pub const fn bytes(&self) -> usize {
        self.bytes.bytes()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Since when the oldest unsent byte waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.waiting.front().map(|piece| piece.since)
    }

    /// Makes everything that waits younger: by time in which nobody could have taken it from us.
    pub(super) fn spare(&mut self, lost: Duration) {
        for piece in &mut self.waiting {
            piece.since += lost;
        }
    }

    /// Adds the bytes of `joined` from `from` on.
    ///
    /// # Errors
    /// [`Full`] if they do not fit under `limit` and nothing that waits may be replaced.
    pub fn add(
        &mut self,
        joined: &Arc<Joined>,
        from: usize,
        (policy, limit): (DeliveryPolicy, usize),
        now: Instant,
    ) -> Result<(), Full> {
        match policy {
            DeliveryPolicy::Every => {
                let more = joined.bytes.len() - from;
                if !self.is_empty() && self.bytes() + more > limit {
                    return Err(Full);
                }
                self.add_always(joined, from, now);
            }
            DeliveryPolicy::Latest => {
                self.add_latest(joined, from, now);
                while self.bytes() > limit {
                    if !self.drop_oldest_replaceable() {
                        return Err(Full);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the bytes of `joined` from `from` on, whatever waits: control frames and answers.
    pub fn add_always(&mut self, joined: &Arc<Joined>, from: usize, now: Instant) {
        self.add_piece(joined, from, joined.bytes.len(), now);
    }

    /// Adds bytes before everything else: the head of an answer.
    pub fn add_before(&mut self, joined: Joined, now: Instant) {
        let to = joined.bytes.len();
        self.bytes.add(to);
        self.waiting.push_front(Piece { joined: Arc::new(joined), from: 0, to, since: now });
    }

    fn add_piece(&mut self, joined: &Arc<Joined>, from: usize, to: usize, since: Instant) {
        if from < to {
            self.bytes.add(to - from);
            self.waiting.push_back(Piece { joined: Arc::clone(joined), from, to, since });
        }
    }

    /// Each frame takes the place of the one that waits of the same sender; what has no sender
    /// (a change of the users list, a gap) is never replaced.
    fn add_latest(&mut self, joined: &Arc<Joined>, from: usize, now: Instant) {
        let mut start = 0;
        for frame in &joined.frames {
            let begun = start < from && from < frame.end;
            if begun {
                self.add_piece(joined, from, frame.end, now);
            } else if start >= from {
                self.replace(joined, start, frame.end, now);
            }
            start = frame.end;
        }
    }

    fn replace(&mut self, joined: &Arc<Joined>, from: usize, to: usize, now: Instant) {
        let sender = joined.sender_at(from);
        let stale = self.waiting.iter().position(|piece| {
            let waiting = piece.joined.sender_at(piece.from);
            piece.joined.is_boundary(piece.from) && waiting.is_some() && waiting == sender
        });
        // The oldest unsent byte keeps its age, or a reader that never wakes would never be given up.
        let mut since = now;
        if let Some(index) = stale
            && let Some(old) = self.waiting.remove(index)
        {
            self.bytes.sub(old.len());
            self.bytes.replaced();
            since = old.since;
        }
        self.add_piece(joined, from, to, since);
    }

    fn drop_oldest_replaceable(&mut self) -> bool {
        let replaceable = |piece: &Piece| {
            piece.joined.is_boundary(piece.from) && piece.joined.sender_at(piece.from).is_some()
        };
        let Some(index) = self.waiting.iter().position(replaceable) else {
            return false;
        };
        if let Some(piece) = self.waiting.remove(index) {
            self.bytes.sub(piece.len());
            self.bytes.replaced();
        }
        true
    }

    /// Drops every frame of which no byte was sent; the begun one stays, whole.
    pub fn drop_unbegun(&mut self) {
        let begun = self.waiting.pop_front();
        self.waiting.clear();
        self.bytes.sub(self.bytes());
        if let Some(piece) = begun
            && !piece.joined.is_boundary(piece.from)
        {
            let to = piece.joined.frame_end_after(piece.from);
            self.add_piece(&piece.joined, piece.from, to, piece.since);
        }
    }

    /// What is to be written next, in order.
    pub fn slices(&self) -> Vec<IoSlice<'_>> {
        self.waiting.iter().take(MAX_SLICES).map(|piece| IoSlice::new(piece.bytes())).collect()
    }

    /// Notes that the first `sent` bytes of what waits are gone.
    pub fn sent(&mut self, mut sent: usize) {
        self.bytes.sub(sent);
        while let Some(piece) = self.waiting.front_mut() {
            if sent < piece.len() {
                piece.from += sent;
                return;
            }
            sent -= piece.len();
            self.waiting.pop_front();
        }
    }

    /// Takes the oldest piece out as one shared buffer.
    pub fn take(&mut self) -> Option<Bytes> {
        let piece = self.waiting.pop_front()?;
        self.bytes.sub(piece.len());
        Some(piece.joined.bytes.slice(piece.from..piece.to))
    }

    /// Everything that waits, as one buffer with its frames.
    pub fn into_joined(self) -> Joined {
        let mut bytes = Vec::with_capacity(self.bytes());
        let mut frames = Vec::with_capacity(self.waiting.len());
        for piece in &self.waiting {
            let mut start = 0;
            for frame in &piece.joined.frames {
                if start >= piece.from && frame.end <= piece.to {
                    let frame_bytes = piece.joined.bytes.get(start..frame.end);
                    bytes.extend_from_slice(frame_bytes.unwrap_or_default());
                    let sender = frame.sender.clone();
                    frames.push(Frame { end: bytes.len(), mark: frame.mark, sender });
                }
                start = frame.end;
            }
        }
        Joined { bytes: Bytes::from(bytes), frames }
    }

    /// Takes everything out frame by frame.
    pub fn take_all_frames(&mut self) -> Vec<(super::Mark, Bytes)> {
        let mut all = Vec::new();
        while let Some(frames) = self.take_frames() {
            all.extend(frames);
        }
        all
    }

    /// Takes the oldest piece out frame by frame.
    fn take_frames(&mut self) -> Option<Vec<(super::Mark, Bytes)>> {
        let piece = self.waiting.pop_front()?;
        self.bytes.sub(piece.len());
        let mut start = 0;
        let mut frames = Vec::new();
        for frame in &piece.joined.frames {
            if start >= piece.from && frame.end <= piece.to {
                frames.push((frame.mark, piece.joined.bytes.slice(start..frame.end)));
            }
            start = frame.end;
        }
        Some(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::joined::Mark;

    fn joined(frames: &[(&str, &str)]) -> Arc<Joined> {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for (sender, text) in frames {
            bytes.extend_from_slice(text.as_bytes());
            let sender = Some(Arc::from(*sender));
            ends.push(Frame { end: bytes.len(), mark: Mark::Other, sender });
        }
        Arc::new(Joined { bytes: Bytes::from(bytes), frames: ends })
    }

    fn text(outbox: &Outbox) -> String {
        outbox.slices().iter().map(|slice| String::from_utf8_lossy(slice).into_owned()).collect()
    }

    #[test]
    fn every_refuses_what_does_not_fit_and_keeps_what_waits() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        let big = joined(&[("a", "0123456789")]);
        let every = (DeliveryPolicy::Every, 12);
        assert_eq!(outbox.add(&big, 4, every, now), Ok(()));
        assert_eq!(outbox.add(&big, 0, every, now), Err(Full));
        assert_eq!(text(&outbox), "456789");
        outbox.sent(6);
        assert!(outbox.is_empty());
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn at_the_limit_only_the_begun_frame_stays() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.add_always(&joined(&[("a", "aaaa"), ("b", "bbbb"), ("c", "cccc")]), 0, now);
        outbox.sent(6);
        outbox.drop_unbegun();
        assert_eq!(text(&outbox), "bb");
        outbox.sent(2);
        outbox.add_always(&joined(&[("a", "aaaa"), ("b", "bbbb")]), 4, now);
        outbox.drop_unbegun();
        assert!(outbox.is_empty());
    }

    #[test]
    fn the_head_of_an_answer_comes_first_and_is_never_dropped() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.add_always(&joined(&[("a", "aaaa")]), 0, now);
        outbox.add_before(Joined::of_bytes(Bytes::from_static(b"head")), now);
        assert_eq!(text(&outbox), "headaaaa");
        outbox.drop_unbegun();
        assert_eq!(text(&outbox), "head");
        outbox.add(&joined(&[("a", "AAAA")]), 0, (DeliveryPolicy::Latest, 4), now).unwrap();
        assert_eq!(text(&outbox), "head");
    }

    #[test]
    fn latest_keeps_the_newest_of_each_sender_and_the_begun_frame() {
        let now = Instant::now();
        let latest = (DeliveryPolicy::Latest, 1000);
        let mut outbox = Outbox::default();
        outbox.add(&joined(&[("a", "A1"), ("b", "B1"), ("a", "A2")]), 1, latest, now).unwrap();
        assert_eq!(text(&outbox), "1B1A2");
        outbox.add(&joined(&[("b", "B2"), ("a", "A3")]), 0, latest, now).unwrap();
        assert_eq!(text(&outbox), "1B2A3");
        assert_eq!(outbox.bytes(), 5);
    }

    #[test]
    fn a_replaced_frame_keeps_the_age_of_what_it_replaces() {
        let start = Instant::now();
        let later = start + std::time::Duration::from_secs(5);
        let latest = (DeliveryPolicy::Latest, 1000);
        let mut outbox = Outbox::default();
        outbox.add(&joined(&[("a", "A1")]), 0, latest, start).unwrap();
        outbox.add(&joined(&[("a", "A2")]), 0, latest, later).unwrap();
        assert_eq!(outbox.oldest(), Some(start));
    }
}
