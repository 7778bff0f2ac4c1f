//! The floor: the least that a server can do for what the gateway does.
//!
//! One thread, one epoll, 8 bytes of state a connection. A `POST /post…` is answered first, as soon
//! as it is read (the gateway's answer means *accepted* as well); then its value is framed once and
//! goes out with one `send` a subscriber, never joined with another. `GET /login` answers a fixed
//! text, an `Upgrade` on any path is a subscriber, a close frame is answered and ends the connection.
//! There is no identity, no presence and no history: that is what the ratio is there to show. One that
//! keeps posts (`keeper.rs`) answers them once they are on disk, and sends them to nobody.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use slab::Slab;
use socket2::{Domain, Socket, Type};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::{Control, OpCode};

use crate::keeper::Keeper;
use crate::{frames, http};

/// A connection: a socket, and what it has become.
#[derive(Debug)]
struct Conn {
    stream: TcpStream,
    is_subscriber: bool,
}

const LISTENER: Token = Token(usize::MAX);
const KEEPER: Token = Token(usize::MAX - 1);

/// Serves until the process is killed, and keeps posts in the folder `kept` if there is one. Says on
/// stdout where, in the gateway's words.
pub(crate) fn serve(kept: Option<&Path>) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = listen()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let waker = Waker::new(poll.registry(), KEEPER)?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut floor = Floor {
        conns: Slab::new(),
        held: HashMap::new(),
        scratch: vec![0; 64 << 10],
        frame: Vec::new(),
        keeper: kept.map(|folder| Keeper::start(folder, waker)).transpose()?,
    };
    let mut events = Events::with_capacity(1024);
    loop {
        match poll.poll(&mut events, None) {
            Err(problem) if problem.kind() != ErrorKind::Interrupted => return Err(problem),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                floor.accept(&listener, poll.registry())?;
            } else if event.token() == KEEPER {
                floor.answer_kept();
            } else {
                floor.on_ready(event.token().0, event.is_read_closed());
            }
        }
        floor.keeper.iter_mut().for_each(Keeper::go_on);
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

