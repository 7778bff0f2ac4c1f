//! The command line.

use std::fmt::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::scenarios;

/// What this process is asked to be.
#[derive(Debug)]
pub(crate) enum Mode {
    /// The floor server, as the benchmark starts it beside the gateway; with a folder, one that keeps
    /// posts there.
    Floor(Option<PathBuf>),
    /// Somebody who wants to know the words.
    Help,
    /// The load and the report.
    Measure(Arguments),
}

/// What to measure, and how thoroughly.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// Names of scenarios; empty means all.
    pub(crate) scenarios: Vec<String>,
    /// One short round in place of three whole ones.
    pub(crate) quick: bool,
    /// Rounds of each measurement, where not three.
    pub(crate) rounds: Option<NonZeroU32>,
    /// A second floor in place of the gateway.
    pub(crate) self_check: bool,
    /// Another gateway in place of the floor, such as one of before a change.
    pub(crate) against: Option<PathBuf>,
    /// Where the report goes as JSON, besides the table.
    pub(crate) json: Option<PathBuf>,
}

impl Arguments {
    /// Reads the command line. `--bench`, which `cargo bench` adds, means nothing.
    pub(crate) fn from_command_line() -> Result<Mode, String> {
        let mut arguments = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "floor" => return Ok(Mode::Floor(words.next().map(PathBuf::from))),
                "--help" | "-h" => return Ok(Mode::Help),
                "--bench" => {}
                "--quick" => arguments.quick = true,
                "--rounds" => {
                    let count = words.next().and_then(|count| count.parse().ok());
                    arguments.rounds = Some(count.ok_or("--rounds needs a count")?);
                }
                "--self-check" => arguments.self_check = true,
                "--against" => {
                    let binary = words.next().ok_or("--against needs the binary of a gateway")?;
                    arguments.against = Some(binary.into());
                }
                "--json" => {
                    let file = words.next().ok_or("--json needs a file")?;
                    arguments.json = Some(file.into());
                }
                name if scenarios::ALL.iter().any(|scenario| scenario.name == name) => {
                    arguments.scenarios.push(word);
                }
                _ => return Err(format!("no scenario or option `{word}`")),
            }
        }
        Ok(Mode::Measure(arguments))
    }

    /// Whether `scenario` is to run.
    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == scenario)
    }
}

/// The help text, with a line for each scenario.
pub(crate) fn usage() -> String {
    let mut text = String::from(
        "bench [SCENARIO…] [--quick] [--rounds N] [--self-check | --against BINARY] [--json FILE]\n",
    );
    for scenario in scenarios::ALL {
        let _ = write!(text, "\n  {:<12} {}", scenario.name, scenario.about);
    }
    text
}
