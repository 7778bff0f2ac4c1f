//! GOAWAY of HTTP/2 that tells a flood what it is. Source: RFC 9113 sections 6.8 and 7.

use h2::Reason;

use super::frames::{Frames, Part};

const GOAWAY: u8 = 7;
/// Where the code begins behind the last stream.
const CODE: usize = 4;

/// What we write on one connection.
///
/// hyper can be asked to end a connection, but not to say why: it says `NO_ERROR`. The code has a
/// place of its own in the frame, so another one can be put there as it passes by.
#[derive(Debug)]
pub(super) struct Outgoing {
    frames: Frames,
}

impl Outgoing {
    /// Nothing is written yet.
    pub(super) const fn new() -> Self {
        Self { frames: Frames::behind(0) }
    }

    /// Notes what the socket took.
    pub(super) fn on_written(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (_, taken) = self.frames.next(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// What to write instead of `bytes`, which come next: as much, and every GOAWAY says
    /// `ENHANCE_YOUR_CALM`.
    pub(super) fn calming(&self, bytes: &[u8]) -> Vec<u8> {
        let mut frames = self.frames.clone();
        let code = u32::from(Reason::ENHANCE_YOUR_CALM).to_be_bytes();
        let mut calming = Vec::with_capacity(bytes.len());
        while let Some(rest) = bytes.get(calming.len()..).filter(|rest| !rest.is_empty()) {
            let (part, taken) = frames.next(rest);
            let from = calming.len();
            calming.extend(rest.iter().take(taken));
            if let Part::Payload(GOAWAY, at) = part {
                let places = calming.iter_mut().skip(from).zip(at..);
                for (byte, at) in places {
                    let new = at.checked_sub(CODE).and_then(|at| code.get(at));
                    *byte = *new.unwrap_or(byte);
                }
            }
        }
        calming
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_alone_is_another_wherever_the_socket_stops() {
        let frame = |kind, payload: &[u8]| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[0, 0, length, kind, 0, 0, 0, 0, 0], payload].concat()
        };
        let goaway = |code| frame(GOAWAY, &[9, 9, 9, 9, 0, 0, 0, code, 8, 8]);
        let (before, after) = (frame(0, &[7; 20]), frame(6, &[5; 8]));
        let bytes = [&*before, &goaway(0), &after].concat();
        let expected = [&*before, &goaway(11), &after].concat();
        for size in 1..=bytes.len() {
            let mut outgoing = Outgoing::new();
            let (mut rest, mut written) = (&*bytes, Vec::new());
            while !rest.is_empty() {
                let calming = outgoing.calming(rest);
                assert_eq!(calming.len(), rest.len());
                let taken = size.min(rest.len());
                written.extend_from_slice(&calming[..taken]);
                outgoing.on_written(&rest[..taken]);
                rest = &rest[taken..];
            }
            assert_eq!(written, expected, "by {size}");
        }
    }
}
