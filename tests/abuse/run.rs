//! One kind of abuse, from the start of its gateway to the end of its last abuser.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, timeout};

use crate::abuser::{self, Gate};
use crate::beside::{self, Beside};
use crate::kind::{Kind, Manner};
use crate::process::Server;
use crate::report::Outcome;
use crate::{gateway, login, proc};

/// How many abusers there are, and which deadlines they meet.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) abusers: usize,
    pub(crate) deadlines: Deadlines,
    /// More of the configuration.
    config: &'static str,
}

/// The deadlines of the configuration.
#[derive(Debug)]
pub(crate) struct Deadlines {
    pub(crate) header: Duration,
    pub(crate) body: Duration,
    pub(crate) write: Duration,
    pub(crate) ping: Duration,
    pub(crate) pong: Duration,
}

impl Scale {
    /// As shipped.
    pub(crate) const WHOLE: Self = Self {
        abusers: 1000,
        deadlines: Deadlines {
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            write: Duration::from_secs(10),
            ping: Duration::from_secs(25),
            pong: Duration::from_secs(10),
        },
        config: "",
    };

    /// In a hurry.
    pub(crate) const QUICK: Self = Self {
        abusers: 100,
        deadlines: Deadlines {
            header: Duration::from_secs(2),
            body: Duration::from_secs(3),
            write: Duration::from_secs(2),
            ping: Duration::from_secs(2),
            pong: Duration::from_secs(1),
        },
        config: "header_seconds = 2\nbody_seconds = 3\nwrite_seconds = 2\n\
                 [heartbeat]\ninterval = 2\ntimeout = 1\n",
    };
}

/// To connect all, to fill the kernel's buffers for those who do not read, and to be found.
pub(crate) const ALLOWANCE: Duration = Duration::from_secs(5);
/// Between two looks at the gateway.
const LOOK: Duration = Duration::from_millis(100);
/// How long they may take to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// Runs one kind.
///
/// # Errors
/// A gateway that does not start, or that refuses those who behave before there is any abuse.
pub(crate) fn run(kind: &'static Kind, scale: &Scale) -> io::Result<Outcome> {
    let mut server = gateway::start_with(scale.config)?;
    let tokens =
        login::tokens(server.address, beside::SUBSCRIBERS + beside::POSTERS + scale.abusers)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = LocalSet::new().block_on(&runtime, abuse(kind, scale, &server, tokens));
    if let Some(death) = server.death() {
        return Err(io::Error::other(death));
    }
    outcome
}

async fn abuse(
    kind: &'static Kind,
    scale: &Scale,
    server: &Server,
    mut tokens: Vec<String>,
) -> io::Result<Outcome> {
    let id = server.id();
    let abusers = tokens.split_off(beside::SUBSCRIBERS + beside::POSTERS);
    let beside = Beside::start(server.address, tokens).await?;
    let memory = proc::anonymous_bytes(id)?;
    let sockets = proc::sockets(id)?;
    beside.measure();

    let limit = (kind.limit)(&scale.deadlines);
    let mut crowd = Crowd::start(kind.manner, server, abusers);
    let mut watch = Watch { id, memory, sockets, peak_memory: memory, peak_sockets: sockets };
    watch.until_begun(&crowd, scale.abusers).await?;
    let gone = watch.until_gone(Instant::now(), limit + ALLOWANCE * 2).await?;
    let failed = crowd.failures();
    let verdict = beside.finish().await;
    Ok(Outcome {
        kind: kind.name,
        abusers: scale.abusers,
        // Those who answer pings are never without a socket, but all are there at once.
        came: (watch.peak_sockets - watch.sockets).min(scale.abusers - failed),
        verdict: Some(verdict),
        memory: watch.peak_memory.saturating_sub(watch.memory) / scale.abusers,
        gone,
        limit,
    })
}

/// All abusers of a kind.
struct Crowd {
    tasks: JoinSet<io::Result<()>>,
    gate: Rc<Gate>,
}

impl Crowd {
    fn start(manner: Manner, server: &Server, tokens: Vec<String>) -> Self {
        let gate = Gate::new();
        let mut tasks = JoinSet::new();
        for token in tokens {
            let gate = Rc::clone(&gate);
            tasks.spawn_local(abuser::abuse(server.address, (manner, token), gate));
        }
        Self { tasks, gate }
    }

    /// How many did not come to abuse anything.
    fn failures(&mut self) -> usize {
        let mut failed = 0;
        while let Some(ended) = self.tasks.try_join_next() {
            if let Ok(Err(problem)) = ended {
                if failed == 0 {
                    eprintln!("abuse: an abuser failed: {problem}");
                }
                failed += 1;
            }
        }
        failed
    }
}

/// The gateway as it is seen from outside.
struct Watch {
    id: u32,
    /// Before there was any abuse.
    memory: usize,
    sockets: usize,
    peak_memory: usize,
    peak_sockets: usize,
}

impl Watch {
    /// Looks: how many sockets there are.
    fn look(&mut self) -> io::Result<usize> {
        self.peak_memory = self.peak_memory.max(proc::anonymous_bytes(self.id)?);
        let sockets = proc::sockets(self.id)?;
        self.peak_sockets = self.peak_sockets.max(sockets);
        Ok(sockets)
    }

    /// Waits until all have said what they begin with, and the gateway has their sockets.
    async fn until_begun(&mut self, crowd: &Crowd, abusers: usize) -> io::Result<()> {
        let all = u32::try_from(abusers).map_err(io::Error::other)?;
        let due = Instant::now() + BEGIN;
        let mut begun = std::pin::pin!(crowd.gate.begun.acquire_many(all));
        while timeout(LOOK, begun.as_mut()).await.is_err() {
            self.look()?;
            if Instant::now() > due {
                return Err(io::Error::other("the abusers did not come to begin"));
            }
        }
        self.look().map(drop)
    }

    /// Waits until the gateway has no more sockets than before: how long that took.
    async fn until_gone(&mut self, start: Instant, most: Duration) -> io::Result<Option<Duration>> {
        while self.look()? > self.sockets {
            if start.elapsed() > most {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Some(start.elapsed()))
    }
}
