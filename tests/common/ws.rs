//! WebSocket byte by byte: frames that no library would send, and what comes back for them.

use super::guarded;
use super::http::{Connection, Request, Response};
use super::node::TestNode;

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// The key of RFC 6455's own example, and the answer to it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn text(&self) -> &str {
        assert_eq!(self.opcode, TEXT, "{self:?}");
        std::str::from_utf8(&self.payload).unwrap()
    }

    /// The code of a close frame.
    pub fn code(&self) -> Option<u16> {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        let code = self.payload.get(..2)?;
        Some(u16::from_be_bytes([code[0], code[1]]))
    }
}

/// A request that asks for the upgrade.
pub fn upgrade(target: &str) -> Request {
    Request::get(target)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
}

/// A masked frame with everything in order.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked(0x80 | opcode, payload)
}

/// A masked frame with any first byte: FIN, RSV bits and opcode.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x1b, 0x2c, 0x3d, 0x4e];
    let mut bytes = header(first, payload.len() as u64, true);
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A frame header up to the mask; the length announced may be any.
pub fn header(first: u8, length: u64, is_masked: bool) -> Vec<u8> {
    let bit = if is_masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(bit | u8::try_from(length).unwrap()),
        126..=0xffff => {
            bytes.push(bit | 0x7e);
            bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(bit | 0x7f);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes
}

/// An open WebSocket whose bytes are the test's own.
pub struct RawSocket {
    pub connection: Connection,
    pub answer: Response,
}

impl RawSocket {
    pub async fn open(node: &TestNode, target: &str) -> Self {
        let connection = upgrade(target).begin(node).await;
        Self::upgraded(connection).await
    }

    /// An upgrade through a receive buffer that soon is full.
    pub async fn open_narrow(node: &TestNode, target: &str) -> Self {
        let mut connection = Connection::open_narrow(node.address()).await;
        connection.write(&upgrade(target).bytes(node.address(), true)).await;
        Self::upgraded(connection).await
    }

    /// The rest of an upgrade that was asked for.
    pub async fn upgraded(mut connection: Connection) -> Self {
        let answer = guarded("an upgrade", connection.head()).await.unwrap();
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        Self { connection, answer }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.connection.write(bytes).await;
    }

    /// The next frame, `None` at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        guarded("a frame", self.read()).await
    }

    /// The code of the close frame that must come (other frames before it are passed over) and
    /// must be followed by the end of the connection.
    pub async fn closed_with(&mut self) -> Option<u16> {
        loop {
            let frame = self.next().await.expect("a close frame before the end");
            if frame.opcode == CLOSE {
                assert!(self.connection.ends().await);
                return frame.code();
            }
        }
    }

    async fn read(&mut self) -> Option<Frame> {
        let first = self.connection.take(2).await?;
        assert_eq!(first[1] & 0x80, 0, "a server does not mask");
        let length = match first[1] {
            126 => {
                let bytes = self.connection.take(2).await?;
                u64::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            127 => {
                let bytes = self.connection.take(8).await?;
                u64::from_be_bytes(bytes.try_into().unwrap())
            }
            short => u64::from(short),
        };
        let payload = self.connection.take(usize::try_from(length).unwrap()).await?;
        Some(Frame { fin: first[0] & 0x80 != 0, opcode: first[0] & 0x0f, payload })
    }
}
