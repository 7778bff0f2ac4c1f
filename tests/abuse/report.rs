//! The table.

use std::fmt::Write;
use std::time::Duration;

use crate::beside::Verdict;
use crate::run::{ALLOWANCE, Scale};

/// What is wanted (robustness.md R1 and R2).
const P99: Duration = Duration::from_millis(250);
const MEMORY: usize = 1_310_720;

/// What came of one kind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) kind: &'static str,
    pub(crate) abusers: usize,
    /// How many of them were at it at once.
    pub(crate) came: usize,
    /// Of those who behave; none where it did not come to that.
    pub(crate) verdict: Option<Verdict>,
    /// Bytes an abuser, at the worst moment.
    pub(crate) memory: usize,
    /// When the last one was gone, if it was.
    pub(crate) gone: Option<Duration>,
    /// When it should have been.
    pub(crate) limit: Duration,
}

impl Outcome {
    /// One that came to no end.
    pub(crate) fn failed(kind: &'static str) -> Self {
        let (abusers, came, memory) = (0, 0, 0);
        Self { kind, abusers, came, verdict: None, memory, gone: None, limit: Duration::ZERO }
    }

    /// What is not met, in words.
    fn misses(&self) -> Vec<String> {
        let Some(verdict) = &self.verdict else {
            return vec!["it came to no end".to_owned()];
        };
        let mut misses = Vec::new();
        let is_late = |time: Option<Duration>| time.is_none_or(|time| time > P99);
        if is_late(verdict.latency.map(|latency| latency.p99)) || is_late(verdict.answer) {
            misses.push("p99".to_owned());
        }
        if !verdict.faults.is_none() {
            misses.push(format!("{:?}", verdict.faults));
        }
        if verdict.faults.refused > 0 {
            misses.push(format!("{} posts refused", verdict.faults.refused));
        }
        if let Some(error) = verdict.errors.first() {
            misses.push(format!("{} errors, such as {error}", verdict.errors.len()));
        }
        if self.memory > MEMORY {
            misses.push("memory".to_owned());
        }
        if self.gone.is_none_or(|gone| gone > self.limit + ALLOWANCE) {
            misses.push("deadline".to_owned());
        }
        if self.came < self.abusers {
            misses.push(format!("only {} abusers at once", self.came));
        }
        misses
    }

    /// Whether all is as it is wanted.
    pub(crate) fn is_met(&self) -> bool {
        self.misses().is_empty()
    }

    fn cells(&self) -> [String; COLUMNS] {
        let misses = self.misses();
        let met = if misses.is_empty() {
            "met".to_owned()
        } else {
            format!("NOT MET: {}", misses.join(", "))
        };
        let ms = |time: Option<Duration>| {
            time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e3))
        };
        let verdict = self.verdict.as_ref();
        let latency = verdict.and_then(|verdict| verdict.latency);
        let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let errors = verdict.map(|it| it.errors.len() as u64 + it.faults.refused);
        let losses = verdict.map(|it| {
            let faults = it.faults;
            faults.lost + faults.reordered + faults.repeated + faults.altered
        });
        [
            self.kind.to_owned(),
            self.came.to_string(),
            count(verdict.map(|verdict| verdict.posts as u64)),
            ms(latency.map(|latency| latency.p50)),
            ms(latency.map(|latency| latency.p99)),
            ms(verdict.and_then(|verdict| verdict.answer)),
            count(errors),
            count(losses),
            format!("{:.1}", self.memory as f64 / 1024.0),
            self.gone
                .map_or_else(|| "never".to_owned(), |gone| format!("{:.1}", gone.as_secs_f64())),
            format!("{:.0}", self.limit.as_secs_f64()),
            met,
        ]
    }
}

const COLUMNS: usize = 12;

const HEADINGS: [&str; COLUMNS] = [
    "kind", "abusers", "posts", "p50 ms", "p99 ms", "post p99", "errors", "losses", "KiB each",
    "gone, s", "limit, s", "",
];

/// All outcomes in plain text.
pub(crate) fn table(outcomes: &[Outcome], scale: &Scale, others: f64) -> String {
    let mut cells = vec![HEADINGS.map(str::to_owned)];
    cells.extend(outcomes.iter().map(Outcome::cells));
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        cells.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });
    let mut text = String::from("\n");
    for line in &cells {
        let mut row = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 => write!(row, "{cell:<width$}  "),
                11 => write!(row, "{cell}"),
                _ => write!(row, "{cell:>width$}  "),
            };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "\n{} abusers beside 50 subscribers and 4 posters. Wanted: p99 of deliveries and of posts at \
         most {} ms, no errors,\nno losses, at most {} KiB of memory an abuser, and the last one gone \
         within its limit and {} s, in which all\ncome, and those who do not read fill the kernel's \
         buffers.",
        scale.abusers,
        P99.as_millis(),
        MEMORY / 1024,
        ALLOWANCE.as_secs(),
    );
    let quiet = if others < 0.1 { "quiet" } else { "NOT QUIET: times are unsteady" };
    let _ = writeln!(text, "other processes kept {others:.2} CPUs busy: {quiet}");
    text
}
