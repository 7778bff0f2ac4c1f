//! From something that was accepted to its place on the channel, for posts and sockets alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::archive::Held;
use super::durable::{Busy, Then};
use super::idempotency::{Begin, Receipt};
use super::tally::Way;
use super::{Failure, Gate};
use crate::channel::{ChannelName, Content, Policy};
use crate::code::{Limit, Problem};
use crate::dialect::Direct;
use crate::dialect::plain::{Author, Draft};
use crate::hub::{From, Reach};
use crate::identity::ClientId;
use crate::transport::ConnectionId;
use crate::worker::Reservation;

/// How long a post waits for room in the workers' queues.
const PATIENCE: Duration = Duration::from_secs(1);

/// A post that was accepted by its kind and whose sender may make it.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) channel: ChannelName,
    pub(super) policy: Arc<Policy>,
    /// `None` for a backend that names nobody.
    pub(super) sender: Option<ClientId>,
    pub(super) ip: Arc<str>,
    pub(super) content: Content,
    pub(super) to: Option<String>,
    pub(super) key: Option<String>,
    /// How it came.
    pub(super) way: Way,
}

/// What became of a post that does not wait.
#[derive(Debug)]
pub(super) enum Tried {
    /// It is published.
    Done,
    /// There is no room now, or another post under the same key is under way.
    Busy,
}

impl Gate {
    /// Publishes, waiting for room and for an earlier post under the same key.
    ///
    /// # Errors
    /// [`Failure`]: draining, no room within a second, an unknown recipient, a reused key.
    pub(super) async fn publish(self: &Arc<Self>, post: &Post) -> Result<Bytes, Failure> {
        let Some(underway) = self.drain.begin() else {
            return Err(Failure::draining());
        };
        // Read first: it tells which keys were used.
        let held = match post.to {
            None => self.hold(&post.channel, &post.policy, Reach::From(From::Now)).await?,
            Some(_) => Held::default(),
        };
        let ticket = loop {
            match self.begin(post)? {
                Begin::First(ticket) => break Some(ticket),
                Begin::Repeated(receipt) => {
                    self.tallies.mine().repeated.add(post.way, 1);
                    return Ok(post.answer(&receipt));
                }
                Begin::Reused => return Err(reused()),
                Begin::Wait(done) if post.key.is_some() => {
                    let notified = done.notified();
                    tokio::pin!(notified);
                    notified.as_mut().enable();
                    // It may have been done before we listened: look again soon in any case.
                    let _ = tokio::time::timeout(Duration::from_millis(50), notified).await;
                }
                Begin::Wait(_) => break None,
            }
        };
        let reservation = self.reserve().await?;
        if let Some(channel) = held.channel() {
            let (answer, answered) = oneshot::channel();
            let then = Then::Answer(answer);
            let written = self.write_post(post, channel, (ticket, underway, reservation), then);
            written.map_err(|Busy| too_much_waits())?;
            let gone = |_| Err(Failure::new(Problem::Unavailable, "nobody speaks to the database"));
            let (receipt, plain) = answered.await.unwrap_or_else(gone)?;
            return Ok(post.answer_as(&receipt, &plain));
        }
        let (receipt, answer) = self.deliver(post, reservation)?;
        if let Some(ticket) = ticket {
            ticket.finish(receipt);
        }
        Ok(answer)
    }

