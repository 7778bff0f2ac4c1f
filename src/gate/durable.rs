//! Posts to durable channels: written down first, then published, then answered.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::idempotency::{Receipt, Ticket};
use super::publish::Post;
use super::tally::Way;
use super::{Failure, Gate, Laid, Underway};
use crate::channel::{Position, Publication, Retry};
use crate::code::Problem;
use crate::dialect::plain::{self, Draft};
use crate::hub::Channel;
use crate::store::{Append, DatabaseError, Entry};
use crate::transport::ConnectionId;
use crate::worker::{Order, Reservation};

/// Who hears what became of a post.
pub(super) enum Then {
    /// A request that waits.
    Answer(oneshot::Sender<Done>),
    /// A connection, of a failure alone.
    Tell(ConnectionId),
}

/// What became of a post: its receipt, and the message as subscribers got it.
pub(super) type Done = Result<(Receipt, Bytes), Failure>;

/// A post on its way to the disk.
///
/// Owner: the queue of the database, then whoever commits. However it ends, its key is free again or
/// done, and a drain waits for it. It has no places at the workers meanwhile: who waits for a disk takes
/// none away from those who do not.
struct Durable {
    gate: Arc<Gate>,
    channel: Arc<Channel>,
    sender: Arc<str>,
    draft: Draft,
    plain: Bytes,
    at: u64,
    datetime: String,
    ip: Arc<str>,
    retry: Option<Retry>,
    way: Way,
    then: Option<Then>,
    underway: Option<Laid>,
    ticket: Option<Ticket>,
}

impl Gate {
    /// Has `post` written down and then published; `then` hears of it. `reservation` is given back: that
    /// the workers had room for it is what lets it in.
    ///
    /// # Errors
    /// What it needs for another attempt, where too much waits for the disk.
    pub(super) fn write_post(
        self: &Arc<Self>,
        post: &Post,
        channel: Arc<Channel>,
        (ticket, underway, reservation): (Option<Ticket>, Underway<'_>, Reservation<'_>),
        then: Then,
    ) -> Result<(), Busy> {
        drop(reservation);
        let datetime = self.datetime();
        let draft = Draft::new(&post.content, post.author(&datetime));
        let retry = ticket.as_ref().and_then(|ticket| ticket.retry(&datetime, &post.ip));
        let append = Box::new(Durable {
            gate: Arc::clone(self),
            channel,
            sender: Arc::from(post.sender_str()),
            draft,
            plain: Bytes::new(),
            at: self.now(),
            datetime,
            ip: Arc::clone(&post.ip),
            retry,
            way: post.way,
            then: Some(then),
            underway: Some(underway.lay_down()),
            ticket,
        });
        self.archive.append(append).map_err(|_| Busy)
    }
}

/// Too much waits for the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Busy;

impl Append for Durable {
    fn entry(&self) -> Entry<'_> {
        Entry {
            channel: self.channel.name(),
            known: self.channel.last(),
            sender: &self.sender,
            at: self.at,
            retry: self.retry.as_ref(),
        }
    }

    fn render(&mut self, position: Position) -> Bytes {
        self.plain = self.draft.at(position);
        self.plain.clone()
    }

    fn done(mut self: Box<Self>, done: Result<Position, DatabaseError>) {
        match done {
            Ok(position) => self.publish(position),
            Err(error) => self.fail(&error),
        }
    }
}

impl Durable {
    fn publish(&mut self, position: Position) {
        let reservation = self.gate.hub.workers().reserve_anyway();
        let (sender, plain) = (Arc::clone(&self.sender), self.plain.clone());
        let publication = Publication { position, sender, at: Instant::now(), plain };
        self.gate.hub.publish_stored(&self.channel, publication, reservation);
        let kind = self.channel.policy().kind;
        self.gate.tallies.mine().publications.add((self.way, kind), 1);
        let datetime = std::mem::take(&mut self.datetime);
        let receipt = Receipt { position: Some(position), datetime, ip: Arc::clone(&self.ip) };
        if let Some(ticket) = self.ticket.take() {
            ticket.finish(receipt.clone());
        }
        if let Some(Then::Answer(answer)) = self.then.take() {
            // Who does not wait any more asks again with the key, or has it from the channel.
            drop(answer.send(Ok((receipt, std::mem::take(&mut self.plain)))));
        }
    }

    fn fail(&mut self, error: &DatabaseError) {
        let problem = match error {
            DatabaseError::Refused => Problem::BadRequest,
            DatabaseError::Full | DatabaseError::Unavailable(_) => Problem::Unavailable,
        };
        let failure = Failure::new(problem, error.to_string());
        // The key is free before anybody tries again.
        self.ticket = None;
        match self.then.take() {
            Some(Then::Answer(answer)) => drop(answer.send(Err(failure))),
            Some(Then::Tell(connection)) => {
                self.gate.tallies.mine().rejected(self.way, failure.problem, None);
                let json = plain::error(failure.problem.code(), &failure.detail);
                let worker = self.gate.hub.workers().of(connection);
                worker.send(Order::Say(connection, json));
            }
            None => {}
        }
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if let Some(laid) = self.underway.take() {
            drop(self.gate.drain.take_up(laid));
        }
    }
}
