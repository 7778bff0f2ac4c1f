//! A room: WebSocket subscribers of the root channel, logged in and present, and who posts to them.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token};
use tokio::time::Instant;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::ledger::{Ledger, Place};
use crate::link::Link;
use crate::{frames, http, login};

/// How many handshakes are under way at a time.
const OPENING: usize = 128;

/// Tokens of posters start here; below are the members, by index.
const POSTERS: usize = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Upgrading,
    Open,
    Leaving,
    Gone,
}

#[derive(Debug)]
struct Member {
    link: Link,
    stage: Stage,
    place: Place,
}

#[derive(Debug)]
struct Poster {
    link: Link,
    token: String,
    /// Posts whose answer has not come, oldest first.
    awaiting: VecDeque<usize>,
}

/// The load of a fan-out: one loop over all its connections.
#[derive(Debug)]
pub(crate) struct Room {
    poll: Poll,
    scratch: Vec<u8>,
    address: SocketAddr,
    members: Vec<Member>,
    posters: Vec<Poster>,
    upgrading: usize,
    /// Members that left, or were made to leave.
    gone: usize,
    /// Whether we said already that the server ended somebody.
    told: bool,
    pub(crate) ledger: Ledger,
}

impl Room {
    /// Logs `members` subscribers and `posters` posters in and opens their connections.
    ///
    /// # Errors
    /// Any login or upgrade that is refused, and a minute without being done.
    pub(crate) fn open(address: SocketAddr, members: usize, posters: usize) -> io::Result<Self> {
        let mut tokens = login::tokens(address, members + posters)?;
        let mut room = Self {
            poll: Poll::new()?,
            scratch: vec![0; 256 << 10],
            address,
            members: Vec::with_capacity(members),
            posters: Vec::with_capacity(posters),
            upgrading: 0,
            gone: 0,
            told: false,
            ledger: Ledger::new(fresh(), members),
        };
        for token in tokens.split_off(members) {
            room.add_poster(token)?;
        }
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut waiting = tokens.into_iter();
        while room.members.len() < members || room.upgrading > 0 {
            while room.upgrading < OPENING
                && let Some(token) = waiting.next()
            {
                room.add_member(&token)?;
            }
            room.turn(Duration::from_millis(200))?;
            if Instant::now() > deadline || room.gone > 0 {
                let (open, gone) = (room.members.len() - room.upgrading, room.gone);
                return Err(io::Error::other(format!("only {open} open, {gone} of them ended")));
            }
        }
        Ok(room)
    }

    fn add_poster(&mut self, token: String) -> io::Result<()> {
        let mut link = Link::connect(self.address, None)?;
        link.register(self.poll.registry(), Token(POSTERS + self.posters.len()))?;
        self.posters.push(Poster { link, token, awaiting: VecDeque::new() });
        Ok(())
    }

    fn add_member(&mut self, token: &str) -> io::Result<()> {
        let mut link = Link::connect(self.address, None)?;
        link.queue(&http::upgrade(&format!("/ws?users=none&token={token}")));
        link.register(self.poll.registry(), Token(self.members.len()))?;
        self.members.push(Member { link, stage: Stage::Upgrading, place: Place::default() });
        self.upgrading += 1;
        Ok(())
    }

    /// Sends `count` posts at once on one poster's connection, without waiting for answers.
    pub(crate) fn post(&mut self, poster: usize, count: usize) -> io::Result<()> {
        let poster = &mut self.posters[poster];
        for _ in 0..count {
            let (number, value) = self.ledger.post();
            let form = format!("value={}", String::from_utf8_lossy(&value));
            poster.link.queue(&http::post("/post", &poster.token, &form));
            poster.awaiting.push_back(number);
        }
        poster.link.flush()
    }

