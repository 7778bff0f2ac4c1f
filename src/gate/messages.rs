//! `{"messages":[…],…}`: an answer that is put together while it leaves.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// What an answer begins with.
const BEGIN: &[u8] = br#"{"messages":["#;

/// How much is put together at once; a message that is larger leaves as it is.
const PIECE: usize = 16 * 1024;

/// A body with many messages. They stay shared with the history until their turn comes, so that one
/// who asks for all of it and does not read costs a piece of it.
#[derive(Debug)]
pub(super) struct Messages {
    rest: std::vec::IntoIter<Bytes>,
    /// What is put before the next message, then behind the last.
    before: &'static [u8],
    tail: Option<Bytes>,
    /// A message that is too large to be put together with others.
    alone: Option<Bytes>,
    left: u64,
}

impl Messages {
    /// `messages` are JSON; `tail` is what follows the array: `],"since":"0"}`.
    pub(super) fn new(messages: Vec<Bytes>, tail: String) -> Self {
        let commas = messages.len().saturating_sub(1);
        let length = messages.iter().map(Bytes::len).sum::<usize>();
        let left = u64::try_from(BEGIN.len() + length + commas + tail.len()).unwrap_or(u64::MAX);
        let tail = Some(Bytes::from(tail));
        Self { rest: messages.into_iter(), before: BEGIN, tail, alone: None, left }
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        if let Some(alone) = self.alone.take() {
            return Some(alone);
        }
        self.tail.as_ref()?;
        let mut piece = Vec::with_capacity(PIECE.min(usize::try_from(self.left).unwrap_or(PIECE)));
        while let Some(next) = self.rest.as_slice().first() {
            if !piece.is_empty() && piece.len() + next.len() >= PIECE {
                return Some(Bytes::from(piece));
            }
            piece.extend_from_slice(std::mem::replace(&mut self.before, b","));
            let Some(message) = self.rest.next() else { break };
            if message.len() >= PIECE {
                self.alone = Some(message);
                return Some(Bytes::from(piece));
            }
            piece.extend_from_slice(&message);
        }
        if self.before == BEGIN {
            piece.extend_from_slice(BEGIN);
        }
        piece.extend_from_slice(&self.tail.take()?);
        Some(Bytes::from(piece))
    }
}

impl Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.next_piece();
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.left = self.left.saturating_sub(u64::try_from(length).unwrap_or(0));
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a body, after its announced length was checked.
    fn pieces(lengths: &[usize]) -> Vec<Bytes> {
        let messages: Vec<_> =
            lengths.iter().map(|length| Bytes::from(vec![b'1'; *length])).collect();
        let joined = messages.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let joined = joined.collect::<Vec<_>>().join(",");
        let mut body = Messages::new(messages, r#"],"since":"0"}"#.to_owned());
        let announced = body.size_hint().exact().unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut pieces = Vec::new();
        while !body.is_end_stream() {
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) else {
                panic!("it ended before its length");
            };
            pieces.push(frame.into_data().unwrap());
        }
        assert!(matches!(Pin::new(&mut body).poll_frame(&mut context), Poll::Ready(None)));
        let whole = pieces.concat();
        assert_eq!(u64::try_from(whole.len()).unwrap(), announced);
        let expected = format!(r#"{{"messages":[{joined}],"since":"0"}}"#);
        assert_eq!(String::from_utf8(whole).unwrap(), expected);
        pieces
    }

    #[test]
    fn however_long_the_messages_are_the_body_is_as_announced() {
        assert_eq!(pieces(&[]).len(), 1);
        assert_eq!(pieces(&[1]).len(), 1);
        assert_eq!(pieces(&[1, 2, 3]).len(), 1);
        for lengths in [
            &[PIECE][..],
            &[PIECE - 1, PIECE, PIECE + 1],
            &[PIECE * 3, 1, PIECE * 3],
            &vec![7; 5000],
            &[PIECE / 2; 9],
        ] {
            for piece in pieces(lengths) {
                let alone = lengths.contains(&piece.len());
                assert!(alone || piece.len() <= PIECE * 2, "{} bytes", piece.len());
            }
        }
    }
}
