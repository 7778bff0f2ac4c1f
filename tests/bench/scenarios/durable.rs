//! Posts to durable channels beside a bare loop through SQLite, and what they cost other channels.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::{Pair, cpu_of};
use crate::commits::Commits;
use crate::disk::Disk;
use crate::lanes::{Exchange, Lanes};
use crate::ledger::Faults;
use crate::posters::Posters;
use crate::process::Server;
use crate::row::{Goal, Rounds, Row, Turn, median};
use crate::{gateway, http};

/// Durable channels that keep all that is posted to them here, so that it can be verified.
const CONFIG: &str = "[channels.\"kept/*\"]\nkind = \"message\"\ndurable = true\n\
                      history = { messages = 1000000, seconds = 86400, bytes = 1073741824 }\n";

/// Posters at once.
const CONCURRENT: [usize; 3] = [1, 8, 64];

/// Posters to a channel that is not durable.
const OTHERS: usize = 8;

/// What a gateway counted of durable posts.
#[derive(Debug, Clone, Copy)]
struct Counted {
    posts: u64,
    commits: u64,
}

pub(super) fn durable(pair: &Pair) -> io::Result<Vec<Row>> {
    if pair.self_check || pair.is_against {
        return Ok(Vec::new());
    }
    let disk = Disk::real()?;
    eprintln!("bench: durable: on {disk}");
    let server = gateway::start_on(&disk.path, CONFIG)?;
    let measured = || -> io::Result<Vec<Row>> {
        let mut floor = Commits::open(&disk.path)?;
        let mut rows = Vec::new();
        for posters in CONCURRENT {
            rows.extend(beside_floor(pair, &server, &mut floor, posters)?);
        }
        rows.extend(beside_others(pair, &server)?);
        Ok(rows)
    };
    measured().map_err(|problem| io::Error::other(format!("{problem}\n{}", server.last_words())))
}

fn beside_floor(
    pair: &Pair,
    server: &Server,
    floor: &mut Commits,
    posters: usize,
) -> io::Result<Vec<Row>> {
    let (mut rounds, mut shares) = (Rounds::default(), Vec::new());
    for round in 0..pair.rounds {
        let channel = format!("kept/{posters}-{round}");
        let (turn, counted, length) = turn(server, &channel, posters, pair.window(4))?;
        let mean = counted.posts as f64 / counted.commits as f64;
        rounds.gateway.push(turn);
        rounds.floor.push(floor.run(mean, length, pair.window(4))?);
        shares.push(1.0 / mean);
    }
    let goal = if posters == 64 { Goal::RatioAtLeast(0.8) } else { Goal::None };
    let figure = |what: &str| format!("{what}, {posters} at once");
    let cpu = Row::new(&figure("CPU per durable post"), "us", Goal::None);
    let most = (2.0 / posters as f64).min(1.0);
    let shares = median(shares.into_iter());
    Ok(vec![
        rounds.row(&figure("durable posts per second"), "k", goal, Turn::k_per_second),
        Row::new(&figure("commits per post"), "", Goal::AtMost(most)).with(None, shares),
        cpu.with(None, median(rounds.gateway.iter().map(Turn::us_per_unit))),
    ])
}

/// One turn of the gateway, what it counted in it, and the bytes of a message.
fn turn(
    server: &Server,
    channel: &str,
    count: usize,
    time: Duration,
) -> io::Result<(Turn, Counted, usize)> {
    let mut posters = Posters::open(server.address, channel, count)?;
    posters.run(Duration::from_millis(300))?;
    posters.forget_latencies();
    let before = counted(server)?;
    let start = Instant::now();
    let (cpu, units) = cpu_of(server, || posters.run(time))?;
    let wall = start.elapsed();
    let after = counted(server)?;
    let latency = posters.latency();
    let kept = posters.leave()?;
    let counted =
        Counted { posts: after.posts - before.posts, commits: after.commits - before.commits };
    let turn = Turn { cpu, units, wall, faults: kept.faults, latency };
    Ok((turn, counted, kept.length))
}

