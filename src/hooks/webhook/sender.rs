//! One attempt to tell the receiver of one event.

use std::io;
use std::time::SystemTime;

use ureq::Agent;
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::DefaultConnector;

use super::AT_ONCE;
use super::body::Body;
use super::event::Event;
use super::failure::Failure;
use super::resolver::PublicResolver;
use super::signature::Signature;
use crate::config::{HookEncoding, Hooks};
use crate::presence::Edge;

/// The longest answer that is read. Nothing of it matters; a receiver that sends more is broken.
const LONGEST: u64 = 64 * 1024;

/// Posts events to the receiver. Threads share it, and its connections.
#[derive(Debug)]
pub(super) struct Sender {
    agent: Agent,
    connected: String,
    disconnected: String,
    encoding: HookEncoding,
    signature: Signature,
}

impl Sender {
    /// Sends to `hooks.url`; `None` without one.
    pub(super) fn new(hooks: &Hooks) -> Option<Self> {
        let (url, secret) = (hooks.url.as_ref()?, hooks.secret.as_ref()?);
        let agent = if hooks.names_its_address() {
            agent(hooks, DefaultResolver::default())
        } else {
            agent(hooks, PublicResolver::<DefaultResolver>::default())
        };
        Some(Self {
            agent,
            connected: format!("{url}/_ah/channel/connected/"),
            disconnected: format!("{url}/_ah/channel/disconnected/"),
            encoding: hooks.encoding,
            signature: Signature::new(secret),
        })
    }

    /// Sends `event` and waits for the answer, `hooks.timeout` at most.
    ///
    /// # Errors
    /// [`Failure`], with anything but a whole answer of 2xx. The receiver may have taken the event even
    /// so.
    pub(super) fn send(&self, event: &Event) -> Result<(), Failure> {
        let url = match event.edge {
            Edge::Connected => &self.connected,
            Edge::Disconnected => &self.disconnected,
        };
        let body = Body::of(event, self.encoding);
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (time, id) = (time.as_secs(), event.id.to_string());
        let mut request = self
            .agent
            .post(url)
            .content_type(&body.media_type)
            .header("X-Pushgate-Event", &id)
            .header("X-Pushgate-Signature", self.signature.of(time, &body.bytes));
        if let Some(number) = event.number {
            let signature = self.signature.of_number(time, &id, number);
            request = request
                .header("X-Pushgate-Number", number.to_string())
                .header("X-Pushgate-Number-Signature", signature);
        }
        let mut answer = request.send(&body.bytes)?;
        if !answer.status().is_success() {
            return Err(Failure::status(answer.status().as_u16()));
        }
        // To its end, so that the connection can be used again. One that is exactly as long as it may be
        // has yet to show that it ends there.
        let mut rest = answer.body_mut().with_config().limit(LONGEST + 1).reader();
        io::copy(&mut rest, &mut io::sink()).map_err(ureq::Error::from)?;
        Ok(())
    }
}

/// Redirects are not followed, no proxy is asked: only where `hooks.url` leads is spoken to.
fn agent(hooks: &Hooks, resolver: impl Resolver) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("pushgate/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .max_idle_connections(AT_ONCE)
        .max_idle_connections_per_host(AT_ONCE)
        .timeout_global(Some(hooks.timeout))
        .build();
    Agent::with_parts(config, DefaultConnector::default(), resolver)
}
