//! What a connection says, and what its end means: the upward half of a worker's connection.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::limit::Entered;
use super::limit::Refusal;
use super::publish::{Post, Tried};
use super::subscribe::Wanted;
use super::tally::Way;
use super::{Failure, Gate};
use crate::channel::{Accepted, ChannelName, Content, Inbound, Policy, Rejection};
use crate::code::{Close, Limit, Problem};
use crate::dialect::plain;
use crate::identity::ClientId;
use crate::metrics::Tally as _;
use crate::presence::Leave;
use crate::transport::ConnectionId;
use crate::worker::{Ending, Kept, Peer, Reaction, Said};

/// The owner of a connection above the worker. Dropped with the connection.
pub(super) struct ChannelPeer {
    gate: Arc<Gate>,
    channel: ChannelName,
    policy: Arc<Policy>,
    client: ClientId,
    ip: Arc<str>,
    may_write: bool,
    errors: Errors,
    /// Its place among the connections of its address.
    _entered: Option<Arc<Entered>>,
    /// Whether its messages are counted: not from a network that is exempt.
    is_counted: bool,
    /// The message that is heard next was counted when it came, and had to wait.
    was_counted: bool,
    connection: ConnectionId,
    /// How the client leaves where it does not close the connection itself; none for one that was
    /// never there.
    leave: Option<Leave>,
}

/// What the client hears of something it said that is ignored.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Errors {
    /// Nothing: it did not ask.
    Unasked,
    /// An error, the next time.
    Asked,
    /// Nothing any more: it was told.
    Told,
}

impl ChannelPeer {
    pub(super) fn new(
        gate: &Arc<Gate>,
        wanted: &Wanted,
        connection: ConnectionId,
        leave: Option<Leave>,
    ) -> Self {
        Self {
            gate: Arc::clone(gate),
            channel: wanted.channel.clone(),
            policy: Arc::clone(&wanted.policy),
            client: wanted.visitor.client.clone(),
            ip: Arc::clone(&wanted.visitor.shown_ip),
            may_write: wanted
                .claims
                .as_ref()
                .is_none_or(|claims| claims.may_write(&wanted.channel)),
            errors: if wanted.tells_ignored { Errors::Asked } else { Errors::Unasked },
            is_counted: wanted.visitor.is_counted,
            was_counted: false,
            _entered: wanted.entered.clone(),
            connection,
            leave,
        }
    }

    /// Counts a message, once however often it is offered.
    fn count(&mut self) -> Result<(), Refusal> {
        if std::mem::take(&mut self.was_counted) || !self.is_counted {
            return Ok(());
        }
        self.gate.rates.message(&self.client)
    }

    fn say(&mut self, inbound: Inbound<'_>) -> Result<Reaction, Failure> {
        let (content, to, key) = match self.policy.accept(inbound) {
            Err(Rejection::Ignored(what)) => return Ok(self.ignored(&what)),
            Err(Rejection::Binary) => return Ok(Reaction::Close(Close::Unsupported)),
            Err(rejection) => return Err(rejection.into()),
            Ok(Accepted::Echo) => return Ok(Reaction::Echo),
            Ok(Accepted::Publish { content, to, key }) => (content, to, key),
        };
        if !self.may_write {
            let detail = "the token does not allow to publish on this channel";
            return Err(Failure::new(Problem::Forbidden, detail));
        }
        let post = self.post(content, to, key);
        Ok(match self.gate.try_publish(&post, self.connection)? {
            Tried::Done => Reaction::Taken,
            Tried::Busy => Reaction::Busy,
        })
    }

    /// What the contract of old clients has ignored: counted, and told once if that was asked for.
    fn ignored(&mut self, what: &str) -> Reaction {
        self.gate.tallies.mine().ignored.add(1);
        if self.errors == Errors::Asked {
            self.errors = Errors::Told;
            return Reaction::Tell(plain::error(Problem::BadRequest.code(), what));
        }
        Reaction::Taken
    }

    fn post(&self, content: Content, to: Option<String>, key: Option<String>) -> Post {
        Post {
            channel: self.channel.clone(),
            policy: Arc::clone(&self.policy),
            sender: Some(self.client.clone()),
            ip: Arc::clone(&self.ip),
            content,
            to,
            key,
            way: Way::Ws,
        }
    }
}

impl Peer for ChannelPeer {
    fn heard(&mut self, said: Said<'_>) -> Reaction {
        match self.count() {
            Ok(()) => {}
            Err(Refusal::Told(refusal)) => {
                let limit = Limit::MessagesPerSecond;
                self.gate.tallies.mine().rejected(Way::Ws, limit.problem(), Some(limit));
                let knows = !self.policy.is_historic() || self.errors != Errors::Unasked;
                return if knows { Reaction::Tell(refusal) } else { Reaction::Taken };
            }
            Err(Refusal::Enough) => return Reaction::Close(Close::RateLimited),
        }
        let inbound = match said {
            Said::Text(text) => Inbound::Spoken(text),
            Said::Binary(bytes) => Inbound::Binary(bytes),
        };
        let reaction = self.say(inbound);
        let reaction = reaction.unwrap_or_else(|failure| {
            self.gate.tallies.mine().rejected(Way::Ws, failure.problem, failure.limit);
            Reaction::Tell(told(&failure))
        });
        self.was_counted = reaction == Reaction::Busy;
        reaction
    }

    fn kept(&mut self) -> Kept {
        let Some(Leave::Poll(_)) = self.leave else {
            return Kept::default();
        };
        let (messages, dropped) = self.gate.presence.fetch(&self.client, self.connection);
        let gap = (dropped > 0).then(|| plain::inbox_gap(&self.channel, dropped));
        Kept { messages, gap }
    }

    fn is_counted(&self) -> bool {
        self.is_counted
    }

    fn closed(self: Box<Self>, ending: Ending) {
        let leave = match (self.leave, ending) {
            (None, _) => return,
            (Some(Leave::Dropped), Ending::Clean) => Leave::Clean,
            // Who leaves a poll that waits is gone; who was answered comes with the next.
            (Some(Leave::Poll(_)), Ending::Clean | Ending::Dropped) => Leave::Dropped,
            (Some(leave), _) => leave,
        };
        self.gate.presence.detach(&self.client, self.connection, leave, Instant::now());
    }
}

fn told(failure: &Failure) -> Bytes {
    plain::error(failure.problem.code(), &failure.detail)
}
