//! Fan-out: what a delivery costs, steadily, in bursts and at the limit.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::{Pair, at_most, cpu_of};
use crate::process::Server;
use crate::room::Room;
use crate::row::{Goal, Row, Turn};

/// Posts at a pace.
#[derive(Debug, Clone, Copy)]
struct Pace {
    members: usize,
    posters: usize,
    /// Posts at once of each poster.
    burst: usize,
    /// Bursts a second.
    per_second: u32,
}

/// How long the last deliveries may take before they count as lost.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn fanout_1000(pair: &Pair) -> io::Result<Vec<Row>> {
    let pace = Pace { members: 1000, posters: 1, burst: 1, per_second: 50 };
    paced(pair, pace, Goal::RatioAtMost(1.15))
}

pub(super) fn fanout_10_000(pair: &Pair) -> io::Result<Vec<Row>> {
    let members = at_most(10_000);
    let pace = Pace { members, posters: 1, burst: 1, per_second: 3 };
    let rounds = pair.rounds(|server| paced_turn(server, pace, pair.window(5)))?;
    Ok(vec![
        rounds.row("CPU per delivery", "us", Goal::RatioAtMost(1.15), Turn::us_per_unit),
        rounds.row("p99 of latency", "ms", Goal::RatioAtMost(1.2), Turn::p99_ms),
    ])
}

pub(super) fn bursts(pair: &Pair) -> io::Result<Vec<Row>> {
    let pace = Pace { members: 1000, posters: 1, burst: 10, per_second: 5 };
    paced(pair, pace, Goal::RatioAtMost(0.35))
}

pub(super) fn bursts_apart(pair: &Pair) -> io::Result<Vec<Row>> {
    let pace = Pace { members: 1000, posters: 10, burst: 1, per_second: 5 };
    paced(pair, pace, Goal::RatioAtMost(0.35))
}

fn paced(pair: &Pair, pace: Pace, goal: Goal) -> io::Result<Vec<Row>> {
    let rounds = pair.rounds(|server| paced_turn(server, pace, pair.window(5)))?;
    Ok(vec![rounds.row("CPU per delivery", "us", goal, Turn::us_per_unit)])
}

fn paced_turn(server: &Server, pace: Pace, window: Duration) -> io::Result<Turn> {
    let bursts = (window.as_secs_f64() * f64::from(pace.per_second)) as u32;
    turn(server, pace.members, pace.posters, |room| {
        let start = Instant::now();
        for burst in 0..bursts.max(1) {
            room.until(start + Duration::from_secs(1) * burst / pace.per_second)?;
            for poster in 0..pace.posters {
                room.post(poster, pace.burst)?;
            }
        }
        Ok(())
    })
}

/// Four posts in flight: the next one goes out when one is answered *and* with everybody, so that
/// no server is asked for more than it delivers.
pub(super) fn saturation(pair: &Pair) -> io::Result<Vec<Row>> {
    const IN_FLIGHT: usize = 4;
    let rounds = pair.rounds(|server| {
        turn(server, 1000, IN_FLIGHT, |room| {
            let end = Instant::now() + pair.window(4);
            let mut poster = 0;
            while Instant::now() < end {
                while room.ledger.in_flight() < IN_FLIGHT {
                    room.post(poster, 1)?;
                    poster = (poster + 1) % IN_FLIGHT;
                }
                room.turn(Duration::from_millis(50))?;
            }
            Ok(())
        })
    })?;
    let goal = Goal::RatioAtLeast(1.3);
    Ok(vec![
        rounds.row("deliveries per CPU second", "k", goal, Turn::k_per_cpu_second),
        rounds.row("deliveries per second", "k", Goal::None, Turn::k_per_second),
    ])
}

/// One turn of one server: a room is opened, warmed up, measured while `work` is done, and left.
fn turn(
    server: &Server,
    members: usize,
    posters: usize,
    work: impl FnOnce(&mut Room) -> io::Result<()>,
) -> io::Result<Turn> {
    let mut room = Room::open(server.address, members, posters)?;
    room.ledger.one_poster = posters == 1;
    room.until(Instant::now() + Duration::from_millis(500))?;
    for poster in 0..posters {
        room.post(poster, 1)?;
        room.settle(PATIENCE)?;
    }
    room.until(Instant::now() + Duration::from_millis(200))?;
    room.ledger.forget_latencies();

    let (start, before) = (Instant::now(), room.ledger.arrivals());
    let (cpu, wall) = cpu_of(server, || {
        work(&mut room)?;
        room.settle(PATIENCE)?;
        Ok(start.elapsed())
    })?;
    let units = room.ledger.arrivals() - before;
    // What comes twice comes late.
    room.until(Instant::now() + Duration::from_millis(200))?;
    let (faults, latency) = (room.ledger.faults(), room.ledger.latency());
    room.leave()?;
    Ok(Turn { cpu, units, wall, faults, latency })
}
