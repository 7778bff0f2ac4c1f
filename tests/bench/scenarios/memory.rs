//! What a connection that only waits takes of the server's own memory, and what stays of it.

use std::io;
use std::time::Duration;

use mio::{Events, Poll};
use tokio::time::Instant;

use super::{Pair, at_most};
use crate::idle::{Kind, Receivers};
use crate::process::Server;
use crate::room::Room;
use crate::row::{Goal, Row};
use crate::usage;

/// How long the opening is let settle: what is measured is connections that are idle.
const SETTLE: Duration = Duration::from_secs(5);

/// Bytes for one connection, and the memory after all have left as a share of that at the start.
#[derive(Debug, Clone, Copy)]
struct Held {
    each: f64,
    after: f64,
}

pub(super) fn web_sockets(pair: &Pair) -> io::Result<Vec<Row>> {
    let count = at_most(if pair.quick { 3000 } else { 10_000 });
    let measure = |server: &Server| {
        Room::open(server.address, 10, 0)?.leave()?;
        let start = usage::own_memory(server.id())?;
        let mut room = Room::open(server.address, count, 0)?;
        room.until(Instant::now() + SETTLE)?;
        let with = usage::own_memory(server.id())?;
        room.leave()?;
        held(server, pair, count, [start, with])
    };
    let (floor, gateway) = (measure(&pair.floor)?, measure(&pair.gateway)?);
    Ok(rows(2048.0, Some(floor), gateway))
}

pub(super) fn sse_streams(pair: &Pair) -> io::Result<Vec<Row>> {
    receivers(pair, Kind::Sse)
}

pub(super) fn long_polls(pair: &Pair) -> io::Result<Vec<Row>> {
    receivers(pair, Kind::Poll)
}

fn receivers(pair: &Pair, kind: Kind) -> io::Result<Vec<Row>> {
    const COUNT: usize = 2000;
    if pair.self_check {
        return Ok(Vec::new());
    }
    let server = &pair.gateway;
    drop(Receivers::open(server.address, kind, 10)?);
    wait(Duration::from_secs(1))?;
    let start = usage::own_memory(server.id())?;
    let mut receivers = Receivers::open(server.address, kind, COUNT)?;
    receivers.wait(SETTLE)?;
    let with = usage::own_memory(server.id())?;
    drop(receivers);
    let gateway = held(server, pair, COUNT, [start, with])?;
    Ok(rows(12.0 * 1024.0, None, gateway))
}

/// Waits for what is slow to go, and reads the memory a last time.
fn held(server: &Server, pair: &Pair, count: usize, [start, with]: [u64; 2]) -> io::Result<Held> {
    wait(pair.window(30))?;
    let after = usage::own_memory(server.id())?;
    let each = (with as f64 - start as f64) / count as f64;
    Ok(Held { each, after: after as f64 / start as f64 })
}

fn rows(bound: f64, floor: Option<Held>, gateway: Held) -> Vec<Row> {
    let each = Row::new("user memory per connection", "B", Goal::AtMost(bound));
    let after = Row::new("memory after all left", "of the start", Goal::AtMost(1.2));
    vec![
        each.with(floor.map(|held| held.each), Some(gateway.each)),
        after.with(floor.map(|held| held.after), Some(gateway.after)),
    ]
}

fn wait(time: Duration) -> io::Result<()> {
    Poll::new()?.poll(&mut Events::with_capacity(1), Some(time))
}
