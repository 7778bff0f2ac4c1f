//! What a join costs, among few and among many.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::{Pair, cpu_of};
use crate::lanes::Lanes;
use crate::login;
use crate::process::Server;
use crate::room::Room;
use crate::row::{Goal, Row};

/// Connected with `users=none`; everybody else present has only logged in.
const CONNECTED: usize = 100;

/// Joins of a block: few beside those present, enough to measure.
const BLOCK: usize = 100;

/// How long after a crowd has come the gateway has given back what only its coming needed.
const SETTLED: Duration = Duration::from_secs(12);

/// The table's floor is the join among 100 here, its gateway the one among many.
pub(super) fn joins(pair: &Pair) -> io::Result<Vec<Row>> {
    if pair.self_check {
        return Ok(Vec::new());
    }
    let many = if pair.quick { 20_000 } else { 100_000 };
    let server = &pair.gateway;
    let mut room = Room::open(server.address, CONNECTED, 0)?;
    let mut lanes = Lanes::open(server.address, 16)?;
    let among_few = join_cost(server, pair, &mut room, &mut lanes)?;
    let mut present = CONNECTED;
    while present < many {
        let some = 2000.min(many - present);
        login::join(&mut lanes, some)?;
        present += some;
        // Heartbeats are to be answered meanwhile.
        room.turn(Duration::ZERO)?;
    }
    // What the crowd needed while it came is given back for some seconds, which is no cost of a join.
    room.until(Instant::now() + SETTLED)?;
    let among_many = join_cost(server, pair, &mut room, &mut lanes)?;
    let figure = format!("CPU of a join, {CONNECTED} (left) and {many} present (right)");
    let row = Row::new(&figure, "us", Goal::RatioAtMost(1.5));
    Ok(vec![row.with(Some(among_few), Some(among_many))])
}

/// Microseconds of CPU for one join, what is told of it within 150 ms included. Blocks of joins are
/// measured, the leaves in between are not.
fn join_cost(server: &Server, pair: &Pair, room: &mut Room, lanes: &mut Lanes) -> io::Result<f64> {
    let settle = Duration::from_millis(150);
    let blocks = if pair.quick { 5 } else { 20 };
    let mut spent = 0;
    // The first block warms up.
    for block in 0..=blocks {
        let (cpu, tokens) = cpu_of(server, || {
            let tokens = login::join(lanes, BLOCK)?;
            room.until(Instant::now() + settle)?;
            Ok(tokens)
        })?;
        spent += if block == 0 { 0 } else { cpu };
        login::leave(lanes, tokens)?;
        room.until(Instant::now() + settle)?;
    }
    Ok(spent as f64 / 1e3 / (blocks * BLOCK) as f64)
}
