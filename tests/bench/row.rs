//! One figure of the table: what floor and gateway measured, and what we are after.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ledger::{Faults, Latency};

/// What is asked of a figure: the column "first step" of `figures.md`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Nothing: the figure is there to read.
    None,
    /// The ratio to the floor is at most this.
    RatioAtMost(f64),
    /// The ratio to the floor is at least this.
    RatioAtLeast(f64),
    /// The gateway's own value is at most this.
    AtMost(f64),
}

/// What one server did in one turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// CPU time of the server's process in nanoseconds.
    pub(crate) cpu: u64,
    /// Deliveries, cycles or posts.
    pub(crate) units: u64,
    pub(crate) wall: Duration,
    pub(crate) faults: Faults,
    pub(crate) latency: Option<Latency>,
}

impl Turn {
    /// Microseconds of CPU for one unit.
    pub(crate) fn us_per_unit(&self) -> f64 {
        self.cpu as f64 / 1e3 / self.units as f64
    }

    /// Thousands of units for one second of CPU.
    pub(crate) fn k_per_cpu_second(&self) -> f64 {
        self.units as f64 / self.cpu as f64 * 1e6
    }

    /// Thousands of units in a second as it passed.
    pub(crate) fn k_per_second(&self) -> f64 {
        self.units as f64 / self.wall.as_secs_f64() / 1e3
    }

    /// The 99th percentile of the latency in milliseconds.
    pub(crate) fn p99_ms(&self) -> f64 {
        self.latency.map_or(f64::NAN, |latency| latency.p99.as_secs_f64() * 1e3)
    }

    /// The median of the latency in milliseconds.
    pub(crate) fn p50_ms(&self) -> f64 {
        self.latency.map_or(f64::NAN, |latency| latency.p50.as_secs_f64() * 1e3)
    }
}

/// The turns of both servers, round by round.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    pub(crate) floor: Vec<Turn>,
    pub(crate) gateway: Vec<Turn>,
}

impl Rounds {
    /// A row for the figure that `read` takes from a turn: medians, and the median of the ratios
    /// round by round, which need not be the ratio of the medians.
    pub(crate) fn row(
        &self,
        figure: &str,
        unit: &'static str,
        goal: Goal,
        read: impl Fn(&Turn) -> f64,
    ) -> Row {
        let both = self.floor.iter().zip(&self.gateway);
        let mut row = Row::new(figure, unit, goal);
        row.floor = median(self.floor.iter().map(&read));
        row.gateway = median(self.gateway.iter().map(&read));
        row.ratio = median(both.map(|(floor, gateway)| read(gateway) / read(floor)));
        row.faults = self.faults();
        row.latency = [
            median(self.floor.iter().map(Turn::p50_ms)),
            median(self.floor.iter().map(Turn::p99_ms)),
            median(self.gateway.iter().map(Turn::p50_ms)),
            median(self.gateway.iter().map(Turn::p99_ms)),
        ];
        row
    }

    fn faults(&self) -> [Faults; 2] {
        [&self.floor, &self.gateway].map(|turns| {
            let mut all = Faults::default();
            for turn in turns {
                all += turn.faults;
            }
            all
        })
    }
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// Filled in by who runs the scenario.
    pub(crate) scenario: &'static str,
    pub(crate) figure: String,
    pub(crate) unit: &'static str,
    pub(crate) floor: Option<f64>,
    pub(crate) gateway: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Goal,
    /// Of the floor and of the gateway, all rounds together.
    pub(crate) faults: [Faults; 2],
    /// Floor p50 and p99, gateway p50 and p99, in milliseconds.
    pub(crate) latency: [Option<f64>; 4],
}

impl Row {
    /// A row without values.
    pub(crate) fn new(figure: &str, unit: &'static str, goal: Goal) -> Self {
        Self {
            scenario: "",
            figure: figure.to_owned(),
            unit,
            floor: None,
            gateway: None,
            ratio: None,
            goal,
            faults: [Faults::default(); 2],
            latency: [None; 4],
        }
    }

    /// A row with the given values, and their ratio where both are there.
    pub(crate) fn with(mut self, floor: Option<f64>, gateway: Option<f64>) -> Self {
        self.floor = floor;
        self.gateway = gateway;
        self.ratio = gateway.zip(floor).map(|(gateway, floor)| gateway / floor);
        self
    }

    /// Whether the goal is met; `None` where there is none, or no value.
    pub(crate) fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::None => None,
            Goal::RatioAtMost(bound) => Some(self.ratio? <= bound),
            Goal::RatioAtLeast(bound) => Some(self.ratio? >= bound),
            Goal::AtMost(bound) => Some(self.gateway? <= bound),
        }
    }

    /// The goal in words.
    pub(crate) fn goal_text(&self) -> String {
        match self.goal {
            Goal::None => "-".to_owned(),
            Goal::RatioAtMost(bound) => format!("<= {bound} x"),
            Goal::RatioAtLeast(bound) => format!(">= {bound} x"),
            Goal::AtMost(bound) => format!("<= {bound}"),
        }
    }

    /// The row as an object.
    pub(crate) fn json(&self) -> Value {
        let faults = self.faults.map(|faults| {
            json!({
                "lost": faults.lost, "reordered": faults.reordered, "repeated": faults.repeated,
                "altered": faults.altered, "refused": faults.refused,
            })
        });
        json!({
            "scenario": self.scenario, "figure": self.figure, "unit": self.unit,
            "floor": self.floor, "gateway": self.gateway, "ratio": self.ratio,
            "goal": self.goal_text(), "met": self.is_met(),
            "faults": {"floor": faults[0], "gateway": faults[1]},
            "latency_ms": {
                "floor": {"p50": self.latency[0], "p99": self.latency[1]},
                "gateway": {"p50": self.latency[2], "p99": self.latency[3]},
            },
        })
    }
}

/// The middle one of the values that are numbers; of an even count the lower of the two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}
