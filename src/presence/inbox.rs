//! Direct messages that wait for a client without an open connection on their channel.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::channel::ChannelName;

const MAX_MESSAGES: usize = 100;
const MAX_BYTES: usize = 256 * 1024;

/// Messages in the order they came. Bound: 100 messages and 256 KiB; later ones are dropped, and
/// how many is told behind the kept ones.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    kept: VecDeque<(ChannelName, Bytes)>,
    bytes: usize,
    dropped: Vec<(ChannelName, u64)>,
}

impl Inbox {
    /// Keeps `json`, or counts it as dropped.
    pub(super) fn add(&mut self, channel: &ChannelName, json: Bytes) {
        // Once one was dropped, later ones are too: what is kept has no holes.
        let fits = self.kept.len() < MAX_MESSAGES && self.bytes + json.len() <= MAX_BYTES;
        let room = self.dropped.len() < MAX_MESSAGES;
        let dropped = self.dropped.iter_mut().find(|(name, _)| name == channel);
        match dropped {
            Some((_, count)) => *count += 1,
            None if fits => {
                self.bytes += json.len();
                self.kept.push_back((channel.clone(), json));
            }
            // An entry a channel: bounded by the number of channels that a client is written to on.
            None if room => self.dropped.push((channel.clone(), 1)),
            None => {}
        }
    }

    /// Takes out what came for `channel`, and how many had to be dropped.
    pub(super) fn take(&mut self, channel: &ChannelName) -> (Vec<Bytes>, u64) {
        let (mine, others) = self.kept.drain(..).partition(|(name, _)| name == channel);
        self.kept = others;
        let mine: VecDeque<(ChannelName, Bytes)> = mine;
        let messages: Vec<_> = mine.into_iter().map(|(_, json)| json).collect();
        self.bytes -= messages.iter().map(Bytes::len).sum::<usize>();
        let index = self.dropped.iter().position(|(name, _)| name == channel);
        let dropped = index.map_or(0, |index| self.dropped.swap_remove(index).1);
        (messages, dropped)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.dropped.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hundred_are_kept_and_the_rest_counted() {
        let (root, other) = (ChannelName::root(), ChannelName::parse("other").unwrap());
        let mut inbox = Inbox::default();
        inbox.add(&other, "o".into());
        for number in 0..101 {
            inbox.add(&root, number.to_string().into());
        }
        let (kept, dropped) = inbox.take(&root);
        assert_eq!((kept.len(), dropped), (99, 2));
        assert_eq!(kept[0], "0");
        assert_eq!(inbox.take(&other), (vec!["o".into()], 0));
        assert!(inbox.is_empty());
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn bytes_are_bounded_and_nothing_is_kept_behind_a_hole() {
        let root = ChannelName::root();
        let mut inbox = Inbox::default();
        inbox.add(&root, vec![b'x'; MAX_BYTES].into());
        inbox.add(&root, "small".into());
        let (kept, dropped) = inbox.take(&root);
        assert_eq!((kept.len(), dropped), (1, 1));
        inbox.add(&root, vec![b'x'; MAX_BYTES + 1].into());
        inbox.add(&root, "small".into());
        assert_eq!(inbox.take(&root), (vec![], 2));
    }
}
