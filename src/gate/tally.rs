//! What the gate counts, for whoever wants to know how the node fares.

use std::borrow::Cow;
use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;

use super::route::Route;
use super::{Failure, Gate};
use crate::channel::Kind;
use crate::code::{Limit, Problem};
use crate::hub::Start;
use crate::metrics::{By, Count, Label, Sharded};
use crate::presence::Opening;
use crate::transport::Transport;
use crate::worker::{Delivered, Missing};

/// The counts of one thread; see [`Tallies`].
#[derive(Debug, Default)]
pub struct Tally {
    /// What was published.
    pub(super) publications: By<(Way, Kind), 8>,
    /// Direct messages that were accepted.
    pub(super) direct: By<Way, 2>,
    /// Posts that were answered from an earlier one.
    pub(super) repeated: By<Way, 2>,
    /// Messages that their kind ignores.
    pub(super) ignored: Count,
    /// What newcomers and polls were given without a broadcast.
    pub(super) delivered: By<(Transport, Delivered), 12>,
    /// Gaps that were told at the start.
    pub(super) gaps: By<Missing, 2>,
    /// Requests and messages that failed.
    pub(super) rejections: By<(Way, Problem), 52>,
    /// Those that failed by a limit, and connections that were ended by one.
    pub(super) limited: By<Limit, 15>,
    /// Requests that were answered.
    pub(super) requests: By<(Route, Class), 95>,
    /// Bytes that HTTP wrote.
    pub sent: Count,
    /// Bytes that HTTP read.
    pub received: Count,
    /// Connections over HTTP/2 that were ended as floods.
    pub floods: Count,
    /// Bugs that ended a request.
    pub panics: Count,
}

/// The counts of all threads that speak HTTP or hear what connections say. Each has its own; readers
/// add them up.
pub type Tallies = Arc<Sharded<Tally>>;

/// How something reached us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// As a request.
    Http,
    /// Over a WebSocket.
    Ws,
}

/// The first digit of a status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Class(u16);

/// What an answer says of the failure that it tells; goes with it up to where answers are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rejected {
    problem: Problem,
    limit: Option<Limit>,
}

impl Rejected {
    /// Marks `response` as the answer to `failure`.
    pub(super) fn mark(failure: &Failure, response: &mut Response) {
        let rejected = Self { problem: failure.problem, limit: failure.limit };
        response.extensions_mut().insert(rejected);
    }
}

impl Tally {
    /// Counts what a subscription or a poll begins with.
    pub(super) fn began(&self, transport: Transport, opening: &Opening, start: &Start) {
        let users = usize::from(opening.users.is_some());
        self.delivered.add((transport, Delivered::Users), users);
        self.delivered.add((transport, Delivered::Direct), opening.inbox.len());
        self.gaps.add(Missing::Inbox, usize::from(opening.dropped > 0));
        self.gaps.add(Missing::History, usize::from(start.gap.is_some()));
    }

    /// Counts somebody who ran into `limit` and cannot be told.
    pub fn ended_by(&self, limit: Limit) {
        self.limited.add(limit, 1);
    }

    /// Counts the failure that somebody was told of.
    pub(super) fn rejected(&self, way: Way, problem: Problem, limit: Option<Limit>) {
        self.rejections.add((way, problem), 1);
        if let Some(limit) = limit {
            self.limited.add(limit, 1);
        }
    }
}

impl Gate {
    /// Counts a failure that is told to somebody whose request is not known.
    pub fn refused(&self, failure: &Failure) {
        self.tallies.mine().rejected(Way::Http, failure.problem, failure.limit);
    }

    /// Counts a request that is answered with `response`.
    pub fn answered(&self, route: Route, response: &Response) {
        let tally = self.tallies.mine();
        tally.requests.add((route, Class::of(response.status())), 1);
        if let Some(rejected) = response.extensions().get::<Rejected>() {
            tally.rejected(Way::Http, rejected.problem, rejected.limit);
        }
    }
}

impl Class {
    fn of(status: StatusCode) -> Self {
        Self(status.as_u16() / 100)
    }
}

impl Label for Way {
    const ALL: &'static [Self] = &[Self::Http, Self::Ws];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Http => "http",
            Self::Ws => "ws",
        })
    }
}

impl Label for Class {
    const ALL: &'static [Self] = &[Self(1), Self(2), Self(3), Self(4), Self(5)];

    fn text(self) -> Cow<'static, str> {
        Cow::Owned(format!("{}xx", self.0))
    }
}

impl Label for Kind {
    /// Those that are published on.
    const ALL: &'static [Self] = &[Self::Message, Self::Camera, Self::Chat, Self::Json];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Message => "message",
            Self::Camera => "camera",
            Self::Chat => "chat",
            Self::Board => "board",
            Self::Json => "json",
            Self::Echo => "echo",
            Self::Off => "off",
        })
    }
}

impl Label for Problem {
    const ALL: &'static [Self] = &Self::ALL;

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(self.code())
    }
}
