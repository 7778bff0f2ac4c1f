//! `POST /post[/{channel}]`: publishes to everyone on the channel, or to one client of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use tokio::time::Instant;

use super::body::{Fields, too_large};
use super::identify::Caller;
use super::problem::Answer;
use super::publish::Post;
use super::request::{Pairs, channel_of, remote_of};
use super::tally::Way;
use super::{Failure, Gate};
use crate::channel::{Accepted, ChannelName, Inbound, Policy, Rejection};
use crate::code::Limit;
use crate::identity::ClientId;

/// The verb.
pub(super) async fn post(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    if gate.drain.is_draining() {
        return Err(Failure::draining());
    }
    let (channel, policy) = channel_of(&gate, &parts)?;
    let query = Pairs::of_query(&parts)?;
    let fields = match Fields::read(&gate, &parts, body).await {
        Ok(fields) => fields,
        Err(failure) => return Err(gate.unreadable(&parts, &query, failure)),
    };
    check_size(&gate, &fields)?;
    let caller = gate.identify(&parts, &query, Some(&fields))?;
    let remote = remote_of(&parts);
    if !matches!(caller, Caller::Backend(_)) {
        gate.rates.post(remote.whom(), caller.client())?;
    }
    caller.check_write(&channel, &policy)?;
    if !policy.takes_posts() {
        return Err(Rejection::NotPostable.into());
    }
    let accepted = policy.accept(inbound(&fields)?)?;
    let Accepted::Publish { content, .. } = accepted else {
        return Err(Rejection::NotPostable.into());
    };
    let to = fields.text("to")?;
    let key = key_of(&parts, &fields)?;
    if to.is_none() {
        gate.may_open(&channel, &caller, remote.whom())?;
    }
    let sender = gate.sender(&parts, &caller, &policy, &channel)?;
    let ip = gate.shown_ip(remote.address);
    let post = Post { channel, policy, sender, ip, content, to, key, way: Way::Http };
    let answer = gate.publish(&post).await?;
    Ok(json(answer))
}

/// 200 with JSON.
pub(super) fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The size of a value is a limit, and judged before anything else that is in the body.
fn check_size(gate: &Gate, fields: &Fields) -> Result<(), Failure> {
    let limit = gate.config.limits.message_bytes;
    let size = match fields {
        Fields::Form(pairs) => pairs.all("value").map(str::len).max().unwrap_or(0),
        Fields::Json(fields) => fields.get("value").map_or(0, |raw| match raw.get() {
            text if text.starts_with('"') => {
                serde_json::from_str::<String>(text).map_or(0, |text| text.len())
            }
            other => other.len(),
        }),
    };
    if size > limit { Err(too_large(Limit::MessageBytes, limit)) } else { Ok(()) }
}

fn inbound(fields: &Fields) -> Result<Inbound<'_>, Failure> {
    let missing = || Failure::field("value", "is missing");
    match fields {
        Fields::Form(pairs) => Ok(Inbound::Text(pairs.once("value")?.ok_or_else(missing)?)),
        Fields::Json(fields) => Ok(Inbound::Json(fields.get("value").ok_or_else(missing)?.get())),
    }
}

fn key_of(parts: &Parts, fields: &Fields) -> Result<Option<String>, Failure> {
    match parts.headers.get("idempotency-key") {
        None => fields.text("key"),
        Some(value) => {
            let text = value.to_str();
            let text = text.map_err(|_| Failure::field("Idempotency-Key", "must be ASCII"))?;
            Ok(Some(text.to_owned()))
        }
    }
}

impl Gate {
    /// A body that cannot be read may have held the token: but one in the header is judged first.
    fn unreadable(&self, parts: &Parts, query: &Pairs, failure: Failure) -> Failure {
        if failure.problem != crate::code::Problem::BadRequest {
            return failure;
        }
        self.identify(parts, query, None).err().unwrap_or(failure)
    }

    /// In whose name a post is published; whoever that is, is there.
    fn sender(
        &self,
        parts: &Parts,
        caller: &Caller,
        policy: &Policy,
        channel: &ChannelName,
    ) -> Result<Option<ClientId>, Failure> {
        let now = Instant::now();
        match caller {
            Caller::Backend(named) => Ok(named.clone()),
            Caller::ClientId(client) => {
                self.presence.refresh(client, channel, now);
                Ok(Some(client.clone()))
            }
            Caller::Client(claims) if self.presence.refresh(&claims.client, channel, now) => {
                Ok(Some(claims.client.clone()))
            }
            Caller::Client(_) => {
                let visitor = self.visitor(parts, caller, policy)?;
                self.presence.touch(&visitor, channel, now)?;
                Ok(Some(visitor.client))
            }
            Caller::Nobody => Ok(Some(ClientId::random())),
        }
    }
}
