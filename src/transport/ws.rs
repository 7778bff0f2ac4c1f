//! WebSocket frames, both ways. Source: RFC 6455 sections 5, 7.4 and 8.1.
//!
//! Headers are read and written by tungstenite; unmasking, assembling and UTF-8 are ours, since an
//! idle connection must cost no buffer. What a peer announces allocates nothing: a message grows
//! by the bytes that came.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::code::Close;

/// The opcode of a ping.
pub(super) const PING: Control = Control::Ping;

/// Longest payload of a control frame, RFC 6455 section 5.5.
const MAX_CONTROL: u64 = 125;

/// Appends an unmasked text message in one frame.
pub fn text(out: &mut Vec<u8>, payload: &[u8]) {
    frame(out, OpCode::Data(Data::Text), payload);
}

/// Appends an unmasked binary message in one frame.
pub fn binary(out: &mut Vec<u8>, payload: &[u8]) {
    frame(out, OpCode::Data(Data::Binary), payload);
}

/// Appends a pong with the payload of the ping it answers.
pub fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    control(out, Control::Pong, payload);
}

pub(super) fn control(out: &mut Vec<u8>, opcode: Control, payload: &[u8]) {
    frame(out, OpCode::Control(opcode), payload);
}

/// Appends a close frame with code and reason.
pub fn close(out: &mut Vec<u8>, close: Close) {
    let (code, reason) = close.wire();
    close_with(out, code, reason.as_bytes());
}

/// Appends a close frame that echoes the peer's code; none where the peer gave none.
pub fn close_echo(out: &mut Vec<u8>, code: Option<u16>) {
    match code {
        None => control(out, Control::Close, &[]),
        Some(code) => close_with(out, code, &[]),
    }
}

fn close_with(out: &mut Vec<u8>, code: u16, reason: &[u8]) {
    let mut payload = Vec::from(code.to_be_bytes());
    payload.extend_from_slice(reason);
    control(out, Control::Close, &payload);
}

fn frame(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    // Writing to a vector cannot fail.
    let written = header.format(length, out);
    debug_assert!(written.is_ok());
    out.extend_from_slice(payload);
}

/// A whole message, or a control frame, from the peer.
#[derive(Debug, Eq, PartialEq)]
pub enum Message {
    /// A text message, checked to be UTF-8.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping, to be answered with its payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The peer's close, with its code if it gave one.
    Close(Option<u16>),
}

/// What has come of a message that is not complete yet.
///
/// Owner: one connection, only while something is incomplete. Bound: `limits.message_bytes` and a
/// frame header.
#[derive(Debug, Default)]
pub struct Assembly {
    /// Bytes that came; those before `at` are taken apart already.
    raw: Vec<u8>,
    at: usize,
    /// Payload of the earlier frames of a fragmented message.
    message: Vec<u8>,
    kind: Option<Data>,
    /// How much of `message` is known to be UTF-8.
    checked: usize,
    /// How many frames the fragmented message has had that brought nothing.
    empty: u32,
}

/// Empty fragments that one message may have; more are a way to keep a server busy.
const MAX_EMPTY_FRAGMENTS: u32 = 1000;

impl Assembly {
    /// Whether nothing incomplete is held, so that the assembly can be let go.
    pub fn is_idle(&self) -> bool {
        self.is_spent() && self.kind.is_none()
    }

    /// Whether everything that was fed was taken apart.
    pub fn is_spent(&self) -> bool {
        self.raw.len() == self.at
    }

