//! A worker with its real loop and real sockets, and bugs in what it is given.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::dialect::UsersMode;
use crate::metrics::Tally as _;
use crate::transport::{Framing, Transport};

const HEAD: &[u8] = b"head";
const CLOSE: u8 = 0x88;
const TEXT: u8 = 0x81;

fn limits() -> Limits {
    Limits {
        message_bytes: 1000,
        outbox_bytes: 100_000,
        write: Duration::from_secs(10),
        ping: Duration::from_mins(1),
        pong: Duration::from_secs(10),
        keep_warm: Duration::from_mins(1),
        controls_a_second: 1000,
        queue: 100,
        idle: || {},
        died: || panic!("no worker is to die here"),
    }
}

/// A channel that keeps nothing.
struct Empty;

impl Source for Empty {
    fn page(&self, _: u64, _: usize) -> Page {
        panic!("a bug in reading the history");
    }

    fn delivery(&self) -> DeliveryPolicy {
        DeliveryPolicy::Every
    }

    fn unsubscribe(&self, _: usize) {}
}

/// Says everything back, and panics where it is told to.
struct Parrot {
    closes_badly: bool,
    closed: Arc<AtomicUsize>,
}

impl Peer for Parrot {
    fn heard(&mut self, said: Said<'_>) -> Reaction {
        assert!(!matches!(said, Said::Text("bug")), "a bug in hearing");
        Reaction::Echo
    }

    fn closed(self: Box<Self>, _: Ending) {
        self.closed.fetch_add(1, Ordering::Relaxed);
        assert!(!self.closes_badly, "a bug in taking leave");
    }
}

struct Nobody;

impl Keeper for Nobody {
    fn take_back(self: Box<Self>, _: Socket, _: Bytes) {}
}

/// One worker and those who speak to it.
struct Scene {
    workers: Workers,
    listener: TcpListener,
    closed: Arc<AtomicUsize>,
}

impl Scene {
    fn new(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let workers = Workers::start(1, limits).unwrap();
        Self { workers, listener, closed: Arc::default() }
    }

    fn connect(&self, replay: bool, closes_badly: bool) -> Client {
        let socket = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let (id, worker) = self.workers.allot();
        let framing = Framing { transport: Transport::Ws, chunked: false };
        worker.leave(Order::Attach(Box::new(Attach {
            id,
            sink: Sink::Awaited,
            encoding: Encoding {
                framing,
                ids: false,
                users: UsersMode::None,
                direct: Form::Json,
                beats: false,
            },
            channel: ChannelKey(1),
            source: Arc::new(Empty),
            offset: 0,
            replay,
            users: 0,
            first: Vec::new(),
            pace: None,
            expires: None,
            answer_by: None,
            peer: Box::new(Parrot { closes_badly, closed: Arc::clone(&self.closed) }),
        })));
        let socket_of_worker = Socket::Plain(mio::net::TcpStream::from_std(server));
        let handed = Handed {
            socket: socket_of_worker,
            read: Bytes::new(),
            head: Bytes::from_static(HEAD),
            keeper: Box::new(Nobody),
        };
        worker.send(Order::Socket(id, Box::new(handed)));
        let mut client = Client(socket);
        assert_eq!(client.take(HEAD.len()), HEAD);
        client
    }

    /// Ends the worker, which has counted so many bugs.
    fn drained_with(self, panics: u64) {
        let counted: u64 = self.workers.tallies().map(|tally| tally.panics.get()).sum();
        assert_eq!(counted, panics);
        self.workers.drain(Duration::ZERO);
        assert_eq!(self.workers.connections(), 0);
    }
}

struct Client(TcpStream);

impl Client {
    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn say(&mut self, opcode: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        let frame = [&[opcode, 0x80 | length, 0, 0, 0, 0], payload].concat();
        self.0.write_all(&frame).unwrap();
    }

    fn hears(&mut self, opcode: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        assert_eq!(self.take(2 + payload.len()), [&[opcode, length], payload].concat());
    }

    /// It is served like any other.
    fn is_well(&mut self) {
        self.say(TEXT, b"hello");
        self.hears(TEXT, b"hello");
    }

    fn is_gone(&mut self) {
        match self.0.read(&mut [0; 100]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("not gone: {other:?}"),
        }
    }
}

#[test]
fn a_bug_in_hearing_ends_the_connection_that_spoke() {
    let scene = Scene::new(limits());
    let (mut one, mut other) = (scene.connect(false, false), scene.connect(false, false));
    one.is_well();
    one.say(TEXT, b"bug");
    let close = one.take(4);
    assert_eq!((close[0], &close[2..]), (CLOSE, &1001_u16.to_be_bytes()[..]));
    drop(one);
    other.is_well();
    scene.connect(false, false).is_well();
    scene.drained_with(1);
}

#[test]
fn a_bug_in_the_loop_ends_the_connection_it_was_about() {
    let scene = Scene::new(limits());
    let mut other = scene.connect(false, false);
    for _ in 0..3 {
        // The page is asked for once the socket is there and takes more.
        scene.connect(true, false).is_gone();
    }
    other.is_well();
    scene.connect(false, false).is_well();
    scene.drained_with(3);
}

#[test]
fn a_bug_in_taking_leave_keeps_nobody() {
    let scene = Scene::new(limits());
    let mut other = scene.connect(false, false);
    for _ in 0..3 {
        let mut leaves = scene.connect(false, true);
        leaves.is_well();
        leaves.say(CLOSE, &1000_u16.to_be_bytes());
        leaves.hears(CLOSE, &1000_u16.to_be_bytes());
        leaves.is_gone();
    }
    other.is_well();
    assert_eq!(scene.closed.load(Ordering::Relaxed), 3);
    scene.drained_with(3);
}

#[test]
fn a_worker_that_cannot_go_on_says_so() {
    static DIED: AtomicBool = AtomicBool::new(false);
    let idle = || panic!("a bug in the loop itself");
    let died = || DIED.store(true, Ordering::Release);
    let scene = Scene::new(Limits { idle, died, ..limits() });
    // Waits for the thread, which has ended by its bug.
    scene.workers.drain(Duration::ZERO);
    assert!(DIED.load(Ordering::Acquire));
}
