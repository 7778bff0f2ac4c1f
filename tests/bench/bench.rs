//! The benchmark: what a delivery, a join, a post and an idle connection cost, beside the floor.
//!
//! The *floor* (`floor.rs`) is the least a server can do: one thread, one `send` a subscriber. Floor
//! and gateway run on one CPU, the load on another, and each figure is a ratio between the two taken
//! in one run, since absolute figures move with the machine. Every delivery is verified
//! (`ledger.rs`); the exit code speaks of correctness only, never of speed.
//!
//! ```text
//! bench [SCENARIO…] [--quick] [--rounds N] [--self-check | --against BINARY] [--json FILE]
//! ```
//!
//! The floor of durable posts is another: a bare loop through SQLite (`commits.rs`), on the disk that
//! `BENCH_DISK` names a folder of; and beside it the floor server with that loop in it (`keeper.rs`).
//!
//! Without names all scenarios run (`scenarios` lists them). `--self-check` measures the floor
//! against the floor: ratios near 1.00 say that the measuring is sound. On a machine that is not quiet
//! more rounds help (`--rounds 7`). `--against BINARY` puts another gateway in the place of the floor,
//! to see what a change does: goals mean nothing then. The gateway is the binary
//! that Cargo built beside us, or the one that `BENCH_GATEWAY` names.
#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "counts and clocks become ratios here; an index out of range is our own bug, and loud"
)]

mod arguments;
mod churn;
mod commits;
mod disk;
mod floor;
mod frames;
mod gateway;
mod http;
mod idle;
mod keeper;
mod lanes;
mod ledger;
mod link;
mod login;
mod machine;
mod posters;
mod process;
mod report;
mod room;
mod row;
mod scenarios;
mod syncs;
mod usage;

use std::process::ExitCode;

use arguments::{Arguments, Mode};

fn main() -> ExitCode {
    let outcome = match Arguments::from_command_line() {
        Ok(Mode::Floor(kept)) => floor::serve(kept.as_deref()).map(|()| ExitCode::SUCCESS),
        Ok(Mode::Help) => {
            println!("{}", arguments::usage());
            Ok(ExitCode::SUCCESS)
        }
        Ok(Mode::Measure(arguments)) => measure(&arguments),
        Err(problem) => {
            eprintln!("bench: {problem}\n\n{}", arguments::usage());
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|problem| {
        eprintln!("bench: {problem}");
        ExitCode::from(2)
    })
}

/// Runs what was asked for, prints the table, and tells whether anything was wrong.
fn measure(arguments: &Arguments) -> std::io::Result<ExitCode> {
    machine::raise_descriptors();
    machine::pin_load();
    let report = scenarios::run(arguments);
    print!("{}", report.table());
    if let Some(path) = &arguments.json {
        std::fs::write(path, report.json())?;
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
