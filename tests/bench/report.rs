//! The report: a table for people, the same as JSON for machines.

use std::fmt::Write;

use serde_json::json;

use crate::ledger::Faults;
use crate::row::Row;

/// Everything that was measured, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// Scenarios that came to no end, and servers that died.
    pub(crate) failures: Vec<String>,
    /// CPUs that other processes kept busy meanwhile.
    pub(crate) others: f64,
}

impl Report {
    /// Whether nothing was lost, reordered, repeated or altered, and no server died. Speed is no
    /// part of it.
    pub(crate) fn is_sound(&self) -> bool {
        let faults = self.rows.iter().flat_map(|row| row.faults);
        self.failures.is_empty() && faults.into_iter().all(|faults| faults.is_none())
    }

    /// The table in plain text.
    pub(crate) fn table(&self) -> String {
        let mut cells = vec![HEADINGS.map(str::to_owned)];
        cells.extend(self.rows.iter().map(line));
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            cells.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
        });
        let mut text = String::from("\n");
        for line in &cells {
            let mut row = String::new();
            for (column, cell) in line.iter().enumerate() {
                let width = widths[column];
                // Words to the left, numbers to the right.
                let _ = match column {
                    0 | 1 | 6 => write!(row, "{cell:<width$}  "),
                    _ => write!(row, "{cell:>width$}  "),
                };
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text.push_str(NOTES);
        let quiet = if self.others < 0.1 { "quiet" } else { "NOT QUIET: figures are unsteady" };
        let _ = writeln!(text, "other processes kept {:.2} CPUs busy: {quiet}", self.others);
        for failure in &self.failures {
            let _ = writeln!(text, "FAILED {}", failure.trim_end());
        }
        text
    }

    /// The same as JSON.
    pub(crate) fn json(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(Row::json).collect();
        let whole = json!({
            "sound": self.is_sound(), "rows": rows,
            "failures": self.failures, "others": self.others,
        });
        format!("{whole:#}\n")
    }
}

const COLUMNS: usize = 10;

const HEADINGS: [&str; COLUMNS] = [
    "scenario",
    "figure",
    "floor",
    "gateway",
    "ratio",
    "goal",
    "met",
    "faults f/g",
    "p50/p99 floor",
    "p50/p99 gw",
];

const NOTES: &str = "\nratio: median over the rounds of gateway / floor. faults: lost + reordered + \
repeated + altered, floor/gateway; must be 0/0. latency in ms.\n";

fn line(row: &Row) -> [String; COLUMNS] {
    [
        row.scenario.to_owned(),
        format!("{}, {}", row.figure, row.unit),
        number(row.floor),
        number(row.gateway),
        row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        row.goal_text(),
        row.is_met().map_or("-", |met| if met { "met" } else { "NOT MET" }).to_owned(),
        row.faults.map(faults).join("/"),
        format!("{}/{}", number(row.latency[0]), number(row.latency[1])),
        format!("{}/{}", number(row.latency[2]), number(row.latency[3])),
    ]
}

/// The sum where it is nothing, the parts where it is not.
fn faults(faults: Faults) -> String {
    let Faults { lost, reordered, repeated, altered, refused } = faults;
    let mut text = if faults.is_none() {
        "0".to_owned()
    } else {
        format!("(lost {lost} reordered {reordered} repeated {repeated} altered {altered})")
    };
    if refused > 0 {
        let _ = write!(text, "(refused {refused})");
    }
    text
}

/// Three figures that count.
fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}
