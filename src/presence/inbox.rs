//! Direct messages that wait for a client without an open connection on their channel.

use std::collections::VecDeque;

use super::budget::Share;
use crate::channel::ChannelName;
use crate::dialect::Direct;

const MAX_MESSAGES: usize = 100;
const MAX_BYTES: usize = 256 * 1024;

/// Messages in the order they came. Bound: 100 messages and 256 KiB, and what the budget of all
/// inboxes has left; later ones are dropped, and how many is told behind the kept ones.
#[derive(Debug)]
pub(super) struct Inbox {
    kept: VecDeque<(ChannelName, Direct)>,
    bytes: usize,
    dropped: Vec<(ChannelName, u64)>,
    share: Share,
}

impl Inbox {
    pub(super) const fn new(share: Share) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, dropped: Vec::new(), share }
    }

    /// Keeps `message`, or counts it as dropped: then `false`.
    pub(super) fn add(&mut self, channel: &ChannelName, message: Direct) -> bool {
        // Once one was dropped, later ones are too: what is kept has no holes.
        let has_hole = self.dropped.iter().any(|(name, _)| name == channel);
        if has_hole || !self.fits(&message) || !self.share.take(message.len()) {
            self.drop_one(channel);
            return false;
        }
        self.bytes += message.len();
        self.kept.push_back((channel.clone(), message));
        true
    }

    /// Keeps a message that had left, before all that came later; the latest ones make room.
    pub(super) fn put_back(&mut self, channel: &ChannelName, message: Direct) {
        while !self.has_room(&message) {
            let Some((name, last)) = self.kept.pop_back_if(|(_, l)| l.nonce() > message.nonce())
            else {
                return self.drop_one(channel);
            };
            self.let_go(last.len());
            self.drop_one(&name);
        }
        if !self.share.take(message.len()) {
            return self.drop_one(channel);
        }
        self.bytes += message.len();
        let later = self.kept.partition_point(|(_, kept)| kept.nonce() < message.nonce());
        self.kept.insert(later, (channel.clone(), message));
    }

    /// Whether `message` would be kept if nothing was dropped before it.
    pub(super) fn has_room(&self, message: &Direct) -> bool {
        self.fits(message) && self.share.has_room(message.len())
    }

    /// Whether anything waits for `channel`, or was dropped.
    pub(super) fn holds(&self, channel: &ChannelName) -> bool {
        let kept = self.kept.iter().map(|(name, _)| name);
        kept.chain(self.dropped.iter().map(|(name, _)| name)).any(|name| name == channel)
    }

    fn fits(&self, message: &Direct) -> bool {
        self.kept.len() < MAX_MESSAGES && self.bytes + message.len() <= MAX_BYTES
    }

    fn drop_one(&mut self, channel: &ChannelName) {
        // An entry a channel: bounded by the number of channels that a client is written to on.
        let room = self.dropped.len() < MAX_MESSAGES;
        match self.dropped.iter_mut().find(|(name, _)| name == channel) {
            Some((_, count)) => *count += 1,
            None if room => self.dropped.push((channel.clone(), 1)),
            None => {}
        }
    }

    fn let_go(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.share.give_back(bytes);
    }

    /// Takes out what came for `channel`, and how many had to be dropped.
    pub(super) fn take(&mut self, channel: &ChannelName) -> (Vec<Direct>, u64) {
        let (mine, others) = self.kept.drain(..).partition(|(name, _)| name == channel);
        self.kept = others;
        let mine: VecDeque<(ChannelName, Direct)> = mine;
        let messages: Vec<_> = mine.into_iter().map(|(_, message)| message).collect();
        for message in &messages {
            self.let_go(message.len());
        }
        (messages, self.take_dropped(channel))
    }

    /// Takes out the oldest that came for `channel`.
    pub(super) fn take_one(&mut self, channel: &ChannelName) -> Option<Direct> {
        let index = self.kept.iter().position(|(name, _)| name == channel)?;
        let (_, message) = self.kept.remove(index)?;
        self.let_go(message.len());
        Some(message)
    }

    /// How many for `channel` had to be dropped since that was last told.
    pub(super) fn take_dropped(&mut self, channel: &ChannelName) -> u64 {
        let index = self.dropped.iter().position(|(name, _)| name == channel);
        index.map_or(0, |index| self.dropped.swap_remove(index).1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.dropped.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    fn inbox() -> Inbox {
        let budget = Budget::new(usize::MAX, usize::MAX);
        Inbox::new(Share::new(&budget, None))
    }

    fn text(text: impl Into<String>) -> Direct {
        Direct::text(text.into())
    }

    #[test]
    fn the_first_hundred_are_kept_and_the_rest_counted() {
        let (root, other) = (ChannelName::root(), ChannelName::parse("other").unwrap());
        let mut inbox = inbox();
        inbox.add(&other, text("o"));
        for number in 0..101 {
            inbox.add(&root, text(number.to_string()));
        }
        let (kept, dropped) = inbox.take(&root);
        assert_eq!((kept.len(), dropped), (99, 2));
        assert_eq!(kept[0], text("0"));
        assert_eq!(inbox.take(&other), (vec![text("o")], 0));
        assert!(inbox.is_empty());
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn bytes_are_bounded_and_nothing_is_kept_behind_a_hole() {
        let root = ChannelName::root();
        let mut inbox = inbox();
        inbox.add(&root, text("x".repeat(MAX_BYTES)));
        inbox.add(&root, text("small"));
        let (kept, dropped) = inbox.take(&root);
        assert_eq!((kept.len(), dropped), (1, 1));
        inbox.add(&root, text("x".repeat(MAX_BYTES + 1)));
        inbox.add(&root, text("small"));
        assert_eq!(inbox.take(&root), (vec![], 2));
    }

    #[test]
    fn what_comes_back_is_before_all_that_is_later() {
        let (root, other) = (ChannelName::root(), ChannelName::parse("other").unwrap());
        let mut inbox = inbox();
        let number = |number: u64| text(number.to_string()).numbered(number);
        for it in [1, 4, 7] {
            assert!(inbox.add(&root, number(it)));
        }
        inbox.put_back(&other, number(6));
        for it in [5, 3, 8, 0] {
            inbox.put_back(&root, number(it));
        }
        let all: Vec<_> = [0, 1, 3, 4, 5, 7, 8].map(number).into();
        assert_eq!(inbox.take(&root), (all, 0));
        assert_eq!(inbox.take(&other), (vec![number(6)], 0));
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn the_latest_make_room_for_what_comes_back() {
        let root = ChannelName::root();
        let mut inbox = inbox();
        let number = |number: u64| text(number.to_string()).numbered(number);
        for it in 1..=100 {
            assert!(inbox.add(&root, number(it)));
        }
        inbox.put_back(&root, number(0));
        inbox.put_back(&root, number(101));
        let (kept, dropped) = inbox.take(&root);
        assert_eq!((kept.len(), dropped), (100, 2));
        assert_eq!((&kept[0], &kept[99]), (&number(0), &number(99)));
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn one_is_taken_at_a_time_and_only_of_its_channel() {
        let (root, other) = (ChannelName::root(), ChannelName::parse("other").unwrap());
        let mut inbox = inbox();
        for (channel, said) in [(&other, "o"), (&root, "a"), (&root, "b")] {
            assert!(inbox.add(channel, text(said)));
        }
        assert_eq!(inbox.take_one(&root), Some(text("a")));
        assert_eq!(inbox.take_one(&root), Some(text("b")));
        assert_eq!((inbox.take_one(&root), inbox.take_dropped(&root)), (None, 0));
        assert_eq!(inbox.bytes, 1);
        assert_eq!(inbox.take_one(&other), Some(text("o")));
        assert!(inbox.is_empty() && inbox.bytes == 0);
    }
}
