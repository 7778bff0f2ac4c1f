//! The subscribers of one channel at one worker, and the broadcast that is under way among them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use slab::Slab;
use tokio::time::Instant;

use super::joined::batch_len;
use super::{ChannelKey, Encoding, Item, Joined};
use crate::channel::DeliveryPolicy;

/// How many connections are written to before others get a turn.
pub(super) const SLICE: usize = 512;

/// The place of a subscriber that left while a broadcast was under way.
const LEFT: usize = usize::MAX;

/// A channel at one worker.
///
/// Bound: `pending` holds publications that keep their place reserved in the worker's queue, and
/// changes of users lists, which are coalesced.
struct Group {
    channel: ChannelKey,
    delivery: DeliveryPolicy,
    /// Keys of connections; `LEFT` where one left during a broadcast.
    subscribers: Vec<usize>,
    pending: VecDeque<Item>,
    batch: Option<Batch>,
}

/// What is being written to one connection after the other.
struct Batch {
    items: Vec<Item>,
    joined: [Option<Arc<Joined>>; Encoding::COUNT],
    /// The next subscriber, and the first one that came later.
    next: usize,
    end: usize,
}

/// All groups of a worker; those with something to say take turns.
#[derive(Default)]
pub(super) struct Groups {
    slab: Slab<Group>,
    keys: HashMap<ChannelKey, usize>,
    turns: VecDeque<usize>,
}

/// A part of a broadcast: connections, and where to find what they get.
pub(super) struct Slice {
    pub(super) group: usize,
    pub(super) delivery: DeliveryPolicy,
    pub(super) subscribers: Vec<usize>,
    /// With the last slice of a batch: when the oldest publication in it got its place.
    pub(super) ordered: Option<Instant>,
}

impl Groups {
    /// Adds `connection` to `channel`: the keys of its group and of its place in it.
    pub(super) fn join(
        &mut self,
        channel: ChannelKey,
        delivery: DeliveryPolicy,
        connection: usize,
    ) -> (usize, usize) {
        let slab = &mut self.slab;
        let key = *self.keys.entry(channel).or_insert_with(|| {
            let (subscribers, pending) = (Vec::new(), VecDeque::new());
            slab.insert(Group { channel, delivery, subscribers, pending, batch: None })
        });
        let Some(group) = self.slab.get_mut(key) else {
            return (key, LEFT);
        };
        group.subscribers.push(connection);
        (key, group.subscribers.len() - 1)
    }

    /// Takes a connection out. Answers which connection has to be told that its place is now this one.
    pub(super) fn leave(&mut self, key: usize, place: usize) -> Option<usize> {
        let group = self.slab.get_mut(key)?;
        if group.batch.is_some() {
            if let Some(subscriber) = group.subscribers.get_mut(place) {
                *subscriber = LEFT;
            }
            return None;
        }
        if place < group.subscribers.len() {
            group.subscribers.swap_remove(place);
        }
        let moved = group.subscribers.get(place).copied();
        self.free_if_empty(key);
        moved
    }

    /// Adds `item` to what the subscribers of `channel` are to get; `false` if there are none.
    pub(super) fn add(&mut self, channel: ChannelKey, item: Item) -> bool {
        let Some(key) = self.keys.get(&channel) else {
            return false;
        };
        let Some(group) = self.slab.get_mut(*key) else {
            return false;
        };
        if group.pending.is_empty() && group.batch.is_none() {
            self.turns.push_back(*key);
        }
        group.pending.push_back(item);
        true
    }

    /// Whether any group has something to say.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }

    /// The next slice of the group whose turn it is, and how many publications left the queue with it.
    pub(super) fn next_slice(&mut self) -> Option<(Slice, usize)> {
        let key = *self.turns.front()?;
        let group = self.slab.get_mut(key)?;
        let mut begun = 0;
        if group.batch.is_none() {
            let count = batch_len(group.pending.iter().cloned());
            let items: Vec<_> = group.pending.drain(..count).collect();
            begun = items.iter().filter(|item| matches!(item, Item::Publication(_))).count();
            let end = group.subscribers.len();
            group.batch =
                Some(Batch { items, joined: [const { None }; Encoding::COUNT], next: 0, end });
        }
        let batch = group.batch.as_mut()?;
        let end = (batch.next + SLICE).min(batch.end);
        let subscribers = group.subscribers.get(batch.next..end).unwrap_or_default();
        let subscribers = subscribers.iter().copied().filter(|key| *key != LEFT).collect();
        batch.next = end;
        let ordered = if end == batch.end { oldest(&batch.items) } else { None };
        Some((Slice { group: key, delivery: group.delivery, subscribers, ordered }, begun))
    }