    /// A place in the queue of every worker.
    ///
    /// # Errors
    /// 503 if there is no room within a second.
    pub(super) async fn reserve(&self) -> Result<Reservation<'_>, Failure> {
        let workers = self.hub.workers();
        if let Some(reservation) = workers.try_reserve() {
            return Ok(reservation);
        }
        tokio::time::timeout(PATIENCE, workers.reserve()).await.map_err(|_| {
            let detail = "the queue of the workers stayed full for a second";
            Failure::of_limit(Limit::WorkerQueue, detail)
        })
    }

    /// Publishes if that needs no waiting.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub(super) fn try_publish(
        self: &Arc<Self>,
        post: &Post,
        connection: ConnectionId,
    ) -> Result<Tried, Failure> {
        let Some(underway) = self.drain.begin() else {
            return Err(Failure::draining());
        };
        let Some(reservation) = self.hub.workers().try_reserve() else {
            return Ok(Tried::Busy);
        };
        let ticket = match post.key {
            None => None,
            Some(_) => match self.begin(post)? {
                Begin::Wait(_) => return Ok(Tried::Busy),
                Begin::Reused => return Err(reused()),
                Begin::Repeated(_) => {
                    self.tallies.mine().repeated.add(post.way, 1);
                    return Ok(Tried::Done);
                }
                Begin::First(ticket) => Some(ticket),
            },
        };
        if post.policy.durable && post.to.is_none() {
            // Whoever is subscribed to it holds it.
            let gone = || Failure::new(Problem::Unavailable, "the channel is not there");
            let channel = self.hub.find(&post.channel).ok_or_else(gone)?;
            let then = Then::Tell(connection);
            let written = self.write_post(post, channel, (ticket, underway, reservation), then);
            return Ok(written.map_or(Tried::Busy, |()| Tried::Done));
        }
        let (receipt, _) = self.deliver(post, reservation)?;
        if let Some(ticket) = ticket {
            ticket.finish(receipt);
        }
        Ok(Tried::Done)
    }

    fn begin(&self, post: &Post) -> Result<Begin, Failure> {
        let Some(key) = &post.key else {
            return Ok(Begin::Wait(Arc::default()));
        };
        if key.is_empty() || key.chars().count() > 128 {
            return Err(Failure::field("key", "must have 1 to 128 characters"));
        }
        let scope = (post.sender.clone(), post.channel.clone());
        let body = [post.content.as_str(), post.to.as_deref().unwrap_or_default()];
        Ok(self.idempotency.begin(&scope, key, &body, Instant::now()))
    }

    /// Gives the post its place, or hands it to the one client that it is for.
    fn deliver(
        &self,
        post: &Post,
        reservation: Reservation<'_>,
    ) -> Result<(Receipt, Bytes), Failure> {
        let datetime = self.datetime();
        let ip = Arc::clone(&post.ip);
        let draft = Draft::new(&post.content, post.author(&datetime));
        if let Some(to) = &post.to {
            let json = draft.finish_without_id();
            let message = match post.content {
                Content::Json(_) => Direct::value(Arc::from(post.sender_str()), json),
                Content::Message(_) | Content::Chat(_) => Direct::message(json),
            };
            let to = ClientId::parse(to).map_err(|e| Failure::field("to", &e.to_string()))?;
            self.deliver_direct(&to, &post.channel, message, reservation)?;
            self.tallies.mine().direct.add(post.way, 1);
            let receipt = Receipt { position: None, datetime, ip };
            let answer = post.answer(&receipt);
            return Ok((receipt, answer));
        }
        let sender = Arc::from(post.sender_str());
        let published =
            self.hub.publish((&post.channel, &post.policy), &sender, draft, reservation);
        self.tallies.mine().publications.add((post.way, post.policy.kind), 1);
        let receipt = Receipt { position: Some(published.position), datetime, ip };
        let answer = post.answer_as(&receipt, &published.plain);
        Ok((receipt, answer))
    }

    /// Now, in RFC 3339 with microseconds and the offset of the configured time zone.
    pub(super) fn datetime(&self) -> String {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
        let now = Timestamp::now();
        PRINTER.timestamp_with_offset_to_string(&now, self.config.time_zone.to_offset(now))
    }
}

fn too_much_waits() -> Failure {
    Failure::new(Problem::Unavailable, "too much waits for the database")
}

fn reused() -> Failure {
    Failure::new(Problem::KeyReused, "the key was used for another post in the last 5 minutes")
}

impl Post {
    pub(super) fn sender_str(&self) -> &str {
        self.sender.as_ref().map_or("", ClientId::as_str)
    }

    pub(super) fn author<'a>(&'a self, datetime: &'a str) -> Author<'a> {
        Author { client_id: self.sender_str(), datetime, ip: &self.ip }
    }

    /// The answer to a post that was published as `plain`.
    fn answer_as(&self, receipt: &Receipt, plain: &Bytes) -> Bytes {
        match self.content {
            Content::Message(_) => plain.clone(),
            Content::Chat(_) | Content::Json(_) => self.answer(receipt),
        }
    }

    /// The answer that goes with `receipt`.
    fn answer(&self, receipt: &Receipt) -> Bytes {
        let Receipt { position, datetime, ip } = receipt;
        let author = Author { client_id: self.sender_str(), datetime, ip };
        let draft = Draft::answer(&self.content, author);
        match position {
            Some(position) => draft.finish(*position),
            None => draft.finish_without_id(),
        }
    }
}