struct Floor {
    conns: Slab<Conn>,
    /// What connections have sent and is not whole yet: almost always nothing.
    held: HashMap<usize, Vec<u8>>,
    scratch: Vec<u8>,
    /// The one frame that is being sent.
    frame: Vec<u8>,
    keeper: Option<Keeper>,
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener, registry: &Registry) -> io::Result<()> {
        loop {
            match listener.accept() {
                Ok((mut stream, _)) => {
                    stream.set_nodelay(true)?;
                    let entry = self.conns.vacant_entry();
                    registry.register(&mut stream, Token(entry.key()), Interest::READABLE)?;
                    entry.insert(Conn { stream, is_subscriber: false });
                }
                Err(problem) if problem.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(problem) if problem.kind() == ErrorKind::ConnectionAborted => {}
                Err(problem) => return Err(problem),
            }
        }
    }

    /// Reads what came on a connection; a connection that has ended, or that fails, is let go.
    fn on_ready(&mut self, key: usize, to_the_end: bool) {
        let mut scratch = std::mem::take(&mut self.scratch);
        while let Some(conn) = self.conns.get_mut(key) {
            let go_on = match conn.stream.read(&mut scratch) {
                Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self
                    .on_bytes(key, &scratch[..count])
                    .map(|()| to_the_end || count == scratch.len()),
                Err(problem) if problem.kind() == ErrorKind::WouldBlock => Ok(false),
                Err(problem) if problem.kind() == ErrorKind::Interrupted => Ok(true),
                Err(problem) => Err(problem),
            };
            match go_on {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    self.conns.try_remove(key);
                    self.held.remove(&key);
                }
            }
        }
        self.scratch = scratch;
    }

    /// Does what the bytes ask for; what is not whole yet is held.
    fn on_bytes(&mut self, key: usize, bytes: &[u8]) -> io::Result<()> {
        let joined = self.held.remove(&key).map(|mut held| {
            held.extend_from_slice(bytes);
            held
        });
        let bytes = joined.as_ref().map_or(bytes, |held| held.as_slice());
        let mut at = 0;
        while at < bytes.len() {
            let used = if self.conns[key].is_subscriber {
                self.on_frame(key, &bytes[at..])?
            } else {
                self.on_request(key, &bytes[at..])?
            };
            if used == 0 {
                self.held.insert(key, bytes[at..].to_vec());
                break;
            }
            at += used;
        }
        Ok(())
    }

    /// A subscriber's frame: only its close means anything.
    fn on_frame(&mut self, key: usize, bytes: &[u8]) -> io::Result<usize> {
        let Some(frame) = frames::first(bytes)? else {
            return Ok(0);
        };
        if frame.header.opcode == OpCode::Control(Control::Close) {
            let mut close = Vec::new();
            frames::append(&mut close, frame.header.opcode, &frames::NORMAL, false);
            self.conns[key].stream.write_all(&close)?;
            return Err(ErrorKind::ConnectionAborted.into());
        }
        Ok(frame.used)
    }

    /// One request; its length, or 0 while it is not whole.
    fn on_request(&mut self, key: usize, bytes: &[u8]) -> io::Result<usize> {
        let Some(end) = http::end_of_head(bytes) else {
            return Ok(0);
        };
        let head = &bytes[..end];
        if let Some(upgrade_key) = http::header(head, "sec-websocket-key") {
            let accept = derive_accept_key(upgrade_key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            self.conns[key].stream.write_all(answer.as_bytes())?;
            self.conns[key].is_subscriber = true;
            return Ok(end);
        }
        if !head.starts_with(b"POST ") {
            self.conns[key].stream.write_all(LOGIN)?;
            return Ok(end);
        }
        let length = http::header(head, "content-length").and_then(|text| text.parse().ok());
        let Some(body) = bytes.get(end..end + length.unwrap_or(0)) else {
            return Ok(0);
        };
        let value = body.strip_prefix(b"value=").unwrap_or(body);
        let message = [b"{\"message\":{\"value\":\"", value, ENVELOPE.as_bytes()].concat();
        if let Some(keeper) = &mut self.keeper {
            keeper.take(key, String::from_utf8(message).map_err(io::Error::other)?);
        } else {
            self.conns[key].stream.write_all(ACCEPTED)?;
            self.fan_out(&message);
        }
        Ok(end + body.len())
    }

    /// Answers those whose posts are on disk.
    fn answer_kept(&mut self) {
        for (key, offset) in self.keeper.iter_mut().flat_map(Keeper::kept) {
            let message = format!("{{\"message\":{{\"id\":\"k3x9-{offset}\"}}}}");
            let length = message.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{message}"
            );
            if let Some(conn) = self.conns.get_mut(key) {
                // One that is gone is found by the next look at it.
                drop(conn.stream.write_all(answer.as_bytes()));
            }
        }
    }

    /// One `send` to each subscriber. One that takes nothing more misses the frame: the load sees it.
    fn fan_out(&mut self, message: &[u8]) {
        self.frame.clear();
        let text = OpCode::Data(tungstenite::protocol::frame::coding::Data::Text);
        frames::append(&mut self.frame, text, message, false);
        for (_, conn) in &mut self.conns {
            if conn.is_subscriber {
                drop(conn.stream.write(&self.frame));
            }
        }
    }
}

/// What follows the value in a message of the gateway, so that the frames are of one length.
const ENVELOPE: &str = "\",\"client_id\":\"7b0c0000-0000-4000-8000-000000000000\",\
     \"datetime\":\"2026-11-21T13:20:31.123456+00:00\",\"ip\":\"127.0.0.1\",\"id\":\"k3x9-41\"}}";

const ACCEPTED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
content-length: 14\r\n\r\n{\"message\":{}}";

const LOGIN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
content-length: 82\r\n\r\n\
{\"client_id\":\"7b0c0000-0000-4000-8000-000000000000\",\"token\":\"f\",\"expires_in\":7200}";
