//! How much waits in all inboxes together, and in those of the clients of one address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

/// What a message takes beside its bytes.
const OVERHEAD: usize = 100;

/// Bytes in the inboxes of a node.
///
/// Writers: [`Share`]s. Bound: `total`, and `each` for an address; what does not fit is dropped, as
/// from a full inbox. An address is there as long as something of it waits.
#[derive(Debug)]
pub(super) struct Budget {
    total: usize,
    each: usize,
    used: AtomicUsize,
    sources: DashMap<IpAddr, usize>,
}

/// What one inbox takes of a [`Budget`]; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    /// Whom it is counted for; none for those whom no limit of an address counts.
    source: Option<IpAddr>,
    used: usize,
}

impl Budget {
    pub(super) fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { total, each, used: AtomicUsize::new(0), sources: DashMap::new() })
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` if they fit within `limit`.
    fn take(&self, bytes: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.total);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }
}

impl Share {
    /// Nothing yet, for a client that logged in from this address; none for one that is exempt.
    pub(super) fn new(budget: &Arc<Budget>, address: Option<IpAddr>) -> Self {
        Self { budget: Arc::clone(budget), source: address.map(network), used: 0 }
    }

    /// Whether there is room for a message of that many bytes.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let bytes = bytes + OVERHEAD;
        let used = |source: &IpAddr| self.budget.sources.get(source).map_or(0, |used| *used);
        self.budget.used().saturating_add(bytes) <= self.budget.total
            && self.source.is_none_or(|source| used(&source) + bytes <= self.budget.each)
    }

    /// Takes room for a message of that many bytes, if there is any.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes + OVERHEAD;
        if !self.budget.take(bytes) {
            return false;
        }
        if let Some(source) = self.source {
            let mut used = self.budget.sources.entry(source).or_default();
            if *used + bytes > self.budget.each {
                drop(used);
                self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
                return false;
            }
            *used += bytes;
        }
        self.used += bytes;
        true
    }

    /// Gives back the room of a message of that many bytes.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.release(bytes + OVERHEAD);
    }

    fn release(&mut self, bytes: usize) {
        self.used -= bytes;
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(source) = self.source {
            if let Some(mut used) = self.budget.sources.get_mut(&source) {
                *used -= bytes;
            }
            self.budget.sources.remove_if(&source, |_, used| *used == 0);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.used > 0 {
            self.release(self.used);
        }
    }
}

/// What is counted as one address: of IPv6 its /64, as everywhere.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_part_and_everybody_the_rest() {
        let budget = Budget::new(10 * (900 + OVERHEAD), 4 * (900 + OVERHEAD));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let share = |text| Share::new(&budget, Some(address(text)));
        let (mut one, mut same) = (share("2001:db8::1"), share("2001:db8::2"));
        assert!(one.take(900) && same.take(900) && one.take(900) && same.take(900));
        assert!(!one.take(900) && !same.take(900));
        let mut exempt = Share::new(&budget, None);
        assert!((0..6).all(|_| exempt.take(900)));
        assert!(!share("192.0.2.1").take(900), "the node's own bound");

        one.give_back(900);
        assert!(same.take(900));
        drop((one, same, exempt));
        assert_eq!(budget.used(), 0);
        assert!(budget.sources.is_empty());
    }
}
