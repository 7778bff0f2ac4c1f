//! What a worker counts, for whoever wants to know how it fares.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::time::Instant;

use super::Mark;
use super::joined::Frame;
use crate::code::{Close, Limit};
use crate::metrics::{By, Count, Label, Own, Tally as _, Timing};
use crate::transport::Transport;

/// The counts of one worker.
///
/// Writer: the worker; of `waiting`, whoever empties an outbox. Readers add all workers up. Alone on
/// its cache lines, so that a count costs the worker no more than an addition.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Tally {
    /// Connections that are attached now.
    pub open: By<Transport, 4, Own>,
    /// Connections that were attached.
    pub opened: By<Transport, 4, Own>,
    /// Connections that ended, and why.
    pub ended: By<(Transport, Reason), 60, Own>,
    /// Those of them whose outbox was full.
    pub slow: Own,
    /// Those of them that ran into a limit.
    pub limited: By<Limit, 15, Own>,
    /// Messages that connections were given.
    pub delivered: By<(Transport, Delivered), 12, Own>,
    /// Bytes that sockets took.
    pub sent: Own,
    /// Bytes that sockets gave.
    pub received: Own,
    /// Bytes that wait in outboxes now. Outboxes keep it themselves.
    pub waiting: Count,
    /// Messages in outboxes that newer ones replaced.
    pub replaced: Own,
    /// Gaps that were told in the middle of a replay.
    pub gaps: By<Missing, 2, Own>,
    /// Bugs that ended a connection.
    pub panics: Own,
    /// From the order of a publication to its last write here.
    pub latency: Timing,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// It was told this code.
    Told(Close),
    /// Its own close frame.
    Client,
    /// The far end ended the stream, or it broke.
    Gone,
    /// The far end took nothing, or did not answer a ping.
    Unresponsive,
    /// A poll got what it waited for, or its time was over.
    Answered,
}

/// What a connection was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivered {
    /// A publication.
    Publication,
    /// A users list, or a change of one.
    Users,
    /// A direct message.
    Direct,
}

/// What a gap speaks of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// Publications that are not kept any more.
    History,
    /// Direct messages that an inbox had no room for.
    Inbox,
}

impl Tally {
    /// Counts a connection that comes.
    pub(super) fn opened(&self, transport: Transport) {
        self.open.add(transport, 1);
        self.opened.add(transport, 1);
    }

    /// Counts a connection that goes.
    pub(super) fn ended(&self, transport: Transport, reason: Reason) {
        self.open.sub(transport, 1);
        self.ended.add((transport, reason), 1);
        self.slow.add(usize::from(reason == Reason::Told(Close::SlowConsumer)));
    }

    /// Counts the frames of a delivery from the byte `from` on.
    pub(super) fn delivered(&self, transport: Transport, frames: &[Frame], from: usize) {
        let (mut publications, mut users, mut direct) = (0, 0, 0);
        for frame in frames.iter().filter(|frame| frame.end > from) {
            match frame.mark {
                Mark::Offset(_) => publications += 1,
                Mark::Users(_) => users += 1,
                Mark::Other => direct += 1,
            }
        }
        self.delivered.add((transport, Delivered::Publication), publications);
        if users + direct > 0 {
            self.delivered.add((transport, Delivered::Users), users);
            self.delivered.add((transport, Delivered::Direct), direct);
        }
    }

    /// Notes that the last slice of a batch was written whose oldest publication is from `since`.
    pub(super) fn written(&self, since: Option<Instant>) {
        if let Some(since) = since {
            self.latency.observe(since.elapsed());
        }
    }
}

/// How many bytes wait in an outbox: the worker that it belongs to counts them too.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: usize,
    tally: Option<Arc<Tally>>,
}

impl Waiting {
    pub(super) fn counted_by(tally: &Arc<Tally>) -> Self {
        Self { bytes: 0, tally: Some(Arc::clone(tally)) }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, more: usize) {
        self.bytes += more;
        if let Some(tally) = &self.tally {
            tally.waiting.add(more);
        }
    }

    pub(super) fn sub(&mut self, less: usize) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        if let Some(tally) = &self.tally {
            tally.waiting.sub(less);
        }
    }

    /// Counts a message that another took the place of.
    pub(super) fn replaced(&self) {
        if let Some(tally) = &self.tally {
            tally.replaced.add(1);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.sub(self.bytes);
    }
}

impl Label for Transport {
    const ALL: &'static [Self] = &[Self::Ws, Self::Sse, Self::Stream, Self::Poll];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Ws => "ws",
            Self::Sse => "sse",
            Self::Stream => "stream",
            Self::Poll => "poll",
        })
    }
}

impl Label for Reason {
    const ALL: &'static [Self] = &[
        Self::Told(Close::Normal),
        Self::Told(Close::GoingAway),
        Self::Told(Close::ProtocolError),
        Self::Told(Close::Unsupported),
        Self::Told(Close::InvalidData),
        Self::Told(Close::TooBig),
        Self::Told(Close::TokenExpired),
        Self::Told(Close::LoggedOut),
        Self::Told(Close::Kicked),
        Self::Told(Close::SlowConsumer),
        Self::Told(Close::RateLimited),
        Self::Client,
        Self::Gone,
        Self::Unresponsive,
        Self::Answered,
    ];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Told(close) => return Cow::Owned(close.code().to_string()),
            Self::Client => "client",
            Self::Gone => "gone",
            Self::Unresponsive => "unresponsive",
            Self::Answered => "answered",
        })
    }
}

impl Label for Limit {
    const ALL: &'static [Self] = &Self::ALL;

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(self.key())
    }
}

impl Label for Missing {
    const ALL: &'static [Self] = &[Self::History, Self::Inbox];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::History => "history",
            Self::Inbox => "inbox",
        })
    }
}

impl Label for Delivered {
    const ALL: &'static [Self] = &[Self::Publication, Self::Users, Self::Direct];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Publication => "publication",
            Self::Users => "users",
            Self::Direct => "direct",
        })
    }
}
