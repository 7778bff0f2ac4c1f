//! The list of scenarios, and how each is run on a fresh pair of servers.

mod delivery;
mod durable;
mod memory;
mod presence;
mod traffic;

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::process::Server;
use crate::report::Report;
use crate::row::{Rounds, Row, Turn};
use crate::usage::CpuTime;
use crate::{gateway, machine};

/// Something to measure, by its name on the command line.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    measure: fn(&Pair) -> io::Result<Vec<Row>>,
}

/// All scenarios, in the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "fanout1000",
        about: "1000 subscribers, 50 posts a second: CPU per delivery",
        measure: delivery::fanout_1000,
    },
    Scenario {
        name: "fanout10000",
        about: "10 000 subscribers, 3 posts a second: CPU per delivery, p99",
        measure: delivery::fanout_10_000,
    },
    Scenario {
        name: "bursts",
        about: "1000 subscribers, 10 posts at once on one connection, five times a second",
        measure: delivery::bursts,
    },
    Scenario {
        name: "bursts-apart",
        about: "the same with ten posters, one post each",
        measure: delivery::bursts_apart,
    },
    Scenario {
        name: "saturation",
        about: "1000 subscribers, 4 posts in flight: deliveries per CPU second",
        measure: delivery::saturation,
    },
    Scenario {
        name: "memory-ws",
        about: "10 000 idle WebSocket connections: bytes each, and what is left 30 s after",
        measure: memory::web_sockets,
    },
    Scenario {
        name: "memory-sse",
        about: "2000 idle SSE streams: bytes each (gateway only)",
        measure: memory::sse_streams,
    },
    Scenario {
        name: "memory-poll",
        about: "2000 waiting long polls: bytes each (gateway only)",
        measure: memory::long_polls,
    },
    Scenario {
        name: "churn",
        about: "login, upgrade, close: cycles per CPU second",
        measure: traffic::churn,
    },
    Scenario {
        name: "posts",
        about: "32 keep-alive connections, no subscriber: posts per CPU second",
        measure: traffic::posts,
    },
    Scenario {
        name: "presence",
        about: "CPU of a join with 100 and with 100 000 present (gateway only)",
        measure: presence::joins,
    },
    Scenario {
        name: "durable",
        about: "1, 8 and 64 posters to a durable channel beside a bare loop through SQLite",
        measure: durable::durable,
    },
];

/// The two servers of a scenario, and how thoroughly they are measured.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The floor, or another gateway in its place.
    floor: Server,
    /// The gateway, or a second floor in a self-check.
    gateway: Server,
    quick: bool,
    self_check: bool,
    /// Whether the floor is a gateway.
    is_against: bool,
    rounds: u32,
}

impl Pair {
    fn start(arguments: &Arguments) -> io::Result<Self> {
        let &Arguments { quick, self_check, ref against, .. } = arguments;
        let rounds = arguments.rounds.map_or(if quick { 1 } else { 3 }, NonZeroU32::get);
        let floor = match against {
            Some(binary) => gateway::start_other(binary)?,
            None => Server::floor("floor")?,
        };
        let gateway = if self_check { Server::floor("second floor")? } else { gateway::start()? };
        let is_against = against.is_some();
        Ok(Self { floor, gateway, quick, self_check, is_against, rounds })
    }

    /// Whether `server` knows who is there, so that they have to leave.
    fn is_gateway(&self, server: &Server) -> bool {
        let is_floor = server.id() == self.floor.id();
        if is_floor { self.is_against } else { !self.self_check }
    }

    /// Measures both in turn, round by round, and the other one first in every second round.
    fn rounds(&self, measure: impl Fn(&Server) -> io::Result<Turn>) -> io::Result<Rounds> {
        let mut rounds = Rounds::default();
        for round in 0..self.rounds {
            if round % 2 == 0 {
                rounds.floor.push(measure(&self.floor)?);
                rounds.gateway.push(measure(&self.gateway)?);
            } else {
                rounds.gateway.push(measure(&self.gateway)?);
                rounds.floor.push(measure(&self.floor)?);
            }
        }
        Ok(rounds)
    }

    /// A window of measuring: `whole` seconds, or less when in a hurry.
    fn window(&self, whole: u64) -> Duration {
        if self.quick { Duration::from_millis(whole * 300) } else { Duration::from_secs(whole) }
    }

    /// What to tell when a scenario failed or a server died.
    fn deaths(&mut self) -> Vec<String> {
        [&mut self.floor, &mut self.gateway].into_iter().filter_map(Server::death).collect()
    }
}

/// Runs the scenarios that are wanted, one after the other; a failure ends only its own.
pub(crate) fn run(arguments: &Arguments) -> Report {
    let mut report = Report::default();
    let others = machine::Others::watch();
    for scenario in ALL.iter().filter(|scenario| arguments.wants(scenario.name)) {
        eprintln!("bench: {}: {}", scenario.name, scenario.about);
        match Pair::start(arguments) {
            Ok(pair) => run_one(scenario, pair, &mut report),
            Err(problem) => report.failures.push(format!("{}: {problem}", scenario.name)),
        }
    }
    report.others = others.cpus();
    report
}

fn run_one(scenario: &'static Scenario, mut pair: Pair, report: &mut Report) {
    let measured = (scenario.measure)(&pair);
    let deaths = pair.deaths();
    match measured {
        Ok(rows) => {
            report.rows.extend(rows.into_iter().map(|row| Row { scenario: scenario.name, ..row }));
        }
        Err(problem) => {
            let words = pair.gateway.last_words();
            report
                .failures
                .push(format!("{}: {problem}; the gateway's last words:\n{words}", scenario.name));
        }
    }
    report.failures.extend(deaths.into_iter().map(|death| format!("{}: {death}", scenario.name)));
}

/// CPU time that `server` spends while `work` is done.
fn cpu_of<T>(server: &Server, work: impl FnOnce() -> io::Result<T>) -> io::Result<(u64, T)> {
    let before = CpuTime::of(server.id())?;
    let done = work()?;
    Ok((CpuTime::of(server.id())?.since(&before), done))
}

/// As many connections as wanted, or as the limit of open files allows.
fn at_most(wanted: usize) -> usize {
    let possible = machine::sockets();
    if possible < wanted {
        eprintln!("bench: open files allow {possible} connections in place of {wanted}");
    }
    wanted.min(possible)
}
