//! Genuine tokens of those who show one with every request: its signature is verified once.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Claims;

/// The memory that all of it takes, in bytes; then what was asked for least goes.
const MEMORY: u64 = 4 * 1024 * 1024;

/// The bytes that claims without lists take.
const CLAIMS: usize = 512;

/// What a byte of a token becomes at most, once lists and JSON of its own are taken apart.
const EXPANSION: usize = 16;

/// What genuine tokens say. Whether their time is over, and whether they were ended, is judged anew each time.
///
/// The whole token is compared, so that nothing but what was signed is found; where it would be is told by a
/// hash with a random key, so that the time this takes says nothing of any token.
///
/// Waits: for the lock of a part of the table, which is held for one look or one insertion.
pub(super) struct Verified(Cache<Box<str>, Arc<Claims>, Weights>);

#[derive(Clone)]
struct Weights;

impl Verified {
    pub(super) fn new() -> Self {
        let usual = u64::try_from(CLAIMS + 256).unwrap_or(u64::MAX);
        let items = usize::try_from(MEMORY / usual).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(items, MEMORY, Weights))
    }

    /// What `token` says, if it is remembered.
    pub(super) fn get(&self, token: &str) -> Option<Arc<Claims>> {
        self.0.get(token)
    }

    /// The bytes that all of it is taken to have.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.0.weight()
    }

    /// Remembers what `token` says, whose signature was verified.
    pub(super) fn insert(&self, token: &str, claims: &Arc<Claims>) {
        self.0.insert(token.into(), Arc::clone(claims));
    }
}

impl Weighter<Box<str>, Arc<Claims>> for Weights {
    fn weight(&self, token: &Box<str>, claims: &Arc<Claims>) -> u64 {
        let is_plain = claims.grants.is_none() && claims.info.is_none();
        let extra = if is_plain { 0 } else { EXPANSION * token.len() };
        u64::try_from(token.len() + CLAIMS + extra).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified([redacted; {}])", self.0.len())
    }
}
