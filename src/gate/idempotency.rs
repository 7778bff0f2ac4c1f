//! Idempotency keys: a retry gets the first answer and publishes nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::channel::{ChannelName, Position, Retry};
use crate::identity::ClientId;

/// How long a key is remembered, and how many a client has on a channel.
const REMEMBERED: Duration = Duration::from_mins(5);
const MAX_KEYS: usize = 1000;

/// Whose keys: the client, none for backends, and its channel.
pub(super) type Scope = (Option<ClientId>, ChannelName);

/// Keys in use, apart by client and channel.
///
/// Bound: 1000 keys a scope, the oldest is forgotten first; each for 5 minutes, then `sweep` frees it.
#[derive(Debug, Default)]
pub struct Idempotency {
    scopes: DashMap<Scope, Arc<Mutex<Keys>>>,
}

#[derive(Debug, Default)]
struct Keys {
    by_key: HashMap<String, Entry>,
    oldest: VecDeque<(Instant, String)>,
    /// No longer in the map: whoever still holds it must look again.
    freed: bool,
}

#[derive(Debug)]
struct Entry {
    body: [u8; 32],
    state: State,
}

#[derive(Debug)]
enum State {
    /// The first post is under way.
    Pending(Arc<Notify>),
    Done(Receipt),
}

/// What the answer to a post is rebuilt from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Receipt {
    /// `None` for a direct message.
    pub(super) position: Option<Position>,
    pub(super) datetime: String,
    pub(super) ip: Arc<str>,
}

/// What a key means for a post.
#[derive(Debug)]
pub(super) enum Begin {
    /// It is the first: publish, then [`Ticket::finish`].
    First(Ticket),
    /// It was done before.
    Repeated(Receipt),
    /// The first is under way: wait, then begin again.
    Wait(Arc<Notify>),
    /// The key belongs to another body.
    Reused,
}

/// The right to publish under a key. Dropped unfinished, the key is free again.
#[derive(Debug)]
pub(super) struct Ticket {
    keys: Arc<Mutex<Keys>>,
    key: Option<String>,
    body: [u8; 32],
}

impl Idempotency {
    /// Looks `key` up in the scope of a client on a channel; `body` is what it is used for.
    pub(super) fn begin(&self, scope: &Scope, key: &str, body: &[&str], now: Instant) -> Begin {
        let body = digest(body);
        loop {
            let keys = Arc::clone(self.scopes.entry(scope.clone()).or_default().value());
            let mut found = lock(&keys);
            if found.freed {
                drop(found);
                std::thread::yield_now();
                continue;
            }
            found.forget(now);
            let begin = found.begin(key, body, now);
            drop(found);
            return begin.unwrap_or_else(|| {
                let key = Some(key.to_owned());
                Begin::First(Ticket { keys, key, body })
            });
        }
    }

    /// Knows a key again that was used `age` ago, unless it is known.
    pub(super) fn know(&self, scope: &Scope, retry: &Retry, receipt: Receipt, age: Duration) {
        let Some(since) = Instant::now().checked_sub(age) else { return };
        loop {
            let keys = Arc::clone(self.scopes.entry(scope.clone()).or_default().value());
            let mut found = lock(&keys);
            if !found.freed {
                found.know(retry, receipt, since);
                return;
            }
            drop(found);
            std::thread::yield_now();
        }
    }

    /// Forgets keys that are too old.
    pub fn sweep(&self, now: Instant) {
        self.scopes.retain(|_, keys| {
            let mut keys = lock(keys);
            keys.forget(now);
            keys.freed = keys.by_key.is_empty();
            !keys.freed
        });
        self.scopes.shrink_to_fit();
    }
}

