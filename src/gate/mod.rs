//! The gate: the HTTP verbs, from request to hub and back.
//!
//! A verb takes its request apart ([`request`](self), `identify`), makes one call below, and puts
//! the answer together; errors are problem documents. It decides nothing else. `router` has all
//! routes on one page; a file a verb.

mod api;
mod archive;
mod board;
mod body;
mod direct;
mod durable;
mod ended;
mod health;
mod history;
mod idempotency;
mod identify;
mod leave;
mod limit;
mod login;
mod logout;
mod messages;
mod metrics;
mod origin;
mod pages;
mod peer;
mod poll;
mod post;
mod problem;
mod process;
mod publish;
mod request;
mod route;
mod router;
mod stream;
mod subscribe;
mod tally;
mod topics;
mod users;
mod welcome;
mod ws;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use tokio::sync::Notify;

pub use archive::Archive;
pub use board::Board;
pub(crate) use body::Fields;
pub use idempotency::Idempotency;
pub use leave::{Detachable, Leaving};
pub use limit::{AddressCounts, Entered, Rates, TooManyHere, Whom};
pub use problem::{Failure, problem_document};
pub(crate) use request::Pairs;
pub use route::Route;
pub use router::{admin_router, router};
pub use stream::refuse;
pub use tally::{Tallies, Tally};
pub use welcome::tries;

use crate::channel::Policies;
use crate::config::{Config, IpDisclosure};
use crate::hooks::{Scribe, Webhook};
use crate::hub::Hub;
use crate::identity::{ApiKeys, LiveTokens, Signer, TokenClock};
use crate::presence::Presence;
use crate::store::EndedLog;

/// Who sent a request, as the listener saw it; put into each request by the server.
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    /// The address that the connection comes from.
    pub peer: IpAddr,
    /// The address that the client is known by: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    /// Who passed the request on.
    pub via: Via,
    /// The connection is encrypted.
    pub tls: bool,
}

/// Who passed a request on, as far as its head tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via {
    /// Nobody that tells of it.
    Nobody,
    /// A proxy that is not trusted.
    Stranger,
    /// A trusted proxy that names whom it is from.
    Trusted,
    /// A trusted proxy that does not: the address is the last that is known.
    Silent,
}

impl Remote {
    /// Whether the request was made on this machine: the connection was, and whoever passed it on
    /// is trusted and says so.
    pub const fn is_here(&self) -> bool {
        self.peer.is_loopback() && self.address.is_loopback() && self.is_told()
    }

    /// Whom the limits of an address count the request for.
    pub(crate) const fn whom(&self) -> Whom {
        match self.via {
            Via::Silent => Whom::behind(self.address),
            Via::Nobody | Via::Stranger | Via::Trusted => Whom::at(self.address),
        }
    }

    /// Whether the address is that of whoever made the request, as far as we trust anybody.
    const fn is_told(&self) -> bool {
        matches!(self.via, Via::Nobody | Via::Trusted)
    }

    /// Whether it came through a trusted proxy, whose connections are not counted for an address.
    const fn is_proxied(&self) -> bool {
        matches!(self.via, Via::Trusted | Via::Silent)
    }
}

/// Everything the verbs speak to. Owner: the server; shared by all requests.
#[derive(Debug)]
pub struct Gate {
    /// The configuration, checked.
    pub config: Config,
    /// Which channels there are.
    pub policies: Policies,
    /// Mints and verifies tokens.
    pub signer: Signer,
    /// Which tokens were ended.
    pub live: LiveTokens,
    /// Where ended tokens are written down; none without a data directory.
    pub ended_log: Option<Arc<EndedLog>>,
    /// The keys of backends.
    pub api_keys: ApiKeys,
    /// The time that tokens are judged by.
    pub clock: TokenClock,
    /// Who is there.
    pub presence: Arc<Presence>,
    /// Tells a backend of who comes and goes; none where no receiver is configured.
    pub webhook: Option<Arc<Webhook>>,
    /// Writes down who comes and goes; none where that is of no use.
    pub scribe: Option<Arc<Scribe>>,
    /// The channels.
    pub hub: Arc<Hub>,
    /// The topics.
    pub board: Board,
    /// What is kept of durable channels.
    pub archive: Archive,
    /// How many connections are open from each address.
    pub addresses: Arc<AddressCounts>,
    /// Keys of posts that may be repeated.
    pub idempotency: Idempotency,
    /// How fast clients and addresses may be.
    pub rates: Rates,
    /// Whether the node is going away, and what it still waits for.
    pub drain: Drain,
    /// What is counted here.
    pub tallies: Tallies,
    /// When the process started.
    pub started: SystemTime,
}

