//! Messages of one turn, encoded once per encoding and joined into one buffer.

use std::sync::Arc;

use bytes::Bytes;

use crate::channel::Publication;
use crate::dialect::{Direct, UsersMode, UsersTold, plain};
use crate::transport::{Framing, Transport};

/// Most bytes that are joined for one `send`; a single message may be larger.
const MAX_JOINED: usize = 64 * 1024;

/// Frames one behind the other, shared by every connection that gets them.
#[derive(Debug)]
pub struct Joined {
    /// The frames.
    pub bytes: Bytes,
    /// Where each ends, and what it is.
    pub frames: Vec<Frame>,
}

/// One frame of a [`Joined`].
#[derive(Debug)]
pub struct Frame {
    /// The offset of the first byte behind it.
    pub end: usize,
    /// What a subscriber that has it need not get again.
    pub mark: Mark,
    /// Who published it, if it is a publication.
    pub sender: Option<Arc<str>>,
}

/// What a frame tells: by this a subscription skips what it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    /// The publication at this offset.
    Offset(u64),
    /// This version of the users list.
    Users(u64),
    /// Something that is told once and has no order: a gap, a direct message, a heartbeat.
    Other,
}

/// One thing that subscribers of a channel are to get.
#[derive(Clone, Debug)]
pub enum Item {
    /// What was published.
    Publication(Arc<Publication>),
    /// A change of the users list.
    Users(Arc<UsersTold>),
}

/// How a direct message is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As JSON, but for a text of a backend, which leaves as it is.
    Raw,
    /// As JSON.
    Json,
    /// As JSON, with its nonce (`?direct=1`).
    Named,
    /// Not at all (`?direct=none`).
    Untold,
}

/// How a connection gets its messages: transport, dialect options, and what it wants to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Encoding {
    /// How a message is framed.
    pub framing: Framing,
    /// Whether objects that carry no id are wrapped (`?ids=1`).
    pub ids: bool,
    /// What is told of users.
    pub users: UsersMode,
    /// How a direct message is told.
    pub direct: Form,
    /// Whether a heartbeat is a message, too, where the transport's own is hidden from scripts.
    pub beats: bool,
}

impl Encoding {
    /// How many encodings there are.
    pub const COUNT: usize = 64;

    /// A number of its own, below [`Self::COUNT`]; `direct` and `beats` are no part of it:
    /// nothing that goes to everyone is a direct message or a heartbeat.
    pub const fn index(self) -> usize {
        let transport = match self.framing.transport {
            Transport::Ws => 0,
            Transport::Sse => 1,
            Transport::Stream => 2,
            Transport::Poll => 3,
        };
        let users = match self.users {
            UsersMode::List => 0,
            UsersMode::Diff => 1,
            UsersMode::Count => 2,
            UsersMode::None => 3,
        };
        let ids = if self.ids { 16 } else { 0 };
        let chunked = if self.framing.chunked { 32 } else { 0 };
        transport * 4 + users + ids + chunked
    }

    /// The transport of the connection.
    pub const fn transport(self) -> Transport {
        self.framing.transport
    }

    /// A message for this connection alone.
    pub fn direct(self, message: &Direct) -> Bytes {
        let json = if self.ids { message.wrapped() } else { message.json() };
        match self.direct {
            Form::Raw if message.is_text() => message.raw(),
            Form::Raw | Form::Json | Form::Untold => json,
            Form::Named => message.named(&json),
        }
    }

    fn publication(self, out: &mut Vec<u8>, publication: &Publication) {
        let id = self.transport().shows_id().then(|| publication.position.to_string());
        if self.ids {
            self.framing.message(out, id.as_deref(), &plain::with_id(publication));
        } else {
            self.framing.message(out, id.as_deref(), &publication.plain);
        }
    }
}

impl Joined {
    /// `items` as `encoding` has them; those that it does not tell are left out.
    pub fn of_items(items: &[Item], encoding: Encoding) -> Self {
        let mut bytes = Vec::with_capacity(256);
        let mut frames = Vec::with_capacity(items.len());
        for item in items {
            let (mark, sender) = match item {
                Item::Publication(publication) => {
                    encoding.publication(&mut bytes, publication);
                    let sender = Arc::clone(&publication.sender);
                    (Mark::Offset(publication.position.offset), Some(sender))
                }
                Item::Users(told) => {
                    let Some(json) = told.to(encoding.users) else {
                        continue;
                    };
                    encoding.framing.message(&mut bytes, None, json);
                    (Mark::Users(told.version), None)
                }
            };
            frames.push(Frame { end: bytes.len(), mark, sender });
        }
        Self { bytes: Bytes::from(bytes), frames }
    }

