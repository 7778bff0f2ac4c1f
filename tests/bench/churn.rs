//! Cycles of login, upgrade and close: what coming and going costs.
//!
//! A cycle: a login over a keep-alive connection, a new connection that upgrades with the token, the
//! client's close frame, the server's, FIN from both sides. Each lane comes from an address of its
//! own, since whoever sends the first FIN keeps the port for a minute.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token};
use tokio::time::Instant;
use tungstenite::protocol::frame::coding::{Control, OpCode};

use crate::link::Link;
use crate::{frames, http, login};

/// Cycles under way at a time.
const LANES: usize = 16;

#[derive(Debug)]
struct Lane {
    /// The keep-alive connection for logins.
    login: Link,
    /// The connection of the cycle under way.
    socket: Option<Socket>,
}

#[derive(Debug)]
struct Socket {
    link: Link,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Upgrading,
    Closing,
    Finishing,
}

/// Cycles on all lanes; an even token is a lane's login, the odd one after it its socket.
#[derive(Debug)]
pub(crate) struct Churn {
    poll: Poll,
    address: SocketAddr,
    lanes: Vec<Lane>,
    scratch: Vec<u8>,
    cycles: u64,
    under_way: usize,
    begins: bool,
}

impl Churn {
    /// Opens the lanes' login connections.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut lanes = Vec::new();
        for lane in 0..LANES {
            let mut login = Link::connect(address, None)?;
            login.register(poll.registry(), Token(2 * lane))?;
            lanes.push(Lane { login, socket: None });
        }
        let scratch = vec![0; 16 << 10];
        Ok(Self { poll, address, lanes, scratch, cycles: 0, under_way: 0, begins: true })
    }

    /// Goes round for `time`, ends what is under way, and gives the number of whole cycles.
    ///
    /// # Errors
    /// A refusal, a connection that ends too early, and a cycle that takes ten seconds.
    pub(crate) fn run(&mut self, time: Duration) -> io::Result<u64> {
        let end = Instant::now() + time;
        let before = self.cycles;
        self.begins = true;
        for lane in 0..self.lanes.len() {
            self.begin(lane)?;
        }
        let mut events = Events::with_capacity(256);
        while self.under_way > 0 {
            let now = Instant::now();
            self.begins = now < end;
            if now > end + Duration::from_secs(10) {
                let left = self.under_way;
                return Err(io::Error::other(format!("{left} cycles did not come to their end")));
            }
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            for event in &events {
                let (lane, is_socket) = (event.token().0 / 2, event.token().0 % 2 == 1);
                if is_socket {
                    self.on_socket(lane, event)?;
                } else {
                    self.on_login(lane, event)?;
                }
            }
        }
        Ok(self.cycles - before)
    }

    fn begin(&mut self, lane: usize) -> io::Result<()> {
        self.under_way += 1;
        let login = &mut self.lanes[lane].login;
        login.queue(&http::get(login::LOGIN, ""));
        login.flush()
    }

    fn on_login(&mut self, lane: usize, event: &Event) -> io::Result<()> {
        let login = &mut self.lanes[lane].login;
        login.flush()?;
        let mut token = None;
        let open = login.read(&mut self.scratch, event.is_read_closed(), |bytes| {
            let Some(answer) = http::answer(bytes)? else {
                return Ok(0);
            };
            token = Some(answer.accepted("login")?.text("token")?);
            Ok(answer.used)
        })?;
        if !open {
            return Err(io::Error::other("the server ended a login connection"));
        }
        let Some(token) = token else { return Ok(()) };
        let source = Ipv4Addr::new(127, 0, 1, 1 + lane as u8);
        let mut link = Link::connect(self.address, Some(source))?;
        link.queue(&http::upgrade(&format!("/ws?users=none&token={token}")));
        link.register(self.poll.registry(), Token(2 * lane + 1))?;
        self.lanes[lane].socket = Some(Socket { link, stage: Stage::Upgrading });
        Ok(())
    }

    fn on_socket(&mut self, lane: usize, event: &Event) -> io::Result<()> {
        let Some(Socket { link, stage }) = &mut self.lanes[lane].socket else {
            return Ok(());
        };
        link.flush()?;
        let before = *stage;
        let open = link.read(&mut self.scratch, event.is_read_closed(), |bytes| take(bytes, stage));
        if *stage == Stage::Closing && before == Stage::Upgrading {
            let mut close = Vec::new();
            frames::append(&mut close, OpCode::Control(Control::Close), &frames::NORMAL, true);
            link.queue(&close);
            link.flush()?;
        }
        if *stage == Stage::Finishing && before != *stage {
            link.finish()?;
        }
        match (open, *stage) {
            (Ok(true), _) => return Ok(()),
            (_, Stage::Finishing) => {}
            (Ok(false), _) => return Err(io::Error::other("the end came before the close frame")),
            (Err(problem), _) => return Err(problem),
        }
        self.lanes[lane].socket = None;
        self.cycles += 1;
        self.under_way -= 1;
        if self.begins { self.begin(lane) } else { Ok(()) }
    }
}

/// Uses what is whole: the answer to the upgrade, then frames until the server's close.
fn take(bytes: &[u8], stage: &mut Stage) -> io::Result<usize> {
    let mut at = 0;
    if *stage == Stage::Upgrading {
        let Some(head) = http::head(bytes)? else {
            return Ok(0);
        };
        if head.status != 101 {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned();
            return Err(io::Error::other(format!("upgrade refused: {text}")));
        }
        *stage = Stage::Closing;
        at = head.used;
    }
    while let Some(frame) = frames::first(&bytes[at..])? {
        at += frame.used;
        if frame.header.opcode == OpCode::Control(Control::Close) {
            *stage = Stage::Finishing;
        }
    }
    Ok(at)
}