/// The door that closes when the node goes away.
#[derive(Debug, Default)]
pub struct Drain {
    draining: AtomicBool,
    publishing: AtomicUsize,
    done: Notify,
}

/// A publication under way: the node does not drain before it is finished.
#[derive(Debug)]
pub struct Underway<'a>(&'a Drain);

impl Drain {
    /// Whether the node is going away.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Begins a publication; `None` while draining.
    pub fn begin(&self) -> Option<Underway<'_>> {
        self.publishing.fetch_add(1, Ordering::AcqRel);
        let underway = Underway(self);
        (!self.is_draining()).then_some(underway)
    }

    /// The publication that was laid down.
    pub const fn take_up(&self, _: Laid) -> Underway<'_> {
        Underway(self)
    }

    /// Lets nothing more begin, and waits for what has.
    pub async fn close(&self) {
        self.draining.store(true, Ordering::Release);
        loop {
            let done = self.done.notified();
            tokio::pin!(done);
            done.as_mut().enable();
            if self.publishing.load(Ordering::Acquire) == 0 {
                return;
            }
            done.await;
        }
    }
}

/// A publication under way that belongs to nobody: to be taken up again, or the node never drains.
#[derive(Debug)]
#[must_use]
pub struct Laid(());

impl Underway<'_> {
    /// The publication alone, for whoever cannot borrow the door meanwhile.
    pub fn lay_down(self) -> Laid {
        std::mem::forget(self);
        Laid(())
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if self.0.publishing.fetch_sub(1, Ordering::AcqRel) == 1 && self.0.is_draining() {
            self.0.done.notify_waiters();
        }
    }
}

impl Gate {
    /// `address` as lists and messages show it: whole, cut, or not at all; wire.md section 5.
    pub fn shown_ip(&self, address: IpAddr) -> Arc<str> {
        match self.config.presence.ip {
            IpDisclosure::Full => Arc::from(address.to_string()),
            IpDisclosure::None => Arc::from(""),
            IpDisclosure::Cut => Arc::from(cut(address)),
        }
    }
}

/// Private and loopback addresses in full, public ones as their /24 or /48.
fn cut(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let private = v4.is_private() || v4.is_loopback() || v4.is_link_local();
            if private { v4.to_string() } else { format!("{a}.{b}.{c}.0") }
        }
        IpAddr::V6(v6) => {
            let private = v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local();
            let [a, b, c, ..] = v6.segments();
            let cut = std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0);
            if private { v6.to_string() } else { cut.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_cut_and_private_ones_are_not() {
        let cases = [
            ("127.0.0.1", "127.0.0.1"),
            ("10.1.2.3", "10.1.2.3"),
            ("192.168.7.8", "192.168.7.8"),
            ("8.8.4.4", "8.8.4.0"),
            ("::1", "::1"),
            ("fd00::1", "fd00::1"),
            ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ];
        for (address, shown) in cases {
            assert_eq!(cut(address.parse().unwrap()), shown);
        }
    }

    #[tokio::test]
    async fn a_drain_waits_for_what_is_under_way_and_lets_nothing_begin() {
        let drain = Drain::default();
        let underway = drain.begin().unwrap();
        let closed = AtomicBool::new(false);
        let close = async {
            drain.close().await;
            closed.store(true, Ordering::Release);
        };
        let finish = async {
            assert!(drain.begin().is_none());
            assert!(!closed.load(Ordering::Acquire));
            drop(underway);
        };
        tokio::join!(close, finish);
    }
}
