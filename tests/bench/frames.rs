//! WebSocket frames, as the load and the floor need them: headers are tungstenite's.

use std::io::{self, Cursor};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

/// One whole frame at the start of some bytes.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) header: FrameHeader,
    /// As it came: still masked if it was.
    pub(crate) payload: &'a [u8],
    /// How many bytes the frame takes, header included.
    pub(crate) used: usize,
}

/// The first frame of `bytes`; `None` while it is not whole.
///
/// # Errors
/// What cannot be a frame.
pub(crate) fn first(bytes: &[u8]) -> io::Result<Option<Frame<'_>>> {
    let mut cursor = Cursor::new(bytes);
    let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let start = cursor.position() as usize;
    let used = start + length as usize;
    let payload = bytes.get(start..used);
    Ok(payload.map(|payload| Frame { header, payload, used }))
}

/// Appends a frame to `out`; a client's must be masked, and the mask of zeros changes nothing.
pub(crate) fn append(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8], from_client: bool) {
    let mask = from_client.then_some([0; 4]);
    let header = FrameHeader { opcode, mask, is_final: true, ..FrameHeader::default() };
    if header.format(payload.len() as u64, out).is_ok() {
        out.extend_from_slice(payload);
    }
}

/// The payload of a close frame with code 1000.
pub(crate) const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();
