//! A thousand abusers of a kind at once, beside fifty subscribers and their posters.
//!
//! Each kind has a gateway of its own, with the deadlines it ships with. It is asked of all that
//! those who behave get everything, in order and soon; that an abuser costs no more memory than an
//! outbox and a little; and that the last of them is gone when its deadline says so. How long is
//! counted from when all have begun; those that do not read may first fill the kernel's buffers.
//!
//! ```text
//! abuse [KIND…] [--quick]
//! ```
//!
//! `--quick` has a hundred abusers and deadlines of a few seconds. Without names all kinds run. The
//! exit code is 1 if something is not met. The gateway is the binary that Cargo built beside us, or
//! the one that `BENCH_GATEWAY` names.
#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "counts and clocks become figures here; an index out of range is our own bug, and loud"
)]

mod abuser;
mod beside;
mod kind;
mod proc;
mod report;
mod run;

/// What the benchmark has already; not all of it is of use here.
macro_rules! of_the_benchmark {
    ($($name:ident $path:literal),+ $(,)?) => {$(
        #[allow(dead_code, reason = "the benchmark uses the rest")]
        #[path = $path]
        mod $name;
    )+};
}

of_the_benchmark! {
    frames "../bench/frames.rs",
    gateway "../bench/gateway.rs",
    http "../bench/http.rs",
    lanes "../bench/lanes.rs",
    ledger "../bench/ledger.rs",
    link "../bench/link.rs",
    login "../bench/login.rs",
    machine "../bench/machine.rs",
    process "../bench/process.rs",
}

use std::process::ExitCode;

use kind::{ALL, Kind};
use report::Outcome;
use run::Scale;

fn main() -> ExitCode {
    let (kinds, scale) = match arguments() {
        Ok(asked) => asked,
        Err(problem) => {
            eprintln!("abuse: {problem}\n\nabuse [KIND…] [--quick]\n");
            for kind in &ALL {
                eprintln!("  {:<14} {}", kind.name, kind.about);
            }
            return ExitCode::from(2);
        }
    };
    machine::raise_descriptors();
    machine::pin_load();
    let others = machine::Others::watch();
    let mut outcomes = Vec::new();
    for kind in kinds {
        eprintln!("abuse: {} — {}", kind.name, kind.about);
        match run::run(kind, &scale) {
            Ok(outcome) => outcomes.push(outcome),
            Err(problem) => {
                eprintln!("abuse: {}: {problem}", kind.name);
                outcomes.push(Outcome::failed(kind.name));
            }
        }
    }
    print!("{}", report::table(&outcomes, &scale, others.cpus()));
    if outcomes.iter().all(Outcome::is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments() -> Result<(Vec<&'static Kind>, Scale), String> {
    let mut named = Vec::new();
    let mut scale = Scale::WHOLE;
    for word in std::env::args().skip(1) {
        match word.as_str() {
            // `cargo bench` adds it.
            "--bench" => {}
            "--quick" => scale = Scale::QUICK,
            name => match ALL.iter().find(|kind| kind.name == name) {
                Some(kind) => named.push(kind),
                None => return Err(format!("no kind or option `{name}`")),
            },
        }
    }
    Ok((if named.is_empty() { ALL.iter().collect() } else { named }, scale))
}