    /// Adds what was read from the socket.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.raw.drain(..self.at);
        self.at = 0;
        self.raw.extend_from_slice(bytes);
    }

    /// The next message out of what was fed; `None` when more must come first.
    ///
    /// # Errors
    /// The [`Close`] that the peer's bytes deserve: 1002, 1007 or 1009. After an error nothing
    /// more is taken from this peer.
    pub fn next(&mut self, max_message: usize) -> Result<Option<Message>, Close> {
        loop {
            let rest = self.raw.get(self.at..).unwrap_or_default();
            let room = max_message.saturating_sub(self.message.len());
            let Some((frame, used)) = read_frame(rest, room)? else {
                return Ok(None);
            };
            self.at += used;
            if let Some(message) = self.take(frame)? {
                return Ok(Some(message));
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Message>, Close> {
        match frame.opcode {
            OpCode::Control(control) => self::control_message(control, frame.payload).map(Some),
            OpCode::Data(Data::Continue) => {
                if self.kind.is_none() {
                    return Err(Close::ProtocolError);
                }
                if frame.payload.is_empty() && !frame.is_final {
                    self.empty += 1;
                    if self.empty > MAX_EMPTY_FRAGMENTS {
                        return Err(Close::ProtocolError);
                    }
                }
                self.message.extend_from_slice(&frame.payload);
                if frame.is_final { self.finish().map(Some) } else { self.check_text() }
            }
            OpCode::Data(kind) => {
                if self.kind.is_some() {
                    return Err(Close::ProtocolError);
                }
                self.kind = Some(kind);
                self.message = frame.payload;
                self.checked = 0;
                self.empty = 0;
                if frame.is_final { self.finish().map(Some) } else { self.check_text() }
            }
        }
    }

    /// Refuses text that cannot become UTF-8 whatever follows, before the message is whole.
    fn check_text(&mut self) -> Result<Option<Message>, Close> {
        if self.kind == Some(Data::Text)
            && let Err(error) = std::str::from_utf8(self.message.get(self.checked..).unwrap_or(&[]))
        {
            if error.error_len().is_some() {
                return Err(Close::InvalidData);
            }
            // A character that is cut in two: its rest may come with the next frame.
            self.checked += error.valid_up_to();
        } else {
            self.checked = self.message.len();
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Message, Close> {
        let message = std::mem::take(&mut self.message);
        match self.kind.take() {
            Some(Data::Text) => {
                String::from_utf8(message).map(Message::Text).map_err(|_| Close::InvalidData)
            }
            Some(Data::Binary) => Ok(Message::Binary(message)),
            Some(Data::Continue | Data::Reserved(_)) | None => Err(Close::ProtocolError),
        }
    }
}

fn control_message(control: Control, payload: Vec<u8>) -> Result<Message, Close> {
    match control {
        Control::Ping => Ok(Message::Ping(payload)),
        Control::Pong => Ok(Message::Pong),
        Control::Close => close_message(&payload).map(Message::Close),
        Control::Reserved(_) => Err(Close::ProtocolError),
    }
}

fn close_message(payload: &[u8]) -> Result<Option<u16>, Close> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(Close::ProtocolError) };
    };
    let code = u16::from_be_bytes(*code);
    // RFC 6455 section 7.4: what may stand in a close frame at all.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Close::ProtocolError);
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Close::InvalidData);
    }
    Ok(Some(code))
}

struct Frame {
    opcode: OpCode,
    is_final: bool,
    payload: Vec<u8>,
}

/// One frame from the front of `bytes`, and how many bytes it took; `None` when it is not whole.
/// The header is judged as soon as it is there, before a byte of the payload is kept.
fn read_frame(bytes: &[u8], room: usize) -> Result<Option<(Frame, usize)>, Close> {
    judge_early(bytes, room)?;
    let mut cursor = Cursor::new(bytes);
    let Some((header, length)) =
        FrameHeader::parse(&mut cursor).map_err(|_| Close::ProtocolError)?
    else {
        return Ok(None);
    };
    let is_control = matches!(header.opcode, OpCode::Control(_));
    let reserved = matches!(
        header.opcode,
        OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_))
    );
    let Some(mask) = header.mask else {
        return Err(Close::ProtocolError);
    };
    if reserved || (is_control && (length > MAX_CONTROL || !header.is_final)) {
        return Err(Close::ProtocolError);
    }
    let length = usize::try_from(length).map_err(|_| Close::TooBig)?;
    if !is_control && length > room {
        return Err(Close::TooBig);
    }
    let start = usize::try_from(cursor.position()).map_err(|_| Close::ProtocolError)?;
    let Some(masked) = bytes.get(start..start.saturating_add(length)) else {
        return Ok(None);
    };
    let payload = unmask(masked, mask);
    let frame = Frame { opcode: header.opcode, is_final: header.is_final, payload };
    Ok(Some((frame, start + length)))
}

