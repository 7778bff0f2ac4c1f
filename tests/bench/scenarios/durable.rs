//! Posts to durable channels beside a bare loop through SQLite, and what they cost other channels.
//!
//! The bare loop says what the disk allows. What is left of that for a server, which has requests to read
//! and answers to write on the same CPU, says a second floor: a bare server with the loop in it.
//!
//! Where a sync is quick, the gateway's CPU is what posts wait for, and not the disk. So all is done a
//! second time where a sync takes as long as on a disk that is in no hurry.

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
use crate::syncs::Syncs;
use crate::{gateway, http};

/// Durable channels that keep all that is posted to them here, so that it can be verified.
const CONFIG: &str = "[channels.\"kept/*\"]\nkind = \"message\"\ndurable = true\n\
                      history = { messages = 1000000, seconds = 86400, bytes = 1073741824 }\n";
/// How much longer a sync takes on the slow disk.
const SLOW: Duration = Duration::from_millis(2);
/// The most posters, whose posts are to cost little more than their syncs.
const MANY: usize = 64;
/// Posters that keep a disk busy all the time, without a burst of answers at each sync.
const BUSY: usize = 8;
/// Posters to a channel that is not durable.
const OTHERS: usize = 8;
const WARM_UP: Duration = Duration::from_millis(300);

/// A gateway on a disk.
struct Gateway {
    server: Server,
    syncs: Syncs,
    disk: Disk,
    /// What is told of the disk in figures.
    note: &'static str,
    longer: Duration,
}

/// What there was of durable posts.
#[derive(Debug, Clone, Copy)]
struct Counted {
    posts: u64,
    commits: u64,
    syncs: u64,
}

/// How the posters to a durable channel go about it.
#[derive(Clone, Copy)]
enum Pace {
    /// Each posts again as soon as it is answered.
    Full,
    /// So many at once, so many in a second.
    Like(f64, f64),
}