    /// Waits at most `patience` for something to come, and takes it in.
    pub(crate) fn turn(&mut self, patience: Duration) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        match self.poll.poll(&mut events, Some(patience)) {
            Err(problem) if problem.kind() != io::ErrorKind::Interrupted => return Err(problem),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            match event.token().0 {
                token if token >= POSTERS => self.on_answer(token - POSTERS, event)?,
                token => self.on_member(token, event)?,
            }
        }
        Ok(())
    }

    /// Takes in what comes until `due`.
    pub(crate) fn until(&mut self, due: Instant) -> io::Result<()> {
        while let Some(left) = due.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            self.turn(left)?;
        }
        Ok(())
    }

    /// Takes in what comes until every post is answered and with everybody, `patience` at most.
    pub(crate) fn settle(&mut self, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while self.ledger.in_flight() > 0 && Instant::now() < deadline {
            self.turn(Duration::from_millis(50))?;
        }
        Ok(())
    }

    fn on_answer(&mut self, index: usize, event: &Event) -> io::Result<()> {
        let Poster { link, awaiting, .. } = &mut self.posters[index];
        link.flush()?;
        let ledger = &mut self.ledger;
        let open = link.read(&mut self.scratch, event.is_read_closed(), |bytes| {
            let mut at = 0;
            while let Some(answer) = http::answer(&bytes[at..])? {
                at += answer.used;
                if let Some(number) = awaiting.pop_front() {
                    ledger.answered(number, answer.status);
                }
            }
            Ok(at)
        })?;
        if open { Ok(()) } else { Err(io::Error::other("the server ended a poster's connection")) }
    }

    fn on_member(&mut self, index: usize, event: &Event) -> io::Result<()> {
        let now = Instant::now();
        let Member { link, stage, place } = &mut self.members[index];
        let before = *stage;
        let mut reply = Vec::new();
        let mut close = None;
        let ledger = &mut self.ledger;
        let read = link.flush().and_then(|()| {
            link.read(&mut self.scratch, event.is_read_closed(), |bytes| {
                let mut inbox = Inbox { reply: &mut reply, close: &mut close };
                take(bytes, stage, &mut inbox, |message| {
                    ledger.arrived(place, message, now);
                })
            })
        });
        if !reply.is_empty() {
            link.queue(&reply);
            link.flush()?;
        }
        match read {
            Err(problem) if before == Stage::Upgrading => return Err(problem),
            Ok(true) => {}
            Ok(false) | Err(_) => *stage = Stage::Gone,
        }
        match (before, *stage) {
            (Stage::Leaving, Stage::Gone) => link.finish()?,
            (Stage::Open, Stage::Gone) if !self.told => {
                self.told = true;
                eprintln!("bench: the server ended a subscriber, close code {close:?}");
            }
            _ => {}
        }
        self.upgrading -= usize::from(before == Stage::Upgrading && *stage != before);
        self.gone += usize::from(*stage == Stage::Gone && before != Stage::Gone);
        Ok(())
    }

    /// Sends a close frame on every connection, waits for the server's, and lets go.
    ///
    /// # Errors
    /// A server that has not answered all of them within ten seconds.
    pub(crate) fn leave(mut self) -> io::Result<()> {
        let mut close = Vec::new();
        frames::append(&mut close, OpCode::Control(Control::Close), &frames::NORMAL, true);
        for member in self.members.iter_mut().filter(|member| member.stage == Stage::Open) {
            member.stage = Stage::Leaving;
            member.link.queue(&close);
            // One that the server has ended meanwhile is noticed when it is read.
            drop(member.link.flush());
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.gone < self.members.len() {
            self.turn(Duration::from_millis(200))?;
            if Instant::now() > deadline {
                let left = self.members.len() - self.gone;
                return Err(io::Error::other(format!("{left} close frames were not answered")));
            }
        }
        Ok(())
    }
}

/// What frames other than messages ask for.
struct Inbox<'a> {
    /// Bytes to send back.
    reply: &'a mut Vec<u8>,
    /// The code of the server's close frame.
    close: &'a mut Option<u16>,
}

/// Uses as much of `bytes` as is whole: the answer to the upgrade, then frames.
fn take(
    bytes: &[u8],
    stage: &mut Stage,
    inbox: &mut Inbox<'_>,
    mut on_message: impl FnMut(&[u8]),
) -> io::Result<usize> {
    let mut at = 0;
    if *stage == Stage::Upgrading {
        let Some(head) = http::head(bytes)? else {
            return Ok(0);
        };
        if head.status != 101 {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).into_owned();
            return Err(io::Error::other(format!("upgrade refused: {text}")));
        }
        *stage = Stage::Open;
        at = head.used;
    }
    while let Some(frame) = frames::first(&bytes[at..])? {
        at += frame.used;
        match frame.header.opcode {
            OpCode::Data(Data::Text) => on_message(frame.payload),
            OpCode::Control(Control::Ping) => {
                frames::append(inbox.reply, OpCode::Control(Control::Pong), frame.payload, true);
            }
            OpCode::Control(Control::Close) => {
                *inbox.close = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                *stage = Stage::Gone;
            }
            OpCode::Data(_) | OpCode::Control(_) => {}
        }
    }
    Ok(at)
}

/// A number that no other room has, neither of this process nor of another one.
fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static ROOMS: AtomicU64 = AtomicU64::new(1);
    u64::from(std::process::id()) << 32 | ROOMS.fetch_add(1, Ordering::Relaxed)
}
