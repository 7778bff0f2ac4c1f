//! All rates of the gate, and whom each of them counts.

use bytes::Bytes;

use super::rate::{Rate, TooFast};
use super::source::{Source, Sources, Whom};
use crate::code::{Limit, Problem};
use crate::config::Limits;
use crate::dialect::plain;
use crate::identity::ClientId;

/// The rates of `[limits]`.
///
/// Owner: the gate; shared by all requests and connections. Nothing waits, and no bucket is held by
/// whoever it belongs to: coming back under the same id or address finds it as it was left.
#[derive(Debug)]
pub struct Rates {
    sources: Sources,
    logins: Rate<Source>,
    rooms: Rate<Source>,
    messages: Rate<ClientId>,
    /// Posts without a client id, which only their address tells apart.
    nameless: Rate<Source>,
    /// How often a client is told over a WebSocket that it is too fast, before that is the end of it.
    refusals: Rate<ClientId>,
    /// What it is told.
    refusal: Bytes,
}

/// What becomes of a message over a WebSocket that came too soon.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::gate) enum Refusal {
    /// The sender is told this.
    Told(Bytes),
    /// It was told often enough: its connection ends.
    Enough,
}

impl Rates {
    /// Nobody has done anything yet.
    pub fn new(limits: &Limits) -> Self {
        let logins = format!(
            "limits.logins_per_second: {} a second from one address, {} at a stroke",
            limits.logins_per_second, limits.login_burst
        );
        let rooms = format!(
            "limits.rooms_per_minute: {} new channels a minute from one address",
            limits.rooms_per_minute
        );
        let (messages, burst) = (limits.messages_per_second, limits.message_burst);
        let told = format!("limits.messages_per_second: {messages} a second, {burst} at a stroke");
        Self {
            sources: Sources::new(&limits.exempt),
            logins: Rate::a_second(limits.logins_per_second, limits.login_burst, logins)
                .of(Limit::LoginsPerSecond),
            rooms: Rate::a_minute(limits.rooms_per_minute, rooms).of(Limit::RoomsPerMinute),
            refusal: plain::error(Problem::RateLimited.code(), &told),
            messages: Rate::a_second(messages, burst, told.clone()).of(Limit::MessagesPerSecond),
            refusals: Rate::a_second(messages, burst, told.clone()),
            nameless: Rate::a_second(messages, burst, told).of(Limit::MessagesPerSecond),
        }
    }

    /// Whether `whom` is counted at all, which does not change while a connection lives.
    pub(in crate::gate) fn counts(&self, whom: Whom) -> bool {
        self.sources.of(whom).is_some()
    }

    /// Counts a login of `whom`.
    ///
    /// # Errors
    /// [`TooFast`].
    pub(in crate::gate) fn login(&self, whom: Whom) -> Result<(), TooFast<'_>> {
        self.sources.of(whom).map_or(Ok(()), |source| self.logins.take(&source))
    }

    /// Counts a channel that is about to be made for `whom`.
    ///
    /// # Errors
    /// [`TooFast`].
    pub(in crate::gate) fn room(&self, whom: Whom) -> Result<(), TooFast<'_>> {
        self.sources.of(whom).map_or(Ok(()), |source| self.rooms.take(&source))
    }

    /// Counts a post of `whom`: as `client`, or of nobody in particular.
    ///
    /// # Errors
    /// [`TooFast`].
    pub(in crate::gate) fn post(
        &self,
        whom: Whom,
        client: Option<&ClientId>,
    ) -> Result<(), TooFast<'_>> {
        match (self.sources.of(whom), client) {
            (None, _) => Ok(()),
            (Some(_), Some(client)) => self.messages.take(client),
            (Some(source), None) => self.nameless.take(&source),
        }
    }

    /// Counts a message of `client` over a WebSocket from an address that [counts](Self::counts).
    ///
    /// One that comes too soon is told so, a burst of times and at its rate from then on: it is
    /// `Enough` for who goes on at more than twice its rate.
    ///
    /// # Errors
    /// [`Refusal`]; the message is not to be published.
    pub(in crate::gate) fn message(&self, client: &ClientId) -> Result<(), Refusal> {
        if self.messages.take(client).is_ok() {
            return Ok(());
        }
        let told = self.refusals.take(client).map(|()| Refusal::Told(self.refusal.clone()));
        Err(told.unwrap_or(Refusal::Enough))
    }

    /// Drops what says the same as nothing: the buckets of who has not come for a while.
    pub fn sweep(&self) {
        for rate in [&self.logins, &self.rooms, &self.nameless] {
            rate.sweep();
        }
        self.messages.sweep();
        self.refusals.sweep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    const HERE: Whom = Whom::at(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn rates(exempt: &[&str]) -> Rates {
        Rates::new(&Limits {
            exempt: exempt.iter().map(|network| network.parse().unwrap()).collect(),
            messages_per_second: 10,
            message_burst: 20,
            ..Limits::default()
        })
    }

    fn client(text: &str) -> ClientId {
        ClientId::parse(text).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn posts_and_messages_of_a_client_come_out_of_one_bucket() {
        let (rates, ann) = (rates(&[]), client("ann"));
        for _ in 0..10 {
            rates.post(HERE, Some(&ann)).unwrap();
            rates.message(&ann).unwrap();
        }
        assert_eq!(rates.post(HERE, Some(&ann)).unwrap_err().wait, Duration::from_millis(100));
        assert!(matches!(rates.message(&ann), Err(Refusal::Told(_))));
        rates.message(&client("bob")).unwrap();
        rates.post(HERE, None).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_on_is_told_for_a_burst_and_then_ended() {
        let (rates, ann) = (rates(&[]), client("ann"));
        let all: Vec<_> = (0..41).map(|_| rates.message(&ann)).collect();
        assert_eq!(all.iter().filter(|heard| heard.is_ok()).count(), 20);
        assert!(all[20..40].iter().all(|heard| matches!(heard, Err(Refusal::Told(_)))));
        assert_eq!(all[40], Err(Refusal::Enough));
    }

    #[tokio::test(start_paused = true)]
    async fn twice_the_rate_is_told_for_ever_and_three_times_is_not() {
        let (rates, twice, thrice) = (rates(&[]), client("twice"), client("thrice"));
        let mut ended = 0;
        for _ in 0..1000 {
            tokio::time::advance(Duration::from_millis(100)).await;
            for _ in 0..2 {
                assert_ne!(rates.message(&twice), Err(Refusal::Enough));
            }
            let all = [(); 3].map(|()| rates.message(&thrice));
            ended += all.iter().filter(|heard| **heard == Err(Refusal::Enough)).count();
        }
        assert!(ended > 900, "{ended}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_exempt_address_is_counted_by_no_rate() {
        let (rates, ann) = (rates(&["127.0.0.0/8"]), client("ann"));
        assert!(!rates.counts(HERE));
        for _ in 0..1000 {
            rates.post(HERE, Some(&ann)).unwrap();
            rates.post(HERE, None).unwrap();
            rates.login(HERE).unwrap();
            rates.room(HERE).unwrap();
        }
        let elsewhere = Whom::at("192.0.2.1".parse().unwrap());
        assert!(rates.counts(elsewhere));
        assert!((0..1000).any(|_| rates.login(elsewhere).is_err()));
    }
}
