//! Connections that come and go, and posts that nobody hears.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::{Pair, cpu_of};
use crate::churn::Churn;
use crate::http::{self, Answer};
use crate::lanes::{Exchange, Lanes};
use crate::ledger::{Faults, VALUE};
use crate::login;
use crate::process::Server;
use crate::row::{Goal, Rounds, Row, Turn};

pub(super) fn churn(pair: &Pair) -> io::Result<Vec<Row>> {
    let rounds = pair.rounds(|server| {
        let mut churn = Churn::open(server.address)?;
        churn.run(Duration::from_millis(200))?;
        measured(server, || churn.run(pair.window(4)))
    })?;
    Ok(rows(&rounds, "cycles", 0.5))
}

pub(super) fn posts(pair: &Pair) -> io::Result<Vec<Row>> {
    const LANES: usize = 32;
    let rounds = pair.rounds(|server| {
        let tokens = login::tokens(server.address, LANES)?;
        let form = format!("value={}", "p".repeat(VALUE));
        let requests: Vec<_> = tokens.iter().map(|it| http::post("/post", it, &form)).collect();
        let mut lanes = Lanes::open(server.address, LANES)?;
        let mut run = |time: Duration| {
            let mut posts = Posts { requests: &requests, end: Instant::now() + time, count: 0 };
            lanes.run(&mut posts, time + Duration::from_secs(10))?;
            Ok(posts.count)
        };
        run(Duration::from_millis(200))?;
        let turn = measured(server, || run(pair.window(3)));
        drop(lanes);
        if pair.is_gateway(server) {
            login::leave(&mut Lanes::open(server.address, 1)?, tokens)?;
        }
        turn
    })?;
    Ok(rows(&rounds, "posts", 0.4))
}

/// Posts on every lane until the time is over.
struct Posts<'a> {
    /// One for each lane.
    requests: &'a [Vec<u8>],
    end: Instant,
    count: u64,
}

impl Exchange for Posts<'_> {
    fn next(&mut self, lane: usize) -> Option<Vec<u8>> {
        (Instant::now() < self.end).then(|| self.requests[lane].clone())
    }

    fn answered(&mut self, _lane: usize, answer: &Answer<'_>) -> io::Result<()> {
        answer.accepted("post")?;
        self.count += 1;
        Ok(())
    }
}

fn measured(server: &Server, work: impl FnOnce() -> io::Result<u64>) -> io::Result<Turn> {
    let start = Instant::now();
    let (cpu, units) = cpu_of(server, work)?;
    Ok(Turn { cpu, units, wall: start.elapsed(), faults: Faults::default(), latency: None })
}

fn rows(rounds: &Rounds, what: &str, bound: f64) -> Vec<Row> {
    let per_cpu = format!("{what} per CPU second");
    let goal = Goal::RatioAtLeast(bound);
    vec![
        rounds.row(&per_cpu, "k", goal, Turn::k_per_cpu_second),
        rounds.row(&format!("{what} per second"), "k", Goal::None, Turn::k_per_second),
    ]
}
