//! One request to the gateway and its answer.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use ureq::http::{Response, header};
use ureq::{Agent, Body, RequestBuilder};

use super::address::{Address, Channel};
use super::backoff;
use super::error::CommandError;
use super::options::Secret;
use super::problem::Problem;

/// How long a connection may take to stand.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// How long an ordinary answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How many connections may wait for another request.
const MOST_IDLE: usize = 3;
/// How long a logout may take, which nobody waits for.
const FAREWELL: Duration = Duration::from_secs(2);
/// The largest answer that is read, as large as the largest message.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// The gateway as a client sees it. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    agent: Agent,
    address: Address,
}

/// What is sent with a post.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payload<'a> {
    /// Fields of a form.
    Form(&'a [(&'a str, &'a str)]),
    /// A JSON document.
    Json(&'a Value),
}

impl Gateway {
    /// A client of the gateway at `address`. Redirects are not followed (they would carry the token
    /// along) and bodies are not compressed (a proxy that compresses holds streams back).
    pub(crate) fn new(address: Address) -> Self {
        Self::keeping(address, MOST_IDLE)
    }

    /// The same, without a connection that waits for the next request: where many connect, each of
    /// those would take the place of one that is in use.
    pub(crate) fn without_idle(address: Address) -> Self {
        Self::keeping(address, 0)
    }

    fn keeping(address: Address, idle: usize) -> Self {
        let config = Agent::config_builder()
            .max_idle_connections(idle)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("pushgate/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_connect(Some(CONNECT))
            .timeout_send_body(Some(ANSWER))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(ANSWER))
            .build();
        Self { agent: config.new_agent(), address }
    }

    /// Where the gateway is.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether requests go through a proxy that the environment names.
    pub(crate) fn is_proxied(&self) -> bool {
        let uri = self.address.base().parse();
        match (self.agent.config().proxy(), uri) {
            (Some(proxy), Ok(uri)) => !proxy.is_no_proxy(&uri),
            _ => false,
        }
    }

    /// The JSON that `verb` answers on `channel`, as it came: a number has the digits that were sent.
    pub(crate) fn get(
        &self,
        verb: &str,
        channel: &Channel,
        query: &[(&str, &str)],
        bearer: Option<&Secret>,
    ) -> Result<String, CommandError> {
        let url = self.address.of(verb, channel, query);
        self.text(self.open(&url, bearer, Timing::ordinary()))
    }

    /// The body that a post of `payload` to `url` answers, an idempotency key with it if any.
    pub(crate) fn post(
        &self,
        url: &str,
        bearer: Option<&Secret>,
        payload: Payload<'_>,
        key: Option<&str>,
    ) -> Result<String, CommandError> {
        let mut request = authorized(self.agent.post(url), bearer);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let sent = match payload {
            Payload::Form(fields) => request.send_form(fields.iter().copied()),
            Payload::Json(document) => {
                request.content_type("application/json").send(document.to_string())
            }
        };
        self.text(sent)
    }

    /// Logs `token` out, and does not wait for long: presence ends by itself too.
    pub(crate) fn farewell(&self, token: &Secret) {
        let url = self.address.of("logout", &Channel::default(), &[]);
        let request = authorized(self.agent.post(url), Some(token));
        let _ = request.config().timeout_global(Some(FAREWELL)).build().send_empty();
    }

    /// The head of the answer to `GET url`; the body is still to be read.
    pub(crate) fn open(
        &self,
        url: &str,
        bearer: Option<&Secret>,
        timing: Timing,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = authorized(self.agent.get(url), bearer);
        request
            .config()
            .timeout_recv_response(Some(timing.head))
            .timeout_per_read(Some(timing.read))
            .build()
            .call()
    }

    /// The body of a good answer; anything else as the error it is.
    pub(crate) fn text(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<String, CommandError> {
        let mut response = answer.map_err(|error| self.unreachable(error))?;
        if !response.status().is_success() {
            return Err(refusal(&mut response));
        }
        let reader = response.body_mut().with_config().limit(LARGEST);
        reader.read_to_string().map_err(|error| self.unreachable(error))
    }

    /// A failure of the network, told with the address.
    pub(crate) fn unreachable(&self, source: ureq::Error) -> CommandError {
        CommandError::Unreachable {
            address: self.address.base().to_owned(),
            source: Box::new(source),
        }
    }
}

/// How long to wait for the head of an answer, and for each piece of its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// From the request to the head of the answer.
    pub(crate) head: Duration,
    /// Between two pieces of the body.
    pub(crate) read: Duration,
}

impl Timing {
    /// For an answer that comes at once.
    pub(crate) fn ordinary() -> Self {
        Self { head: ANSWER, read: ANSWER }
    }
}

/// The token goes into a header and nowhere else: addresses end up in logs.
fn authorized<B>(request: RequestBuilder<B>, bearer: Option<&Secret>) -> RequestBuilder<B> {
    match bearer {
        Some(secret) => request.header(header::AUTHORIZATION, secret.bearer()),
        None => request,
    }
}

/// What an answer that is not 2xx says.
pub(crate) fn refusal(response: &mut Response<Body>) -> CommandError {
    let status = response.status().as_u16();
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let asked = text(header::RETRY_AFTER).map(str::to_owned);
    let redirect = text(header::LOCATION)
        .map(|to| format!("redirects to {}", to.split(['?', '#']).next().unwrap_or_default()));
    let body = response.body_mut().with_config().limit(64 * 1024).read_to_string();
    told(status, &body.unwrap_or_default(), asked.as_deref(), redirect.as_deref())
}

/// The error in an answer of `status` with `body`, `asked` being its `Retry-After`.
pub(crate) fn told(
    status: u16,
    body: &str,
    asked: Option<&str>,
    detail: Option<&str>,
) -> CommandError {
    let retry_after = asked.and_then(|asked| backoff::retry_after(asked, Timestamp::now()));
    match Problem::parse(status, body) {
        Some(problem) => CommandError::Refused(Problem { retry_after, ..problem }),
        None => CommandError::Foreign(Problem {
            retry_after,
            ..Problem::of_status(status, detail.unwrap_or_default())
        }),
    }
}

/// The document in the body of a good answer.
pub(crate) fn json(body: &str) -> Result<Value, CommandError> {
    serde_json::from_str(body)
        .map_err(|_| CommandError::Foreign(Problem::of_status(200, "the answer is not JSON")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::error::Retry;

    #[test]
    fn retry_after_goes_with_a_problem_and_with_a_page_of_a_proxy() {
        let body = r#"{"code":"draining","title":"Draining"}"#;
        let seven = Retry::After(Some(Duration::from_secs(7)));
        assert_eq!(told(503, body, Some("7"), None).retry(), seven);
        assert_eq!(told(503, "<html>", Some("7"), None).retry(), seven);
        assert_eq!(told(404, body, Some("7"), None).retry(), Retry::Never);
    }
}
