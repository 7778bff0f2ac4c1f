//! Numbers that are raised while others work, and read when somebody asks.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The bounds of a [`Timing`] in microseconds: 50 µs to 10 s.
pub(super) const BOUNDS: [u32; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// A label with a table of values.
pub trait Label: Copy + Eq + 'static {
    /// Its values.
    const ALL: &'static [Self];

    /// A value as it is scraped.
    fn text(self) -> Cow<'static, str>;
}

/// One or two labels that a count is kept by.
pub trait Labels: Copy {
    /// How many values, or pairs of values, there are.
    const COUNT: usize;

    /// The number of this one, below [`Self::COUNT`].
    fn place(self) -> usize;

    /// The texts of the one with that number.
    fn texts(place: usize) -> Values;
}

impl<L: Label> Labels for L {
    const COUNT: usize = L::ALL.len();

    fn place(self) -> usize {
        // What is in no table is counted nowhere.
        Self::ALL.iter().position(|value| *value == self).unwrap_or(usize::MAX)
    }

    fn texts(place: usize) -> Values {
        Self::ALL.get(place).map(|value| value.text()).into_iter().collect()
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;

    fn place(self) -> usize {
        self.0.place().saturating_mul(B::COUNT).saturating_add(self.1.place())
    }

    fn texts(place: usize) -> Values {
        let (first, second) = (A::texts(place / B::COUNT), B::texts(place % B::COUNT));
        first.into_iter().chain(second).collect()
    }
}

/// What is told of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// How many.
    Whole(u64),
    /// How long, or when.
    Seconds(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(wide(number))
    }
}

impl From<Duration> for Number {
    fn from(time: Duration) -> Self {
        Self::Seconds(time.as_secs_f64())
    }
}

/// The values of the labels of a metric, in their order.
pub type Values = Vec<Cow<'static, str>>;

/// One number of a metric.
pub type Sample = (Values, Number);

/// Counts of one metric.
pub trait Counts {
    /// All of them, always in the same order.
    fn numbers(&self) -> Vec<(Values, u64)>;
}

/// A number that goes up, and down if what it counts can end.
pub trait Tally: Default {
    /// Raises it by `more`.
    fn add(&self, more: usize);

    /// Lowers it by `less`.
    fn sub(&self, less: usize);

    /// What it is now.
    fn get(&self) -> u64;
}

/// A number that any thread may change.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

/// A number that one thread changes and others read: no more than a plain addition.
#[derive(Debug, Default)]
pub struct Own(AtomicU64);

impl Tally for Count {
    fn add(&self, more: usize) {
        self.0.fetch_add(wide(more), Ordering::Relaxed);
    }