fn lock(keys: &Mutex<Keys>) -> MutexGuard<'_, Keys> {
    // The keys are valid between any two statements: a panic elsewhere leaves them usable.
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest(body: &[&str]) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in body {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

impl Keys {
    fn begin(&mut self, key: &str, body: [u8; 32], now: Instant) -> Option<Begin> {
        if let Some(entry) = self.by_key.get(key) {
            return Some(match &entry.state {
                _ if entry.body != body => Begin::Reused,
                State::Pending(done) => Begin::Wait(Arc::clone(done)),
                State::Done(receipt) => Begin::Repeated(receipt.clone()),
            });
        }
        let state = State::Pending(Arc::default());
        self.by_key.insert(key.to_owned(), Entry { body, state });
        self.oldest.push_back((now, key.to_owned()));
        None
    }

    fn know(&mut self, retry: &Retry, receipt: Receipt, since: Instant) {
        if !self.by_key.contains_key(&retry.key) {
            let entry = Entry { body: retry.body, state: State::Done(receipt) };
            self.by_key.insert(retry.key.clone(), entry);
            self.oldest.push_back((since, retry.key.clone()));
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, key)) = self.oldest.front() {
            let old = now.saturating_duration_since(*since) >= REMEMBERED;
            if !old && self.oldest.len() < MAX_KEYS {
                return;
            }
            self.by_key.remove(key);
            self.oldest.pop_front();
        }
    }
}

impl Ticket {
    /// What the key is known again by, with the receipt that it will get.
    pub(super) fn retry(&self, datetime: &str, ip: &str) -> Option<Retry> {
        let key = self.key.clone()?;
        Some(Retry { key, body: self.body, datetime: datetime.to_owned(), ip: ip.to_owned() })
    }

    /// The post was published.
    pub(super) fn finish(mut self, receipt: Receipt) {
        let Some(key) = self.key.take() else { return };
        let mut keys = lock(&self.keys);
        if let Some(entry) = keys.by_key.get_mut(&key)
            && let State::Pending(done) = std::mem::replace(&mut entry.state, State::Done(receipt))
        {
            done.notify_waiters();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut keys = lock(&self.keys);
        keys.oldest.retain(|(_, known)| *known != key);
        if let Some(Entry { state: State::Pending(done), .. }) = keys.by_key.remove(&key) {
            done.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        (Some(ClientId::parse("c").unwrap()), ChannelName::root())
    }

    fn receipt() -> Receipt {
        Receipt { position: None, datetime: "d".to_owned(), ip: "".into() }
    }

    fn first(keys: &Idempotency, key: &str, now: Instant) -> Ticket {
        let Begin::First(ticket) = keys.begin(&scope(), key, &["a"], now) else {
            panic!("{key} is in use")
        };
        ticket
    }

    #[test]
    fn a_retry_gets_the_first_receipt_and_another_body_is_refused() {
        let (keys, now) = (Idempotency::default(), Instant::now());
        let ticket = first(&keys, "k", now);
        assert!(matches!(keys.begin(&scope(), "k", &["a"], now), Begin::Wait(_)));
        ticket.finish(receipt());
        let retry = keys.begin(&scope(), "k", &["a"], now);
        assert!(matches!(retry, Begin::Repeated(same) if same == receipt()));
        assert!(matches!(keys.begin(&scope(), "k", &["b"], now), Begin::Reused));
        let other = (None, ChannelName::root());
        assert!(matches!(keys.begin(&other, "k", &["b"], now), Begin::First(_)));
    }

    #[test]
    fn a_post_that_failed_leaves_its_key_free() {
        let (keys, now) = (Idempotency::default(), Instant::now());
        drop(first(&keys, "k", now));
        drop(first(&keys, "k", now));
    }

    #[test]
    fn keys_are_forgotten_by_age_and_by_number() {
        let (keys, now) = (Idempotency::default(), Instant::now());
        first(&keys, "k", now).finish(receipt());
        first(&keys, "k", now + REMEMBERED).finish(receipt());
        for number in 0..MAX_KEYS {
            first(&keys, &number.to_string(), now + REMEMBERED).finish(receipt());
        }
        first(&keys, "k", now + REMEMBERED).finish(receipt());
        keys.sweep(now + REMEMBERED * 2);
        assert!(keys.scopes.is_empty());
    }
}
