//! The engine of a single node: order is the order in which the channel's lock was taken.

use super::Engine;
use crate::channel::{ChannelName, Epoch, Position};

/// Order in memory; each opening of a channel is an epoch of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Engine for Memory {
    fn open(&self, _channel: &ChannelName) -> Position {
        // Without the operating system's generator no token could be made either.
        let number = getrandom::u64().expect("the operating system gives random numbers");
        Position { epoch: Epoch::from_random(number), offset: 0 }
    }

    fn order(&self, _channel: &ChannelName, last: Position) -> Position {
        last.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_rise_by_one_and_each_opening_has_an_epoch_of_its_own() {
        let root = ChannelName::root();
        let first = Memory.open(&root);
        assert_eq!(first.offset, 0);
        let next = Memory.order(&root, Memory.order(&root, first));
        assert_eq!(next, Position { epoch: first.epoch, offset: 2 });
        assert_ne!(Memory.open(&root).epoch, first.epoch);
    }
}
