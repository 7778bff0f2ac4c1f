//! `GET /history[/{channel}]`: what was said, as far as it is kept.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::messages::Messages;
use super::post::json;
use super::problem::Answer;
use super::request::{Pairs, channel_of};
use super::{Failure, Gate};
use crate::channel::{ChannelName, Kind, Position, Publication, Since};
use crate::dialect::plain;
use crate::hub::{Channel, From, Reach};
use crate::worker::Missing;

/// What one page of history holds.
struct Page {
    messages: Vec<Arc<Publication>>,
    since: String,
    more: bool,
    gap: Option<String>,
}

/// The verb.
pub(super) async fn history(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    let (name, policy) = channel_of(&gate, &parts)?;
    let query = Pairs::of_query(&parts)?;
    let caller = gate.identify_by_token(&parts, &query)?;
    caller.check_read(&name, &policy)?;
    let limit = query.number("limit", 1..=1000)?.unwrap_or(100);
    let (since, before) = (query.since("since")?, query.since("before")?);
    if since.is_some() && before.is_some() {
        return Err(Failure::field("before", "cannot be given together with since"));
    }
    let reach = match before.and_then(|before| before.position) {
        Some(before) => Reach::Before(before, limit),
        None => Reach::From(From::Since(since.unwrap_or(Since { position: None, users: None }))),
    };
    let _held = gate.hold_if_any(&name, &policy, reach).await?;
    // A position of an order that is over is told as a gap, also where nobody uses the channel.
    let named = since.or(before).is_some_and(|since| since.position.is_some());
    let channel = if named { Some(gate.hub.look_at(&name, &policy)) } else { gate.hub.find(&name) };
    let page = match (channel, before) {
        (None, _) | (Some(_), Some(Since { position: None, .. })) => Page::nothing(),
        (Some(channel), None) => forward(&channel, &name, since, limit),
        (Some(channel), Some(Since { position: Some(before), .. })) => {
            back(&channel, &name, before, limit)
        }
    };
    if page.gap.is_some() {
        gate.tallies.mine().gaps.add(Missing::History, 1);
    }
    Ok(json(Body::new(render(page, policy.kind))))
}

/// `DELETE /history[/{channel}]`, by a backend: what was said is kept no more.
pub(super) async fn forget(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    let (name, policy) = channel_of(&gate, &parts)?;
    gate.check_backend(&parts)?;
    gate.forget(&name, &policy).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

impl Page {
    /// What is before everything, or on a channel that nobody uses.
    fn nothing() -> Self {
        Self { messages: Vec::new(), since: "0".to_owned(), more: false, gap: None }
    }
}

fn back(channel: &Channel, name: &ChannelName, before: Position, limit: usize) -> Page {
    let (start, messages, more) = channel.kept_before(before, limit);
    let since = messages.first().map_or(start.position, |newest| newest.position).to_string();
    let gap = start.gap.map(|gap| plain::gap_members(name, &gap));
    Page { messages, since, more, gap }
}

fn forward(channel: &Channel, name: &ChannelName, since: Option<Since>, limit: usize) -> Page {
    let since = since.unwrap_or(Since { position: None, users: None });
    let (start, mut messages) = channel.kept(From::Since(since), limit + 1);
    let more = messages.len() > limit;
    messages.truncate(limit);
    let since = messages.last().map_or(start.position, |newest| newest.position).to_string();
    let gap = start.gap.map(|gap| plain::gap_members(name, &gap));
    Page { messages, since, more, gap }
}

fn render(page: Page, kind: Kind) -> Messages {
    let object = |publication: Arc<Publication>| {
        if kind.carries_id() { publication.plain.clone() } else { plain::kept(&publication) }
    };
    let gap = page.gap.map_or(String::new(), |gap| format!(r#","gap":{gap}"#));
    let tail = format!(r#"],"since":"{}","more":{}{gap}}}"#, page.since, page.more);
    Messages::new(page.messages.into_iter().map(object).collect(), tail)
}
