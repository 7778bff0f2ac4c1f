//! A client of HTTP/2 that may break every rule of it: frames are the test's own.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::common::guarded;
use super::common::node::TestNode;

pub const DATA: u8 = 0x0;
pub const HEADERS: u8 = 0x1;
pub const PRIORITY: u8 = 0x2;
pub const RESET: u8 = 0x3;
pub const SETTINGS: u8 = 0x4;
pub const PUSH_PROMISE: u8 = 0x5;
pub const PING: u8 = 0x6;
pub const GOAWAY: u8 = 0x7;
pub const WINDOW_UPDATE: u8 = 0x8;
pub const CONTINUATION: u8 = 0x9;

pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Settings by their number.
pub const HEADER_TABLE_SIZE: u16 = 1;
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// Error codes.
pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// The ping behind a flood: its answer shows that everything before it was dealt with.
const MARKER: &[u8] = b"all done";

/// A frame as it came.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a `RST_STREAM` or of a GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Answer(u16),
    Reset(u32),
    GoAway(u32),
    Ended,
}

impl Outcome {
    /// Whether the request was turned away, and for the fault of who sent it.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Answer(400..=499) | Self::Reset(_) | Self::GoAway(1..))
    }
}

/// A frame with everything in order but what the test wants otherwise.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fields as HPACK literals that enter no table.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            integer(&mut bytes, 0x7f, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// An integer of HPACK whose prefix has the bits of `mask`, RFC 7541 section 5.1.
pub fn integer(bytes: &mut Vec<u8>, mask: u8, value: usize) {
    if value < usize::from(mask) {
        bytes.push(u8::try_from(value).unwrap());
        return;
    }
    bytes.push(mask);
    let mut rest = value - usize::from(mask);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// The pseudo-header fields of a request.
pub fn pseudo<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
}

/// A whole request without a body.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&pseudo("GET", path)))
}

pub fn reset(stream: u32) -> Vec<u8> {
    frame(RESET, 0, stream, &CANCEL.to_be_bytes())
}

pub fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in pairs {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

pub fn window_update(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// A connection that has said its preface.
pub struct Peer {
    writer: OwnedWriteHalf,
    reader: OwnedReadHalf,
    read: Vec<u8>,
}

impl Peer {
    pub async fn open(node: &TestNode) -> Self {
        Self::with_settings(node, &[]).await
    }

    pub async fn with_settings(node: &TestNode, more: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(node.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        let mut peer = Self { writer, reader, read: Vec::new() };
        // Without a table every answer has its status in the same place.
        let pairs = [&[(HEADER_TABLE_SIZE, 0)], more].concat();
        peer.write(&[PREFACE, &settings(&pairs), &frame(SETTINGS, ACK, 0, &[])].concat()).await;
        peer
    }

    /// Writes; an end by the other side is told by the reading that follows.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = guarded("writing", self.writer.write_all(bytes)).await;
    }

    /// The next frame; `None` at the end. Cancel safe.
    pub async fn next(&mut self) -> Option<Frame> {
        guarded("a frame", next(&mut self.reader, &mut self.read)).await
    }

    /// The next frame of this kind; `None` at the end.
    pub async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Writes while it reads: everything that came back until all was dealt with, or until the end.
    pub async fn flood(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let Self { writer, reader, read } = self;
        let writing = async {
            let _ = writer.write_all(bytes).await;
            let _ = writer.write_all(&frame(PING, 0, 0, MARKER)).await;
        };
        let reading = async {
            let mut frames = Vec::new();
            while let Some(frame) = next(reader, read).await {
                if frame.kind == PING && frame.payload == MARKER {
                    break;
                }
                frames.push(frame);
            }
            frames
        };
        guarded("a flood", async { tokio::join!(writing, reading).1 }).await
    }

    /// What becomes of the request on `stream`.
    pub async fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            let Some(frame) = self.next().await else { return Outcome::Ended };
            match frame.kind {
                GOAWAY => return Outcome::GoAway(frame.code()),
                RESET if frame.stream == stream => return Outcome::Reset(frame.code()),
                HEADERS if frame.stream == stream => {
                    return Outcome::Answer(status(&frame.payload));
                }
                _ => {}
            }
        }
    }

    /// Whether the other side ended the connection.
    pub async fn ends(&mut self) -> bool {
        while self.next().await.is_some() {}
        true
    }
}

async fn next(reader: &mut OwnedReadHalf, read: &mut Vec<u8>) -> Option<Frame> {
    loop {
        if let Some(frame) = take(read) {
            return Some(frame);
        }
        if !matches!(reader.read_buf(read).await, Ok(1..)) {
            return None;
        }
    }
}

/// The first frame of `read`, once it is whole.
fn take(read: &mut Vec<u8>) -> Option<Frame> {
    let head = read.first_chunk::<9>()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let (kind, flags) = (head[3], head[4]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let payload = read.get(9..9 + length)?.to_vec();
    read.drain(..9 + length);
    Some(Frame { kind, flags, stream, payload })
}

/// The status of an answer that was encoded without a table: its first field.
fn status(block: &[u8]) -> u16 {
    // Changes of the table's size come first.
    let field: Vec<u8> = block.iter().copied().skip_while(|byte| byte >> 5 == 1).collect();
    match field[0] {
        indexed @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        0x08 | 0x18 | 0x48 if field[1] & 0x80 == 0 => {
            std::str::from_utf8(&field[2..5]).unwrap().parse().unwrap()
        }
        0x08 | 0x18 | 0x48 => digits(&field[2..2 + usize::from(field[1] & 0x7f)]),
        other => panic!("no status begins with {other:#x}"),
    }
}

/// Three digits in the code of RFC 7541 appendix B: 0 to 2 have five bits, the others six.
fn digits(bytes: &[u8]) -> u16 {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    let mut number = 0;
    for _ in 0..3 {
        let five = (0..5).fold(0, |code, _| code << 1 | u16::from(bits.next().unwrap()));
        let digit =
            if five <= 2 { five } else { (five << 1 | u16::from(bits.next().unwrap())) - 22 };
        number = number * 10 + digit;
    }
    number
}