/// What can be judged before the header is whole: the rest of it may never come.
fn judge_early(bytes: &[u8], room: usize) -> Result<(), Close> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(()) };
    let is_control = first & 0x08 != 0;
    let Some((second, rest)) = rest.split_first() else {
        return if first & 0x70 == 0 { Ok(()) } else { Err(Close::ProtocolError) };
    };
    let long = second & 0x7F;
    if first & 0x70 != 0 || second & 0x80 == 0 || (is_control && long > 125) {
        return Err(Close::ProtocolError);
    }
    let announced = match (long, rest) {
        (126, rest) if let Some(two) = rest.first_chunk() => u64::from(u16::from_be_bytes(*two)),
        (127, rest) if let Some(eight) = rest.first_chunk() => u64::from_be_bytes(*eight),
        (126.., _) => return Ok(()),
        (short, _) => u64::from(short),
    };
    let fits = usize::try_from(announced).is_ok_and(|announced| announced <= room);
    if is_control || fits { Ok(()) } else { Err(Close::TooBig) }
}

fn unmask(masked: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut payload = masked.to_vec();
    let word = u32::from_ne_bytes(mask);
    let (chunks, rest) = payload.as_chunks_mut::<4>();
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 100;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 1, 2, 3, 4];
        let key = [1_u8, 2, 3, 4];
        out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        out
    }

    fn all(bytes: &[u8]) -> Vec<Result<Message, Close>> {
        let mut assembly = Assembly::default();
        let mut got = Vec::new();
        for byte in bytes {
            assembly.feed(&[*byte]);
            loop {
                match assembly.next(MAX) {
                    Ok(None) => break,
                    Ok(Some(message)) => got.push(Ok(message)),
                    Err(close) => {
                        got.push(Err(close));
                        return got;
                    }
                }
            }
        }
        got
    }

    #[test]
    fn fragments_are_assembled_around_a_ping_byte_by_byte() {
        let bytes = [
            masked(0x01, b"he"),
            masked(0x89, b"p"),
            masked(0x00, b"l"),
            masked(0x80, "lö".as_bytes()),
        ]
        .concat();
        let expected = [Ok(Message::Ping(b"p".to_vec())), Ok(Message::Text("hellö".to_owned()))];
        assert_eq!(all(&bytes), expected);
    }

    #[test]
    fn each_violation_gets_its_close_code() {
        let cases: [(Vec<u8>, Close); 14] = [
            (masked(0xC1, b""), Close::ProtocolError),
            (masked(0x83, b""), Close::ProtocolError),
            (masked(0x8B, b""), Close::ProtocolError),
            (vec![0x81, 0], Close::ProtocolError),
            (masked(0x09, b""), Close::ProtocolError),
            (vec![0x89, 0xFE, 0, 126, 1, 2, 3, 4], Close::ProtocolError),
            (masked(0x80, b""), Close::ProtocolError),
            ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), Close::ProtocolError),
            (masked(0x81, &[0xFF]), Close::InvalidData),
            (
                [masked(0x01, "ö".as_bytes()), masked(0x00, &[0xC3, 0x28])].concat(),
                Close::InvalidData,
            ),
            (masked(0x88, &[3]), Close::ProtocolError),
            (masked(0x88, &999_u16.to_be_bytes()), Close::ProtocolError),
            (masked(0x88, &1005_u16.to_be_bytes()), Close::ProtocolError),
            (masked(0x81, &[b'a'; 101]), Close::TooBig),
        ];
        for (bytes, close) in cases {
            assert_eq!(all(&bytes), [Err(close)], "{bytes:?}");
        }
    }

    #[test]
    fn a_size_is_judged_by_what_is_announced() {
        let gigabyte = [&[0x82, 0xFF][..], &(1_u64 << 30).to_be_bytes(), &[0; 4]].concat();
        assert_eq!(all(&gigabyte), [Err(Close::TooBig)]);
        let fragments = [masked(0x01, &[b'a'; 60]), masked(0x80, &[b'a'; 60])].concat();
        assert_eq!(all(&fragments), [Err(Close::TooBig)]);
    }

    #[test]
    fn close_codes_of_the_standard_and_of_applications_are_taken() {
        for code in [1000_u16, 1001, 1007, 1014, 3000, 4999] {
            assert_eq!(all(&masked(0x88, &code.to_be_bytes())), [Ok(Message::Close(Some(code)))]);
        }
        assert_eq!(all(&masked(0x88, b"")), [Ok(Message::Close(None))]);
    }

    #[test]
    fn endless_empty_fragments_are_refused() {
        let mut bytes = masked(0x01, b"");
        for _ in 0..=MAX_EMPTY_FRAGMENTS {
            bytes.extend(masked(0x00, b""));
        }
        assert_eq!(all(&bytes), [Err(Close::ProtocolError)]);
    }
}
