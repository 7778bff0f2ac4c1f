//! What was posted and what has arrived: nothing lost, nothing twice, one order for everybody.
//!
//! The order of a channel is the server's to choose where posts race; that it is the *same* for all
//! is what we check: whoever is first to see the k-th message of the channel sets it, and everybody
//! else must see that one k-th too. With one poster it must be the order of the posts as well.

use std::ops::AddAssign;
use std::time::Duration;

use tokio::time::Instant;

/// Length of a posted value in bytes.
pub(crate) const VALUE: usize = 128;

/// What went wrong, counted in deliveries.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Never came.
    pub(crate) lost: u64,
    /// Came, but later than one that is after it in the order of the channel.
    pub(crate) reordered: u64,
    /// Came again.
    pub(crate) repeated: u64,
    /// Was nothing that had been posted.
    pub(crate) altered: u64,
    /// Posts that the server refused, and told so: not a fault of delivery.
    pub(crate) refused: u64,
}

impl Faults {
    /// Whether every delivery that was promised was made, once and in order.
    pub(crate) fn is_none(&self) -> bool {
        self.lost + self.reordered + self.repeated + self.altered == 0
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.reordered += other.reordered;
        self.repeated += other.repeated;
        self.altered += other.altered;
        self.refused += other.refused;
    }
}

/// How far one subscriber has come in the order of the channel.
#[derive(Debug, Default)]
pub(crate) struct Place {
    next: usize,
    /// Ranks passed over; empty as long as all is well.
    skipped: Vec<usize>,
}

#[derive(Debug)]
struct Post {
    value: [u8; VALUE],
    at: Instant,
    /// Where it stands in the order of the channel, once somebody has seen it.
    rank: Option<usize>,
    arrived: usize,
    answer: Option<u16>,
}

/// The posts of one run and everything that came of them.
#[derive(Debug)]
pub(crate) struct Ledger {
    run: u64,
    subscribers: usize,
    posts: Vec<Post>,
    seen: usize,
    complete: usize,
    arrivals: u64,
    faults: Faults,
    /// Whether the order of the posts is the order of the channel: one poster.
    pub(crate) one_poster: bool,
    latencies: Vec<u32>,
}

impl Ledger {
    /// An empty ledger for `subscribers`; `run` marks its values, so that no other's are taken for ours.
    pub(crate) fn new(run: u64, subscribers: usize) -> Self {
        Self {
            run,
            subscribers,
            posts: Vec::new(),
            seen: 0,
            complete: 0,
            arrivals: 0,
            faults: Faults::default(),
            one_poster: true,
            latencies: Vec::new(),
        }
    }

    /// Enters a post that is sent now: its number and its value.
    pub(crate) fn post(&mut self) -> (usize, [u8; VALUE]) {
        let number = self.posts.len();
        let value = value(self.run, number);
        let at = Instant::now();
        self.posts.push(Post { value, at, rank: None, arrived: 0, answer: None });
        (number, value)
    }

    /// Enters the server's answer to a post.
    pub(crate) fn answered(&mut self, number: usize, status: u16) {
        self.posts[number].answer = Some(status);
        self.faults.refused += u64::from(status != 200);
        self.count_if_complete(number);
    }

    /// Enters a message that a subscriber received. Subscribers with `users=none` are told nothing
    /// but what was posted, so anything else counts as altered.
    pub(crate) fn arrived(&mut self, place: &mut Place, message: &[u8], now: Instant) {
        let Some(number) = self.recognise(message) else {
            if self.faults.altered == 0 {
                let text = String::from_utf8_lossy(&message[..message.len().min(400)]);
                eprintln!("bench: this was never posted: {text}");
            }
            self.faults.altered += 1;
            return;
        };
        let rank = self.rank(number);
        if rank == place.next {
            place.next += 1;
        } else if rank > place.next {
            place.skipped.extend(place.next..rank);
            place.next = rank + 1;
        } else if let Some(late) = place.skipped.iter().position(|skipped| *skipped == rank) {
            place.skipped.swap_remove(late);
            self.faults.reordered += 1;
        } else {
            self.faults.repeated += 1;
            return;
        }
        self.arrivals += 1;
        let post = &mut self.posts[number];
        post.arrived += 1;
        self.latencies.push((now - post.at).as_micros() as u32);
        self.count_if_complete(number);
    }

    /// The number of the post that a message carries, if it carries it whole.
    fn recognise(&self, message: &[u8]) -> Option<usize> {
        const BEFORE: &[u8] = b"\"value\":\"";
        let found = message.windows(BEFORE.len()).take(256).position(|window| window == BEFORE)?;
        let value = message.get(found + BEFORE.len()..)?.get(..VALUE)?;
        let number: usize = std::str::from_utf8(value.get(17..25)?).ok()?.parse().ok()?;
        (self.posts.get(number)?.value == value).then_some(number)
    }

    fn rank(&mut self, number: usize) -> usize {
        if let Some(rank) = self.posts[number].rank {
            return rank;
        }
        let rank = self.seen;
        self.seen += 1;
        self.posts[number].rank = Some(rank);
        self.faults.reordered += u64::from(self.one_poster && rank != number);
        rank
    }

    fn count_if_complete(&mut self, number: usize) {
        let post = &self.posts[number];
        self.complete += usize::from(is_complete(post, self.subscribers));
    }

    /// Posts that are not answered yet, or not yet with everybody.
    pub(crate) fn in_flight(&self) -> usize {
        self.posts.len() - self.complete
    }

    /// Deliveries made so far.
    pub(crate) fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Forgets the latencies of a warm-up.
    pub(crate) fn forget_latencies(&mut self) {
        self.latencies.clear();
    }

    /// What went wrong, when no more is expected to come.
    pub(crate) fn faults(&self) -> Faults {
        let accepted = self.posts.iter().filter(|post| post.answer.is_none_or(|it| it == 200));
        let missing = accepted.map(|post| self.subscribers.saturating_sub(post.arrived) as u64);
        Faults { lost: missing.sum(), ..self.faults }
    }

    /// The latencies below which half and 99 % of all deliveries lie, from the post to the arrival.
    pub(crate) fn latency(&mut self) -> Option<Latency> {
        latency(&mut self.latencies)
    }
}

/// The latencies below which half and 99 % of all lie, which are in microseconds.
pub(crate) fn latency(all: &mut [u32]) -> Option<Latency> {
    all.sort_unstable();
    let at = |share: f64| {
        let index = (all.len() as f64 * share) as usize;
        all.get(index).map(|us| Duration::from_micros(u64::from(*us)))
    };
    Some(Latency { p50: at(0.50)?, p99: at(0.99)? })
}

/// How long deliveries took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Complete by the step just taken: both callers have added to exactly one of the two conditions.
fn is_complete(post: &Post, subscribers: usize) -> bool {
    match post.answer {
        Some(200) => post.arrived == subscribers,
        Some(_) => post.arrived == 0,
        None => false,
    }
}

/// A value of 128 characters that need no escape anywhere: run, number, and letters that follow
/// from both.
fn value(run: u64, number: usize) -> [u8; VALUE] {
    let mut value = [b'.'; VALUE];
    let start = format!("{run:016x}-{number:08}-");
    value[..start.len()].copy_from_slice(start.as_bytes());
    let mut state = (run ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
    for letter in &mut value[start.len()..] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *letter = b'a' + (state % 26) as u8;
    }
    value
}
