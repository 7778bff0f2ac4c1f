//! `GET /_ah/channel/dev`: the development protocol of the Channel API, for clients that speak it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use super::super::origin::origin_of;
use super::super::request::{Pairs, remote_of};
use super::{Failure, Gate};
use crate::channel::ChannelName;
use crate::code::Problem;
use crate::dialect::plain;
use crate::identity::{Claims, TokenError};
use crate::presence::{Taken, Visitor};

/// What the old servers said of a token, in the status line.
const INVALID: &str = "Invalid+token.";
const TIMED_OUT: &str = "Token+timed+out.";

#[derive(Clone, Copy)]
enum Command {
    Connect,
    Poll,
    Disconnect,
}

/// Why a command failed, and how the status line says it where these clients look there.
struct Refusal {
    failure: Failure,
    reason: Option<&'static str>,
}

/// The verb.
pub(in crate::gate) async fn dev(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    match gate.obey(&parts).await {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, plain);
            response
        }
        Err(Refusal { failure, reason }) => {
            let mut response = failure.into_response();
            if let Some(reason) = reason {
                response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
            }
            response
        }
    }
}

/// What every answer at this path has, also to other methods.
pub(in crate::gate) async fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Reads command and token; whatever else is there is not looked at.
fn asked(parts: &Parts) -> Result<(Command, String), Failure> {
    let query = Pairs::of_query(parts)?;
    let command = match query.once("command")? {
        Some("connect") => Command::Connect,
        Some("poll") => Command::Poll,
        Some("disconnect") => Command::Disconnect,
        Some(_) | None => {
            return Err(Failure::field("command", "must be connect, poll or disconnect"));
        }
    };
    let token = query.once("channel")?.filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Failure::field("channel", "must be a token"))?;
    Ok((command, token.to_owned()))
}

impl Gate {
    /// Does what is asked for; the body of the answer.
    async fn obey(&self, parts: &Parts) -> Result<Vec<u8>, Refusal> {
        if self.drain.is_draining() {
            return Err(Failure::draining().into());
        }
        let (command, token) = asked(parts)?;
        let claims = self.claims_of(&token)?;
        let now = Instant::now();
        if let Command::Disconnect = command {
            self.presence.hang_up(&claims.client, claims.order, claims.line, now);
            return Ok(Vec::new());
        }
        let root = ChannelName::root();
        if !claims.line && !claims.may_read(&root) {
            let detail = "the token does not allow this channel";
            return Err(Failure::new(Problem::Forbidden, detail).into());
        }
        self.connect_token(Some(&claims)).await;
        let visitor = self.visitor_of(parts, &claims);
        if let Command::Connect = command {
            self.presence.stay(&visitor, claims.line, now).map_err(Failure::from)?;
            return Ok(b"1".to_vec());
        }
        let oldest = self.presence.take_one(&visitor, claims.line, &root, now);
        Ok(match oldest.map_err(Failure::from)? {
            Taken::Message(message) => message.raw().into(),
            Taken::Dropped(dropped) => plain::inbox_gap(&root, dropped).into(),
            Taken::Nothing => Vec::new(),
        })
    }

    fn claims_of(&self, token: &str) -> Result<Arc<Claims>, Refusal> {
        let refused = |failure, reason| Refusal { failure, reason: Some(reason) };
        let claims = self.signer.verify(token, self.clock.now()).map_err(|error| match error {
            TokenError::Expired => refused(error.into(), TIMED_OUT),
            TokenError::Malformed | TokenError::Invalid => refused(error.into(), INVALID),
        })?;
        let ended =
            |_| refused(Failure::new(Problem::TokenInvalid, "the token was ended"), INVALID);
        self.live.check(&claims).map_err(ended)?;
        Ok(claims)
    }

    fn visitor_of(&self, parts: &Parts, claims: &Claims) -> Visitor {
        let address = remote_of(parts).address;
        Visitor {
            client: claims.client.clone(),
            name: claims.name.clone(),
            address,
            shown_ip: self.shown_ip(address),
            origin: origin_of(parts).map(Arc::from),
            is_counted: self.rates.counts(remote_of(parts).whom()),
            token: Some(claims.order),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, reason: None }
    }
}