    /// Messages that have no place in an order.
    pub fn of_messages<'a>(messages: impl Iterator<Item = &'a Bytes>, framing: Framing) -> Self {
        let mut joined = Builder::default();
        for json in messages {
            joined.frame(|out| framing.message(out, None, json));
        }
        joined.build()
    }

    /// One frame that `write` appends.
    pub fn of_frame(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut joined = Builder::default();
        joined.frame(write);
        joined.build()
    }

    /// Bytes that belong to no message: nothing drops or replaces them.
    pub fn of_bytes(bytes: Bytes) -> Self {
        Self { bytes, frames: Vec::new() }
    }

    /// The byte at which the first frame begins that a subscriber does not have yet.
    pub fn start_after(&self, offset: u64, users: u64) -> usize {
        let mut start = 0;
        for frame in &self.frames {
            let fresh = match frame.mark {
                Mark::Offset(this) => this > offset,
                Mark::Users(this) => this > users,
                Mark::Other => true,
            };
            if fresh {
                return start;
            }
            start = frame.end;
        }
        start
    }

    /// The highest offset and users version in it.
    pub fn last(&self) -> (Option<u64>, Option<u64>) {
        let (mut offset, mut users) = (None, None);
        for frame in &self.frames {
            match frame.mark {
                Mark::Offset(this) => offset = Some(this),
                Mark::Users(this) => users = Some(this),
                Mark::Other => {}
            }
        }
        (offset, users)
    }

    /// Only the frames that tell of users, for a connection that gets its publications by replay.
    pub fn users_only(&self) -> Option<Self> {
        let mut builder = Builder::default();
        let mut start = 0;
        for frame in &self.frames {
            if let Mark::Users(_) = frame.mark {
                let bytes = self.bytes.get(start..frame.end).unwrap_or_default();
                builder.bytes.extend_from_slice(bytes);
                builder.end(frame.mark);
            }
            start = frame.end;
        }
        (!builder.frames.is_empty()).then(|| builder.build())
    }

    /// Whether a frame begins at `at`.
    pub(super) fn is_boundary(&self, at: usize) -> bool {
        let begins = at == 0 && !self.frames.is_empty();
        begins || self.frames.iter().any(|frame| frame.end == at)
    }

    pub(super) fn frame_end_after(&self, at: usize) -> usize {
        self.frames.iter().map(|frame| frame.end).find(|end| *end > at).unwrap_or(self.bytes.len())
    }

    /// Who published the frame that begins at `at` or holds it.
    pub(super) fn sender_at(&self, at: usize) -> Option<&Arc<str>> {
        self.frames.iter().find(|frame| frame.end > at)?.sender.as_ref()
    }
}

#[derive(Default)]
struct Builder {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

impl Builder {
    fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.end(Mark::Other);
    }

    fn end(&mut self, mark: Mark) {
        self.frames.push(Frame { end: self.bytes.len(), mark, sender: None });
    }

    fn build(self) -> Joined {
        Joined { bytes: Bytes::from(self.bytes), frames: self.frames }
    }
}

/// How many of `items` are joined at once: as many as fit in 64 KiB, at least one.
pub(super) fn batch_len(items: impl Iterator<Item = Item>) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for item in items {
        let len = match &item {
            Item::Publication(publication) => publication.plain.len(),
            Item::Users(told) => told.list.as_ref().or(told.diff.as_ref()).map_or(32, Bytes::len),
        };
        bytes += len + 64;
        if count > 0 && bytes > MAX_JOINED {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Epoch, Position};

    fn items() -> Vec<Item> {
        let position = |offset| Position { epoch: Epoch::from_random(7), offset };
        let publication = |offset| {
            let plain = Bytes::from(format!("{offset}"));
            Item::Publication(Arc::new(Publication {
                position: position(offset),
                sender: "s".into(),
                at: tokio::time::Instant::now(),
                plain,
            }))
        };
        let told = UsersTold { version: 3, list: None, diff: None, count: Some("{}".into()) };
        vec![publication(1), Item::Users(Arc::new(told)), publication(2)]
    }

    fn encoding(transport: Transport, ids: bool, users: UsersMode) -> Encoding {
        let framing = transport.into();
        Encoding { framing, ids, users, direct: Form::Json, beats: false }
    }

    #[test]
    fn what_a_subscriber_has_is_skipped() {
        let stream = encoding(Transport::Stream, false, UsersMode::Count);
        let joined = Joined::of_items(&items(), stream);
        assert_eq!(joined.bytes, "1\n{}\n2\n");
        assert_eq!(joined.start_after(0, 0), 0);
        assert_eq!(joined.start_after(1, 0), 2);
        assert_eq!(joined.start_after(1, 3), 5);
        assert_eq!(joined.start_after(2, 3), 7);
        assert_eq!(joined.last(), (Some(2), Some(3)));
        assert_eq!(joined.users_only().unwrap().bytes, "{}\n");
    }

    #[test]
    fn an_encoding_tells_only_what_was_asked_for() {
        let sse = encoding(Transport::Sse, false, UsersMode::None);
        let joined = Joined::of_items(&items(), sse);
        assert_eq!(joined.bytes, "id: 00000007-1\ndata: 1\n\nid: 00000007-2\ndata: 2\n\n");
        assert!(joined.users_only().is_none());
        let ids = encoding(Transport::Stream, true, UsersMode::None);
        let first = Joined::of_items(&items()[..1], ids);
        assert_eq!(first.bytes, "{\"id\":\"00000007-1\",\"client_id\":\"s\",\"data\":1}\n");
    }

    #[test]
    fn every_encoding_has_a_number_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for transport in [Transport::Ws, Transport::Sse, Transport::Stream, Transport::Poll] {
            for users in [UsersMode::List, UsersMode::Diff, UsersMode::Count, UsersMode::None] {
                for (ids, chunked) in [(false, false), (true, false), (false, true), (true, true)] {
                    let framing = Framing { transport, chunked };
                    let (direct, beats) = (Form::Json, false);
                    let encoding = Encoding { framing, ids, users, direct, beats };
                    assert!(seen.insert(encoding.index()));
                }
            }
        }
        assert_eq!(seen.len(), Encoding::COUNT);
    }
}