/// What the gateway has counted so far.
fn counted(server: &Server) -> io::Result<Counted> {
    let mut page = Page::default();
    Lanes::open(server.address, 1)?.run(&mut page, Duration::from_secs(10))?;
    let number = |name: &str| {
        let line = page.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let number = line.and_then(|number| number.trim().parse().ok());
        number.ok_or_else(|| io::Error::other(format!("the gateway does not tell {name}")))
    };
    Ok(Counted {
        posts: number("pushgate_durable_posts_total")?,
        commits: number("pushgate_durable_commits_total")?,
    })
}

#[derive(Default)]
struct Page {
    is_asked: bool,
    text: String,
}

impl Exchange for Page {
    fn next(&mut self, _lane: usize) -> Option<Vec<u8>> {
        let asks = !std::mem::replace(&mut self.is_asked, true);
        asks.then(|| http::get("/metrics", ""))
    }

    fn answered(&mut self, _lane: usize, answer: &http::Answer<'_>) -> io::Result<()> {
        self.text = String::from_utf8_lossy(&answer.accepted("metrics")?.body).into_owned();
        Ok(())
    }
}

/// How posters that are not measured go about it.
#[derive(Clone, Copy)]
enum Pace {
    Full,
    /// So many at once, so many in a second.
    Like(f64, f64),
}

fn beside_others(pair: &Pair, server: &Server) -> io::Result<Vec<Row>> {
    let memory = Disk::in_memory().ok_or_else(|| io::Error::other("no /dev/shm"))?;
    let idle = gateway::start_on(&memory.path, CONFIG)?;
    let mut rows = Vec::new();
    for posters in [1, 8, 64] {
        let (mut plain, mut shm) = (Rounds::default(), Rounds::default());
        for round in 0..pair.rounds {
            let time = pair.window(4);
            let before = counted(server)?;
            let kept = format!("kept/beside-{posters}-{round}");
            let (turn, rate) = beside(server, &kept, posters, Pace::Full, time)?;
            let after = counted(server)?;
            let mean =
                (after.posts - before.posts) as f64 / (after.commits - before.commits) as f64;
            eprintln!("  {posters}: rate {rate:.0} mean {mean:.1}");
            let pace = Pace::Like(mean, rate);
            let (control, r1) = beside(server, "other", posters, pace, time)?;
            let (shmc, r2) = beside(&idle, &kept, posters, pace, time)?;
            eprintln!("  controls {r1:.0} {r2:.0}");
            plain.gateway.push(turn);
            plain.floor.push(control);
            shm.gateway.push(turn);
            shm.floor.push(shmc);
        }
        let g = Goal::RatioAtLeast(0.95);
        rows.push(plain.row(
            &format!("other posts/s beside {posters} (vs plain)"),
            "k",
            g,
            Turn::k_per_second,
        ));
        rows.push(shm.row(
            &format!("other posts/s beside {posters} (vs shm)"),
            "k",
            g,
            Turn::k_per_second,
        ));
    }
    Ok(rows)
}

/// Posts to a channel that is not durable, while others post to `channel`; and how many these posted
/// in a second.
fn beside(
    server: &Server,
    channel: &str,
    count: usize,
    pace: Pace,
    time: Duration,
) -> io::Result<(Turn, f64)> {
    let mut posters = Posters::open(server.address, channel, count)?;
    let mut others = Posters::open(server.address, "measured", OTHERS)?;
    let start = Instant::now();
    let margin = Duration::from_millis(200);
    let both = std::thread::scope(|scope| {
        let busy = scope.spawn(|| match pace {
            Pace::Full => posters.run(time + 2 * margin),
            Pace::Like(mean, rate) => posters.run_paced(mean, rate, time + 2 * margin),
        });
        others.run(margin)?;
        others.forget_latencies();
        let start = Instant::now();
        let (cpu, units) = cpu_of(server, || others.run(time))?;
        let wall = start.elapsed();
        let busy = busy.join().map_err(|_| io::Error::other("a thread panicked"))??;
        io::Result::Ok((cpu, units, wall, busy))
    });
    let (cpu, units, wall, posts) = both?;
    let rate = posts as f64 / start.elapsed().as_secs_f64();
    let latency = others.latency();
    let faults =
        if channel.starts_with("kept/") { posters.leave()?.faults } else { Faults::default() };
    Ok((Turn { cpu, units, wall, faults, latency }, rate))
}
