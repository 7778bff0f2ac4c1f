//! Logging in, and out again, as many as a scenario needs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::http::{self, Answer};
use crate::lanes::{Exchange, Lanes};

/// The login that leaves the list of users out.
pub(crate) const LOGIN: &str = "/login?users=none";

/// How many keep-alive connections log in at a time.
const LANES: usize = 16;

/// Logs `count` clients in, over connections of its own, and gives their tokens.
pub(crate) fn tokens(address: SocketAddr, count: usize) -> io::Result<Vec<String>> {
    let mut lanes = Lanes::open(address, LANES.min(count))?;
    join(&mut lanes, count)
}

/// Logs `count` clients in over `lanes`.
pub(crate) fn join(lanes: &mut Lanes, count: usize) -> io::Result<Vec<String>> {
    let mut joins = Joins { left: count, tokens: Vec::with_capacity(count) };
    lanes.run(&mut joins, limit(count))?;
    Ok(joins.tokens)
}

/// Logs the clients of these tokens out over `lanes`.
pub(crate) fn leave(lanes: &mut Lanes, tokens: Vec<String>) -> io::Result<()> {
    let limit = limit(tokens.len());
    lanes.run(&mut Leaves { tokens }, limit)
}

/// Ten seconds, and a millisecond for each: far above what any server of ours needs.
fn limit(count: usize) -> Duration {
    Duration::from_secs(10) + Duration::from_millis(count as u64)
}

struct Joins {
    left: usize,
    tokens: Vec<String>,
}

impl Exchange for Joins {
    fn next(&mut self, _lane: usize) -> Option<Vec<u8>> {
        self.left = self.left.checked_sub(1)?;
        Some(http::get(LOGIN, ""))
    }

    fn answered(&mut self, _lane: usize, answer: &Answer<'_>) -> io::Result<()> {
        self.tokens.push(answer.accepted("login")?.text("token")?);
        Ok(())
    }
}

struct Leaves {
    tokens: Vec<String>,
}

impl Exchange for Leaves {
    fn next(&mut self, _lane: usize) -> Option<Vec<u8>> {
        Some(http::post("/logout", &self.tokens.pop()?, ""))
    }

    fn answered(&mut self, _lane: usize, answer: &Answer<'_>) -> io::Result<()> {
        if answer.status == 204 {
            return Ok(());
        }
        answer.accepted("logout").map(drop)
    }
}