/// Neither another gateway nor a second floor has a place here: none tells how it shared its commits.
pub(super) fn durable(pair: &Pair) -> io::Result<Vec<Row>> {
    if pair.self_check || pair.is_against {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for (longer, note, counts) in
        [(Duration::ZERO, "", &[1, 8, MANY][..]), (SLOW, ", sync + 2 ms", &[1, 8, MANY])]
    {
        let gateway = Gateway::start(Disk::real()?, note, longer)?;
        if longer.is_zero() {
            eprintln!("bench: durable: the data is in {}", gateway.disk);
        }
        let measured = gateway.rows(pair, counts);
        rows.extend(measured.map_err(|problem| {
            io::Error::other(format!("{problem}; its words:\n{}", gateway.server.last_words()))
        })?);
    }
    Ok(rows)
}

impl Gateway {
    fn start(disk: Disk, note: &'static str, longer: Duration) -> io::Result<Self> {
        let syncs = Syncs::new(&disk.path, longer)?;
        let server = gateway::start_on(&disk.path, CONFIG, syncs.environment())?;
        Ok(Self { server, syncs, disk, note, longer })
    }

    fn rows(&self, pair: &Pair, counts: &[usize]) -> io::Result<Vec<Row>> {
        let mut floor = Commits::open(&self.disk.path)?;
        let keeper = Server::keeper(&self.disk.path, self.syncs.environment())?;
        let mut rows = Vec::new();
        for count in counts {
            rows.extend(self.beside_floors(pair, (&mut floor, &keeper), *count)?);
        }
        rows.extend(self.beside_others(pair)?);
        Ok(rows)
    }

    fn beside_floors(
        &self,
        pair: &Pair,
        (floor, keeper): (&mut Commits, &Server),
        count: usize,
    ) -> io::Result<Vec<Row>> {
        let (mut rounds, mut bare, mut syncs) = (Rounds::default(), Rounds::default(), Vec::new());
        for round in 0..pair.rounds {
            let (turn, counted, length) = self.turn(count, round, pair.window(3))?;
            rounds.gateway.push(turn);
            bare.gateway.push(turn);
            syncs.push(counted.syncs as f64 / counted.posts as f64);
            let batches = (counted.mean(), length);
            rounds.floor.push(floor.run(batches, self.longer, pair.window(3))?);
            bare.floor.push(kept(keeper, count, pair.window(3))?);
        }
        let goal = if count == MANY { Goal::RatioAtLeast(0.8) } else { Goal::None };
        let figure = |what: &str| format!("{what}, {count} at once{}", self.note);
        // While one half waits for a sync, the other comes: two for each post of everybody. A third is
        // for stragglers, and for a log that is full and written over into the file.
        let most = (3.0 / count as f64).min(1.05);
        Ok(vec![
            rounds.row(&figure("posts per second"), "k", goal, Turn::k_per_second),
            bare.row(&figure("beside a bare server"), "k", Goal::None, Turn::k_per_second),
            Row::new(&figure("syncs per post"), "", Goal::AtMost(most))
                .with(None, median(syncs.into_iter())),
            bare.row(&figure("CPU per post"), "us", Goal::None, Turn::us_per_unit),
        ])
    }

    /// One turn of the gateway, what was counted in it, and the bytes of a message.
    fn turn(&self, count: usize, round: u32, time: Duration) -> io::Result<(Turn, Counted, usize)> {
        let server = &self.server;
        let mut posters = Posters::open(server.address, &format!("kept/{count}-{round}"), count)?;
        posters.run(WARM_UP)?;
        posters.forget_latencies();
        let before = self.counted()?;
        let start = Instant::now();
        let (cpu, units) = cpu_of(server, || posters.run(time))?;
        let wall = start.elapsed();
        let counted = self.counted()?.since(before);
        let latency = posters.latency();
        let kept = posters.leave()?;
        Ok((Turn { cpu, units, wall, faults: kept.faults, latency }, counted, kept.length))
    }

    /// Posts to a channel that is not durable while others post to one that is, beside the same where
    /// no disk is waited for: the same posts at the same pace, to a database that lies in memory.
    fn beside_others(&self, pair: &Pair) -> io::Result<Option<Row>> {
        let Some(memory) = Disk::in_memory() else {
            eprintln!("bench: no /dev/shm: nothing to compare other channels with");
            return Ok(None);
        };
        let idle = Self::start(memory, "", Duration::ZERO)?;
        let mut rounds = Rounds::default();
        for round in 0..pair.rounds {
            let before = self.counted()?;
            let (turn, rate) = self.others(Pace::Full, round, pair.window(3))?;
            let pace = Pace::Like(self.counted()?.since(before).mean(), rate);
            let (control, reached) = idle.others(pace, round, pair.window(3))?;
            if reached < 0.97 * rate {
                eprintln!("bench: durable: {reached:.0} posts a second in place of {rate:.0}");
            }
            rounds.gateway.push(turn);
            rounds.floor.push(control);
        }
        let figure = format!("other channels' posts beside {BUSY} posters{}", self.note);
        Ok(Some(rounds.row(&figure, "k", Goal::RatioAtLeast(0.95), Turn::k_per_second)))
    }

    /// Posts to a channel that is not durable; and how many others posted to one that is, in a second.
    fn others(&self, pace: Pace, round: u32, time: Duration) -> io::Result<(Turn, f64)> {
        let address = self.server.address;
        let mut posters = Posters::open(address, &format!("kept/beside-{round}"), BUSY)?;
        let mut others = Posters::open(address, "memory", OTHERS)?;
        let whole = time + 2 * WARM_UP;
        let (mut turn, rate) = std::thread::scope(|scope| {
            let busy = scope.spawn(|| {
                let start = Instant::now();
                let posts = match pace {
                    Pace::Full => posters.run(whole),
                    Pace::Like(burst, rate) => posters.run_paced((burst, rate), whole),
                };
                posts.map(|posts| posts as f64 / start.elapsed().as_secs_f64())
            });
            others.run(WARM_UP)?;
            others.forget_latencies();
            let start = Instant::now();
            let (cpu, units) = cpu_of(&self.server, || others.run(time))?;
            let (wall, latency) = (start.elapsed(), others.latency());
            let rate = busy.join().map_err(|_| io::Error::other("a thread panicked"))??;
            io::Result::Ok((Turn { cpu, units, wall, faults: Faults::default(), latency }, rate))
        })?;
        turn.faults = posters.leave()?.faults;
        Ok((turn, rate))
    }

    fn counted(&self) -> io::Result<Counted> {
        let mut page = Page::default();
        Lanes::open(self.server.address, 1)?.run(&mut page, Duration::from_secs(10))?;
        let posts = page.number("pushgate_durable_posts_total")?;
        let commits = page.number("pushgate_durable_commits_total")?;
        Ok(Counted { posts, commits, syncs: self.syncs.count()? })
    }
}

/// One turn of a bare server that keeps posts.
fn kept(keeper: &Server, count: usize, time: Duration) -> io::Result<Turn> {
    let mut posters = Posters::open(keeper.address, "kept", count)?;
    posters.run(WARM_UP)?;
    posters.forget_latencies();
    let start = Instant::now();
    let (cpu, units) = cpu_of(keeper, || posters.run(time))?;
    let (wall, latency) = (start.elapsed(), posters.latency());
    Ok(Turn { cpu, units, wall, faults: Faults::default(), latency })
}

impl Counted {
    fn since(self, before: Self) -> Self {
        Self {
            posts: self.posts - before.posts,
            commits: self.commits - before.commits,
            syncs: self.syncs - before.syncs,
        }
    }

    /// Posts of a commit.
    fn mean(self) -> f64 {
        self.posts as f64 / self.commits as f64
    }
}

/// What the gateway tells of itself.
#[derive(Default)]
struct Page {
    is_asked: bool,
    text: String,
}

impl Page {
    fn number(&self, name: &str) -> io::Result<u64> {
        let line = self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let number = line.and_then(|number| number.trim().parse().ok());
        number.ok_or_else(|| io::Error::other(format!("the gateway does not tell {name}")))
    }
}

impl Exchange for Page {
    fn next(&mut self, _lane: usize) -> Option<Vec<u8>> {
        let is_first = !std::mem::replace(&mut self.is_asked, true);
        is_first.then(|| http::get("/metrics", ""))
    }

    fn answered(&mut self, _lane: usize, answer: &http::Answer<'_>) -> io::Result<()> {
        self.text = String::from_utf8_lossy(&answer.accepted("metrics")?.body).into_owned();
        Ok(())
    }
}
