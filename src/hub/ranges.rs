//! What is read of a durable channel is what a list of everything would give, whatever of it is in
//! memory, and however it came there.

#![allow(clippy::as_conversions, reason = "no test has that many messages")]
#![allow(clippy::cast_possible_truncation, reason = "as above")]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::recent::{BYTES, Bottom, MESSAGES};
use super::*;
use crate::channel::{Bounds, Epoch, Since, Stored};
use crate::store::{Loaded, Window};

const NOW: u64 = 1_000_000;
const LIMITS: std::ops::Range<usize> = 1..1200;

/// What somebody does with a channel.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody posts something of so many bytes.
    Post(usize),
    /// A minute passes, and nobody read in it.
    Minute,
    /// Somebody reads forward, and gets a page of so many.
    Since(u64, usize),
    /// Somebody reads back.
    Before(u64, usize),
    /// Somebody wants the newest.
    Newest(usize),
    /// All is forgotten.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..3000).prop_map(Step::Post),
        2 => Just(Step::Minute),
        4 => (0_u64..2600, LIMITS).prop_map(|(since, limit)| Step::Since(since, limit)),
        4 => (0_u64..2600, LIMITS).prop_map(|(before, limit)| Step::Before(before, limit)),
        2 => LIMITS.prop_map(Step::Newest),
        1 => Just(Step::Forget),
    ]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let messages = prop_oneof![0_usize..3000, Just(MESSAGES), Just(1)];
    let bytes = prop_oneof![0_usize..4_000_000, Just(BYTES), Just(1)];
    let age = Duration::from_hours(10);
    (messages, bytes).prop_map(move |(messages, bytes)| Bounds { messages, age, bytes })
}

proptest! {
    #![proptest_config(Config { cases: 60, failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_is_read_is_what_a_list_of_everything_would_give(
        lengths in prop_oneof![vec(1_usize..40, 0..2500), vec(1_usize..3000, 0..1500)],
        bounds in bounds(),
        piece in (1_usize..1200, 1_usize..2_000_000),
        steps in vec(step(), 1..40),
    ) {
        let mut scene = Scene::new(&lengths, bounds, piece);
        for step in steps {
            scene.take(&step);
        }
    }
}

/// A channel, and all that was ever said on it.
struct Scene {
    channel: Channel,
    said: Vec<Stored>,
    forgotten: usize,
    bounds: Bounds,
    piece: (usize, usize),
    now: Instant,
}

impl Scene {
    fn new(lengths: &[usize], bounds: Bounds, piece: (usize, usize)) -> Self {
        let policy = Policy { history: bounds, durable: true, ..line_policy() };
        let name = ChannelName::root();
        let channel = Channel::new(LINE, &name, &Arc::new(policy), (position(0), 1));
        let now = Instant::now();
        let mut scene = Self { channel, said: Vec::new(), forgotten: 0, bounds, piece, now };
        for length in lengths {
            scene.say(*length);
        }
        let loaded = scene.load(bounds, None);
        let kept = loaded.kept.into_iter().map(|stored| scene.publication(stored)).collect();
        scene.channel.state().restore(loaded.last, kept, bottom(loaded.is_whole));
        scene
    }

    fn say(&mut self, length: usize) {
        let position = position(self.said.len() as u64 + 1);
        let (sender, plain) = (String::new(), Bytes::from(vec![b'1'; length]));
        self.said.push(Stored { position, sender, at: NOW, plain, retry: None });
    }

    fn publication(&self, stored: Stored) -> Publication {
        let Stored { position, plain, .. } = stored;
        Publication { position, sender: "".into(), at: self.now, plain }
    }

    fn load(&self, bounds: Bounds, below: Option<u64>) -> Loaded {
        let window = Window { bounds, now: NOW, below, piece: self.piece, greets: false };
        let last = position(self.said.len() as u64);
        let below = below.map_or(self.said.len(), |below| below as usize - 1);
        let rows = self.said[self.forgotten.min(below)..below].iter().rev();
        let rows = rows.take(self.piece.0 + 1).cloned().map(Ok::<_, ()>);
        Loaded::of(last, &window, rows).unwrap()
    }

    /// The offsets that are kept: from, and to behind.
    fn kept(&self) -> (u64, u64) {
        let (mut count, mut bytes, mut first) = (0, 0, self.said.len());
        while first > self.forgotten {
            bytes += self.said[first - 1].plain.len();
            count += 1;
            if count > self.bounds.messages || bytes > self.bounds.bytes {
                break;
            }
            first -= 1;
        }
        (first as u64 + 1, self.said.len() as u64 + 1)
    }

    fn reach(&self, reach: Reach) {
        for _ in 0..10_000 {
            let Some(lack) = self.channel.lacks(reach) else { return };
            let loaded = self.load(lack.bounds, Some(lack.below));
            let older = loaded.kept.into_iter().map(|stored| self.publication(stored)).collect();
            self.channel.deepen(lack.below, older, bottom(loaded.is_whole));
        }
        panic!("it is read for ever");
    }

    fn take(&mut self, step: &Step) {
        let (first, end) = self.kept();
        match *step {
            Step::Post(length) => {
                self.say(length);
                let stored = self.said.last().unwrap().clone();
                let publication = Arc::new(self.publication(stored));
                self.channel.state().record(publication);
            }
            Step::Minute => {
                let later = self.now + Duration::from_mins(2);
                let mut state = self.channel.state();
                state.recent.trim(later);
                let kept = (state.recent.len(), state.recent.bytes());
                assert!(kept.0 <= MESSAGES && (kept.1 <= BYTES || kept.0 == 1), "{kept:?}");
            }
            Step::Since(since, limit) => {
                let from = From::Since(Since { position: Some(position(since)), users: None });
                self.reach(Reach::From(from));
                let (start, kept) = self.channel.kept(from, limit);
                let is_gap = since + 1 < first || since >= end;
                assert_eq!(start.gap.map(|gap| gap.next.offset), is_gap.then_some(first));
                let begin = if is_gap { first } else { since + 1 };
                assert!(offsets(&kept).eq((begin..end).take(limit)), "since {since} of {first}..");
            }
            Step::Before(before, limit) => {
                self.reach(Reach::Before(position(before), limit));
                let (start, kept, more) = self.channel.kept_before(position(before), limit);
                let is_gap = before > end || (before > 1 && before <= first);
                assert_eq!(start.gap.map(|gap| gap.next.offset), is_gap.then_some(first));
                let all = first..before.min(end).max(first);
                assert_eq!(more, all.clone().count() > limit, "before {before} of {first}..");
                assert!(offsets(&kept).eq(all.rev().take(limit)), "before {before} of {first}..");
            }
            Step::Newest(count) => {
                self.reach(Reach::From(From::Newest(count)));
                let (start, kept) = self.channel.kept(From::Newest(count), usize::MAX);
                assert!(start.gap.is_none());
                let begin = first.max(end.saturating_sub(count as u64));
                assert!(offsets(&kept).eq(begin..end), "the newest {count} of {first}..");
            }
            Step::Forget => {
                self.forgotten = self.said.len();
                self.channel.forget(Some(end - 1));
            }
        }
    }
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::from_random(5), offset }
}

fn offsets(kept: &[Arc<Publication>]) -> impl Iterator<Item = u64> {
    kept.iter().map(|publication| publication.position.offset)
}

fn bottom(is_whole: bool) -> Bottom {
    if is_whole { Bottom::Nothing } else { Bottom::More }
}
