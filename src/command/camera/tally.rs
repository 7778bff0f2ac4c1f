//! What happened, in numbers, and the lines that tell it.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::latency::Latencies;

/// What all cameras of this process have done: since the beginning, and since the last line.
///
/// Writers: each camera. The lock is held for an addition or for a line, never across a wait.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    connected: u64,
    given_up: u64,
    trouble: Option<String>,
    whole: Counts,
    recent: Counts,
}

/// What is counted over a time.
#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    skipped: u64,
    echoes: Latencies,
    echoed: u64,
    others: u64,
    refused: u64,
    reconnected: u64,
}

/// Something that happened to a camera, or that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A connection stands; one after another, if it is not the first of its camera.
    Connected { again: bool },
    /// A connection that stood has ended.
    Disconnected,
    /// The camera does not come back.
    GaveUp,
    /// A position was sent, and so many were left out since it was late.
    Sent { skipped: u64 },
    /// A position came back after so long.
    Echoed(Duration),
    /// A position of another one arrived.
    Other,
    /// The gateway told that it took something not.
    Refused,
}

impl Tally {
    /// Counts `event`.
    pub(crate) fn add(&self, event: Event) {
        self.lock().add(event);
    }

    /// Keeps why a camera is not connected, for the next line.
    pub(crate) fn trouble(&self, why: &str) {
        self.lock().trouble = Some(why.to_owned());
    }

    /// The line of the time since the last one, `cameras` being how many there are.
    pub(crate) fn line(&self, cameras: u16) -> String {
        self.lock().line(cameras)
    }

    /// The line of the whole time, which was `elapsed`.
    pub(crate) fn summary(&self, elapsed: Duration) -> String {
        let line = self.lock().whole.line();
        format!("in {:.1} s {line}", elapsed.as_secs_f64())
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn add(&mut self, event: Event) {
        match event {
            Event::Connected { .. } => {
                self.connected += 1;
                self.trouble = None;
            }
            Event::Disconnected => self.connected = self.connected.saturating_sub(1),
            Event::GaveUp => self.given_up += 1,
            Event::Sent { .. } | Event::Echoed(_) | Event::Other | Event::Refused => {}
        }
        self.whole.add(event);
        self.recent.add(event);
    }

    fn line(&mut self, cameras: u16) -> String {
        let mut line = self.standing(cameras);
        line.push_str(&self.recent.line());
        self.recent.clear();
        let is_short = self.connected.saturating_add(self.given_up) < u64::from(cameras);
        if let Some(trouble) = self.trouble.as_ref().filter(|_| is_short) {
            let _ = write!(line, " [{trouble}]");
        }
        line
    }

    /// How many stand, where there is more than one to speak of or one does not.
    fn standing(&self, cameras: u16) -> String {
        let Self { connected, given_up, .. } = self;
        let mut standing = match cameras {
            1 if *connected == 1 => String::new(),
            1 => "not connected, ".to_owned(),
            _ => format!("{connected} of {cameras} connected, "),
        };
        if *given_up > 0 {
            let _ = write!(standing, "{given_up} given up, ");
        }
        standing
    }
}

impl Counts {
    fn add(&mut self, event: Event) {
        match event {
            Event::Connected { again } => self.reconnected += u64::from(again),
            Event::Disconnected | Event::GaveUp => {}
            Event::Sent { skipped } => {
                self.sent += 1;
                self.skipped += skipped;
            }
            Event::Echoed(took) => {
                self.echoed += 1;
                self.echoes.add(took);
            }
            Event::Other => self.others += 1,
            Event::Refused => self.refused += 1,
        }
    }

    /// Begins anew, without making a histogram anew.
    fn clear(&mut self) {
        let mut echoes = std::mem::take(&mut self.echoes);
        echoes.clear();
        *self = Self { echoes, ..Self::default() };
    }

    fn line(&self) -> String {
        let mut line = format!("sent {}, echoed {}", self.sent, self.echoed);
        if let (Some(half), Some(most)) = (self.echoes.percentile(50), self.echoes.percentile(99)) {
            let _ = write!(line, " (p50 {}, p99 {})", millis(half), millis(most));
        }
        let _ = write!(line, ", others {}", self.others);
        let rare = [
            ("skipped", self.skipped),
            ("refused", self.refused),
            ("reconnected", self.reconnected),
        ];
        for (name, count) in rare.into_iter().filter(|(_, count)| *count > 0) {
            let _ = write!(line, ", {name} {count}");
        }
        line
    }
}

fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_its_second_and_the_summary_of_all() {
        let tally = Tally::default();
        tally.add(Event::Connected { again: false });
        for _ in 0..10 {
            tally.add(Event::Sent { skipped: 0 });
            tally.add(Event::Echoed(Duration::from_micros(400)));
        }
        tally.add(Event::Other);
        assert_eq!(tally.line(1), "sent 10, echoed 10 (p50 0.4 ms, p99 0.4 ms), others 1");
        assert_eq!(tally.line(1), "sent 0, echoed 0, others 0");
        tally.add(Event::Sent { skipped: 2 });
        assert_eq!(tally.line(1), "sent 1, echoed 0, others 0, skipped 2");
        assert_eq!(
            tally.summary(Duration::from_millis(1234)),
            "in 1.2 s sent 11, echoed 10 (p50 0.4 ms, p99 0.4 ms), others 1, skipped 2"
        );
    }

    #[test]
    fn who_is_missing_is_told_and_why() {
        let tally = Tally::default();
        tally.trouble("draining");
        assert_eq!(tally.line(1), "not connected, sent 0, echoed 0, others 0 [draining]");
        tally.add(Event::Connected { again: true });
        tally.add(Event::Connected { again: false });
        let line = tally.line(3);
        assert_eq!(line, "2 of 3 connected, sent 0, echoed 0, others 0, reconnected 1");
        tally.add(Event::Disconnected);
        tally.add(Event::GaveUp);
        tally.trouble("silence");
        let line = tally.line(3);
        assert_eq!(line, "1 of 3 connected, 1 given up, sent 0, echoed 0, others 0 [silence]");
        tally.add(Event::Connected { again: false });
        assert_eq!(tally.line(3), "2 of 3 connected, 1 given up, sent 0, echoed 0, others 0");
    }
}
