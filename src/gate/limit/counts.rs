//! How many are open at once from one address.

use std::fmt;
use std::sync::Arc;

use dashmap::DashMap;

use super::source::{Source, Sources, Whom};
use crate::config::Limits;

/// Counts what is open from each address, up to `limits.connections_per_address`.
///
/// Writers: [`enter`](Self::enter) and the drop of what it gives. Bound: one entry for each address
/// that has something open; it goes with the last.
///
/// Of a peer that is a trusted proxy nothing is known but the proxy: who comes through it is counted
/// once a request says who that is. A subscription over HTTP/2 enters beside its connection.
#[derive(Debug)]
pub struct AddressCounts {
    sources: Sources,
    limit: usize,
    open: DashMap<Source, usize>,
}

/// The place of one that entered; dropping it leaves.
#[must_use = "dropped, it leaves at once"]
pub struct Entered {
    /// None for an exempt address, which nobody counts.
    counted: Option<(Arc<AddressCounts>, Source)>,
}

/// `limits.connections_per_address` are open from that address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooManyHere;

impl AddressCounts {
    /// Nothing is open yet.
    pub fn new(limits: &Limits) -> Self {
        let sources = Sources::new(&limits.exempt);
        Self { sources, limit: limits.connections_per_address, open: DashMap::new() }
    }

    /// Counts one more for `whom` for as long as the answer is kept.
    ///
    /// Waits: no. Locks: one shard, briefly.
    ///
    /// # Errors
    /// [`TooManyHere`]; nothing was counted then.
    pub fn enter(self: &Arc<Self>, whom: impl Into<Whom>) -> Result<Entered, TooManyHere> {
        let Some(source) = self.sources.of(whom.into()) else {
            return Ok(Entered { counted: None });
        };
        let mut open = self.open.entry(source).or_default();
        // The limit is 1 at the least, so an entry that was just made passes.
        if *open >= self.limit {
            return Err(TooManyHere);
        }
        *open += 1;
        drop(open);
        Ok(Entered { counted: Some((Arc::clone(self), source)) })
    }

    /// Lets the memory of a crowd go that has left.
    pub fn sweep(&self) {
        self.open.shrink_to_fit();
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let Some((counts, source)) = self.counted.take() else { return };
        counts.open.remove_if_mut(&source, |_, open| {
            *open = open.saturating_sub(1);
            *open == 0
        });
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").field("counted", &self.counted.is_some()).finish()
    }
}

impl fmt::Display for TooManyHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limits.connections_per_address are open from this address")
    }
}

impl std::error::Error for TooManyHere {}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn counts(limit: usize) -> Arc<AddressCounts> {
        let exempt = vec!["10.0.0.0/8".parse().unwrap()];
        let limits = Limits { connections_per_address: limit, exempt, ..Limits::default() };
        Arc::new(AddressCounts::new(&limits))
    }

    fn enter(counts: &Arc<AddressCounts>, address: &str) -> Result<Entered, TooManyHere> {
        counts.enter(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn an_address_has_its_places_and_no_more() {
        let counts = counts(2);
        let first = enter(&counts, "192.0.2.1").unwrap();
        let _second = enter(&counts, "::ffff:192.0.2.1").unwrap();
        assert_eq!(enter(&counts, "192.0.2.1").unwrap_err(), TooManyHere);
        let _other = enter(&counts, "192.0.2.2").unwrap();
        drop(first);
        let _third = enter(&counts, "192.0.2.1").unwrap();
        assert!(enter(&counts, "192.0.2.1").is_err());
    }

    #[test]
    fn an_ipv6_network_of_64_shares_its_places() {
        let counts = counts(1);
        let _first = enter(&counts, "2001:db8::1").unwrap();
        assert!(enter(&counts, "2001:db8::2").is_err());
        let _other = enter(&counts, "2001:db8:0:1::1").unwrap();
    }

    #[test]
    fn an_exempt_address_is_not_counted() {
        let counts = counts(1);
        let open: Vec<_> = (0..10).map(|_| enter(&counts, "10.0.0.1").unwrap()).collect();
        assert!(counts.open.is_empty());
        drop(open);
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let counts = counts(2);
        let open: Vec<_> = (0..10_000_u32)
            .map(|number| counts.enter(IpAddr::from(Ipv4Addr::from(number))).unwrap())
            .collect();
        assert_eq!(counts.open.len(), 10_000);
        drop(open);
        counts.sweep();
        assert_eq!((counts.open.len(), counts.open.capacity()), (0, 0));
    }

    #[test]
    fn places_are_exact_when_many_come_at_once() {
        let counts = counts(100);
        let entered: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let tries = (0..50).map(|_| enter(&counts, "192.0.2.1"));
                        tries.filter_map(Result::ok).collect::<Vec<_>>()
                    })
                })
                .collect();
            let open: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            open.iter().map(Vec::len).sum()
        });
        assert_eq!(entered, 100);
        assert!(counts.open.is_empty());
    }
}