    /// The messages of the batch under way in `encoding`; encoded by the first who asks.
    pub(super) fn joined(&mut self, key: usize, encoding: Encoding) -> Option<Arc<Joined>> {
        let batch = self.slab.get_mut(key)?.batch.as_mut()?;
        let joined = batch.joined.get_mut(encoding.index())?;
        if let Some(joined) = joined {
            return Some(Arc::clone(joined));
        }
        let fresh = Arc::new(Joined::of_items(&batch.items, encoding));
        *joined = Some(Arc::clone(&fresh));
        Some(fresh)
    }

    /// Ends the turn of `key` behind its slice. Answers who has to be told of a new place.
    pub(super) fn end_slice(&mut self, key: usize) -> Vec<(usize, usize)> {
        self.turns.pop_front();
        let Some(group) = self.slab.get_mut(key) else {
            return Vec::new();
        };
        if group.batch.as_ref().is_some_and(|batch| batch.next < batch.end) {
            self.turns.push_back(key);
            return Vec::new();
        }
        group.batch = None;
        if !group.pending.is_empty() {
            self.turns.push_back(key);
        }
        let mut moved = Vec::new();
        if group.subscribers.contains(&LEFT) {
            group.subscribers.retain(|subscriber| *subscriber != LEFT);
            moved = group.subscribers.iter().copied().enumerate().collect();
        }
        self.free_if_empty(key);
        moved
    }

    fn free_if_empty(&mut self, key: usize) {
        let idle = |group: &Group| {
            group.subscribers.is_empty() && group.pending.is_empty() && group.batch.is_none()
        };
        if self.slab.get(key).is_some_and(idle) {
            let group = self.slab.remove(key);
            self.keys.remove(&group.channel);
        }
    }
}

/// When the first publication among `items` got its place.
fn oldest(items: &[Item]) -> Option<Instant> {
    items.iter().find_map(|item| match item {
        Item::Publication(publication) => Some(publication.at),
        Item::Users(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::UsersTold;

    const CHANNEL: ChannelKey = ChannelKey(1);

    fn item() -> Item {
        Item::Users(Arc::new(UsersTold { version: 1, list: None, diff: None, count: None }))
    }

    fn slice(groups: &mut Groups) -> Vec<usize> {
        groups.next_slice().unwrap().0.subscribers
    }

    #[test]
    fn a_broadcast_is_cut_into_slices_and_groups_take_turns() {
        let mut groups = Groups::default();
        for connection in 0..600 {
            groups.join(CHANNEL, DeliveryPolicy::Every, connection);
        }
        let (other, _) = groups.join(ChannelKey(2), DeliveryPolicy::Every, 9000);
        assert!(groups.add(CHANNEL, item()) && groups.add(ChannelKey(2), item()));
        assert_eq!(slice(&mut groups).len(), SLICE);
        groups.end_slice(0);
        assert_eq!(slice(&mut groups), [9000]);
        groups.end_slice(other);
        assert_eq!(slice(&mut groups).len(), 600 - SLICE);
        groups.end_slice(0);
        assert!(groups.is_idle());
    }

    #[test]
    fn who_leaves_during_a_broadcast_moves_nobody_before_its_end() {
        let mut groups = Groups::default();
        for connection in 0..600 {
            groups.join(CHANNEL, DeliveryPolicy::Every, connection);
        }
        groups.add(CHANNEL, item());
        slice(&mut groups);
        assert!(groups.end_slice(0).is_empty());
        assert_eq!(groups.leave(0, 3), None);
        assert_eq!(groups.leave(0, 599), None);
        assert_eq!(slice(&mut groups), (512..599).collect::<Vec<_>>());
        let moved = groups.end_slice(0);
        assert_eq!(moved.len(), 598);
        assert_eq!(moved[3], (3, 4));
    }

    #[test]
    fn who_leaves_in_peace_is_replaced_by_the_last_and_empty_groups_are_freed() {
        let mut groups = Groups::default();
        for connection in 10..13 {
            groups.join(CHANNEL, DeliveryPolicy::Every, connection);
        }
        assert_eq!(groups.leave(0, 0), Some(12));
        assert_eq!(groups.leave(0, 1), None);
        assert_eq!(groups.leave(0, 0), None);
        assert!(groups.slab.is_empty() && groups.keys.is_empty());
        assert!(!groups.add(CHANNEL, item()));
    }

    #[test]
    fn a_newcomer_in_the_middle_of_a_broadcast_is_not_part_of_it() {
        let mut groups = Groups::default();
        groups.join(CHANNEL, DeliveryPolicy::Every, 1);
        groups.add(CHANNEL, item());
        assert_eq!(slice(&mut groups), [1]);
        groups.join(CHANNEL, DeliveryPolicy::Every, 2);
        groups.end_slice(0);
        assert!(groups.is_idle());
    }
}