    fn sub(&self, less: usize) {
        self.0.fetch_sub(wide(less), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally for Own {
    fn add(&self, more: usize) {
        self.0.store(self.get().wrapping_add(wide(more)), Ordering::Relaxed);
    }

    fn sub(&self, less: usize) {
        self.0.store(self.get().wrapping_sub(wide(less)), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Counts for Count {
    fn numbers(&self) -> Vec<(Values, u64)> {
        vec![(Vec::new(), self.get())]
    }
}

impl Counts for Own {
    fn numbers(&self) -> Vec<(Values, u64)> {
        vec![(Vec::new(), self.get())]
    }
}

/// A number for each value of `L`, of which there are `N`.
pub struct By<L, const N: usize, C = Count> {
    counts: [C; N],
    labels: PhantomData<fn(L)>,
}

impl<L: Labels, const N: usize, C: Tally> By<L, N, C> {
    /// Raises the number of `labels`.
    pub fn add(&self, labels: L, more: usize) {
        if let Some(count) = self.counts.get(labels.place()) {
            count.add(more);
        }
    }

    /// Lowers the number of `labels`.
    pub fn sub(&self, labels: L, less: usize) {
        if let Some(count) = self.counts.get(labels.place()) {
            count.sub(less);
        }
    }

    /// The number of `labels`.
    pub fn get(&self, labels: L) -> u64 {
        self.counts.get(labels.place()).map_or(0, C::get)
    }
}

impl<L: Labels, const N: usize, C: Tally> Default for By<L, N, C> {
    fn default() -> Self {
        const { assert!(N == L::COUNT, "a number for each value") };
        Self { counts: std::array::from_fn(|_| C::default()), labels: PhantomData }
    }
}

impl<L: Labels, const N: usize, C: Tally> Counts for By<L, N, C> {
    fn numbers(&self) -> Vec<(Values, u64)> {
        let numbers = self.counts.iter().map(C::get);
        numbers.enumerate().map(|(place, number)| (L::texts(place), number)).collect()
    }
}

impl<L, const N: usize, C: fmt::Debug> fmt::Debug for By<L, N, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.fmt(f)
    }
}

/// How long something took, each time, as one thread saw it.
#[derive(Debug, Default)]
pub struct Timing {
    /// One for each of [`BOUNDS`], and one for all that is longer.
    buckets: [Own; BOUNDS.len() + 1],
    nanos: Own,
}

impl Timing {
    /// Notes one that took `time`.
    pub fn observe(&self, time: Duration) {
        let micros = time.as_micros();
        let place = BOUNDS.iter().position(|bound| micros <= u128::from(*bound));
        if let Some(bucket) = self.buckets.get(place.unwrap_or(BOUNDS.len())) {
            bucket.add(1);
        }
        self.nanos.add(usize::try_from(time.as_nanos()).unwrap_or(usize::MAX));
    }

    /// How many there were within each bound and above the one before it, and above the last.
    pub(super) fn buckets(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().map(Own::get)
    }

    /// How long all of them took together.
    pub(super) fn time(&self) -> Duration {
        Duration::from_nanos(self.nanos.get())
    }
}

/// Something to count in for every thread, so that none waits for the cache line of another.
#[derive(Debug)]
pub struct Sharded<T>(Box<[Padded<T>]>);

/// Alone on its cache lines, of which processors fetch two at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T: Default> Default for Sharded<T> {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // Threads of tokio and workers: two a core.
        Self((0..(2 * cores).clamp(2, 64)).map(|_| Padded::default()).collect())
    }
}

impl<T> Sharded<T> {
    /// The place of this thread. With more threads than places some share one.
    ///
    /// # Panics
    /// Never: the remainder of a division is below the divisor, and there are two places at least.
    pub fn mine(&self) -> &T {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        let place = NUMBER.with(|number| number % self.0.len());
        &self.0.get(place).expect("a remainder is below its divisor").0
    }

    /// All places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &padded.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Fruit {
        Fig,
        Plum,
        /// On no page.
        Lemon,
    }

    impl Label for Fruit {
        const ALL: &'static [Self] = &[Self::Fig, Self::Plum];

        fn text(self) -> Cow<'static, str> {
            format!("{self:?}").into()
        }
    }

    #[test]
    fn each_pair_of_values_has_a_number_of_its_own() {
        let by: By<(Fruit, Fruit), 4> = By::default();
        by.add((Fruit::Fig, Fruit::Plum), 2);
        by.add((Fruit::Plum, Fruit::Fig), 3);
        by.add((Fruit::Lemon, Fruit::Fig), 9);
        by.add((Fruit::Fig, Fruit::Lemon), 9);
        assert_eq!(by.get((Fruit::Fig, Fruit::Plum)), 2);
        let told: Vec<_> =
            by.numbers().into_iter().map(|(values, number)| (values.join(" "), number)).collect();
        let expected = [("Fig Fig", 0), ("Fig Plum", 2), ("Plum Fig", 3), ("Plum Plum", 0)];
        assert_eq!(told, expected.map(|(values, number)| (values.to_owned(), number)));
    }

    #[test]
    fn a_time_is_counted_in_the_first_bucket_that_holds_it() {
        let timing = Timing::default();
        for micros in [0, 50, 51, 10_000_000, 10_000_001] {
            timing.observe(Duration::from_micros(micros));
        }
        let buckets: Vec<_> = timing.buckets().collect();
        assert_eq!((buckets[0], buckets[1], buckets[16], buckets[17]), (2, 1, 1, 1));
        assert_eq!(timing.time(), Duration::from_micros(20_000_102));
    }

    #[test]
    fn what_threads_count_apart_is_one_sum() {
        let counts: Sharded<Count> = Sharded::default();
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| counts.mine().add(1));
            }
        });
        assert_eq!(counts.iter().map(Count::get).sum::<u64>(), 100);
    }
}
