//! Those who behave: subscribers on the root channel, and posters.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::ledger::{Faults, Latency, Ledger, Place};
use crate::{frames, http};

/// How many there are of each.
pub(crate) const SUBSCRIBERS: usize = 50;
pub(crate) const POSTERS: usize = 4;
/// What is posted beside what the ledger knows it by.
const PADDING: usize = 8000;
/// Between two posts of a poster: together they post half a megabyte a second.
const PACE: Duration = Duration::from_millis(66);
/// Posts that go before and fill the history, and how many of them may be on their way at once: more,
/// and those who listen, on this one thread, would be slow consumers before there is any abuse.
const BEFORE: usize = 320;
const UNDER_WAY: usize = 16;
/// How long the last deliveries may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all of them share; one thread runs them.
#[derive(Debug)]
struct Shared {
    ledger: RefCell<Ledger>,
    /// Microseconds from a post to its answer.
    answers: RefCell<Vec<u32>>,
    errors: RefCell<Vec<String>>,
    phase: RefCell<Phase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Before,
    Measured,
    Over,
}

/// Clients that behave, at work.
#[derive(Debug)]
pub(crate) struct Beside {
    shared: Rc<Shared>,
    subscribers: Vec<JoinHandle<()>>,
    posters: Vec<JoinHandle<()>>,
}

/// What they had of it.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) latency: Option<Latency>,
    /// The 99th percentile of the answers to posts.
    pub(crate) answer: Option<Duration>,
    pub(crate) posts: usize,
    pub(crate) faults: Faults,
    pub(crate) errors: Vec<String>,
}

impl Beside {
    /// Connects all of them, and waits until the history is full.
    ///
    /// # Errors
    /// A connection that is refused.
    pub(crate) async fn start(address: SocketAddr, mut tokens: Vec<String>) -> io::Result<Self> {
        let mut ledger = Ledger::new(u64::from(std::process::id()), SUBSCRIBERS);
        ledger.one_poster = false;
        let shared = Rc::new(Shared {
            ledger: RefCell::new(ledger),
            answers: RefCell::default(),
            errors: RefCell::default(),
            phase: RefCell::new(Phase::Before),
        });
        let mut subscribers = Vec::new();
        for token in tokens.drain(..SUBSCRIBERS) {
            let (socket, rest) = upgraded(address, &token).await?;
            subscribers.push(tokio::task::spawn_local(listen(socket, rest, Rc::clone(&shared))));
        }
        let mut posters = Vec::new();
        for token in tokens.drain(..POSTERS) {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            posters.push(tokio::task::spawn_local(post(socket, token, Rc::clone(&shared))));
        }
        let beside = Self { shared, subscribers, posters };
        while beside.shared.answers.borrow().len() < BEFORE {
            if let Some(error) = beside.shared.errors.borrow().first() {
                return Err(io::Error::other(error.clone()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(beside)
    }

    /// What is posted from now on is measured.
    pub(crate) fn measure(&self) {
        *self.shared.phase.borrow_mut() = Phase::Measured;
        self.shared.ledger.borrow_mut().forget_latencies();
        self.shared.answers.borrow_mut().clear();
    }

    /// Ends the posts, waits for the last deliveries, and says what came of all.
    pub(crate) async fn finish(self) -> Verdict {
        *self.shared.phase.borrow_mut() = Phase::Over;
        for poster in self.posters {
            drop(poster.await);
        }
        let due = Instant::now() + PATIENCE;
        while self.shared.ledger.borrow().in_flight() > 0 && Instant::now() < due {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for subscriber in self.subscribers {
            subscriber.abort();
        }
        let mut answers = self.shared.answers.take();
        answers.sort_unstable();
        let answer = answers.get(answers.len() * 99 / 100);
        let mut ledger = self.shared.ledger.borrow_mut();
        Verdict {
            latency: ledger.latency(),
            answer: answer.map(|us| Duration::from_micros(u64::from(*us))),
            posts: answers.len(),
            faults: ledger.faults(),
            errors: self.shared.errors.take(),
        }
    }
}

impl Shared {
    fn is_well(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    fn error(&self, what: &str, problem: &io::Error) {
        self.errors.borrow_mut().push(format!("{what}: {problem}"));
    }
}

/// Opens a WebSocket on the root channel.
async fn upgraded(address: SocketAddr, token: &str) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut socket = TcpStream::connect(address).await?;
    let target = format!("/ws?users=none&token={token}");
    socket.write_all(&http::upgrade(&target)).await?;
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = http::head(&bytes)? {
            if head.status != 101 {
                return Err(io::Error::other(format!("a subscriber was answered {}", head.status)));
            }
            bytes.drain(..head.used);
            return Ok((socket, bytes));
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn listen(socket: TcpStream, bytes: Vec<u8>, shared: Rc<Shared>) {
    if let Err(problem) = try_listen(socket, bytes, &shared).await {
        shared.error("a subscriber", &problem);
    }
}

async fn try_listen(mut socket: TcpStream, mut bytes: Vec<u8>, shared: &Shared) -> io::Result<()> {
    let mut place = Place::default();
    loop {
        let mut used = 0;
        let mut pongs = Vec::new();
        while let Some(frame) = frames::first(&bytes[used..])? {
            used += frame.used;
            match frame.header.opcode {
                OpCode::Data(Data::Text) => {
                    let mut ledger = shared.ledger.borrow_mut();
                    ledger.arrived(&mut place, frame.payload, Instant::now());
                }
                OpCode::Control(Control::Ping) => {
                    let pong = OpCode::Control(Control::Pong);
                    frames::append(&mut pongs, pong, frame.payload, true);
                }
                OpCode::Data(_) | OpCode::Control(_) => {
                    let code = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    let what = format!("sent {} {}", frame.header.opcode, code.unwrap_or(0));
                    return Err(io::Error::other(what));
                }
            }
        }
        bytes.drain(..used);
        socket.write_all(&pongs).await?;
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn post(socket: TcpStream, token: String, shared: Rc<Shared>) {
    if let Err(problem) = try_post(socket, &token, &shared).await {
        shared.error("a poster", &problem);
    }
}

async fn try_post(mut socket: TcpStream, token: &str, shared: &Shared) -> io::Result<()> {
    let padding = "p".repeat(PADDING);
    let mut bytes = Vec::new();
    loop {
        let (number, value) = shared.ledger.borrow_mut().post();
        let form = format!("value={}{padding}", String::from_utf8_lossy(&value));
        let start = Instant::now();
        socket.write_all(&http::post("/post", token, &form)).await?;
        let (status, used) = loop {
            if let Some(answer) = http::answer(&bytes)? {
                break (answer.status, answer.used);
            }
            if socket.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        bytes.drain(..used);
        shared.ledger.borrow_mut().answered(number, status);
        shared.answers.borrow_mut().push(start.elapsed().as_micros() as u32);
        let phase = *shared.phase.borrow();
        match phase {
            Phase::Over => return Ok(()),
            Phase::Before if shared.answers.borrow().len() < BEFORE => {
                while shared.ledger.borrow().in_flight() > UNDER_WAY && shared.is_well() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Phase::Before | Phase::Measured => {
                tokio::time::sleep(PACE.saturating_sub(start.elapsed())).await;
            }
        }
    }
}
