//! `GET /history[/{channel}]`: what was said, as far as it is kept.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::archive::publication;
use super::messages::Messages;
use super::post::json;
use super::problem::Answer;
use super::request::{Pairs, channel_of};
use super::{Failure, Gate};
use crate::channel::{ChannelName, Kind, Policy, Position, Publication, Since};
use crate::dialect::plain;
use crate::hub::{Channel, From, Reach};
use crate::store::{Found, Side};
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
    let side = match (query.since("since")?, query.since("before")?) {
        (Some(_), Some(_)) => {
            return Err(Failure::field("before", "cannot be given together with since"));
        }
        (since, None) => Some(Side::Since(since.and_then(|since| since.position))),
        (None, Some(before)) => before.position.map(Side::Before),
    };
    let page = match side {
        None => Page::nothing(),
        Some(side) => gate.page((&name, &policy), side, limit).await?,
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

    /// What a database has found.
    fn stored(found: Found, (side, kind): (Side, Kind), name: &ChannelName) -> Self {
        let Found { kept, start, is_more, gap, .. } = found;
        let newest = match side {
            Side::Since(_) => kept.last(),
            Side::Before(_) => kept.first(),
        };
        let since = newest.map_or(start, |newest| newest.position).to_string();
        let messages = kept.into_iter().map(|stored| {
            let at = stored.at;
            Arc::new(publication(stored, kind, at))
        });
        let messages = messages.collect();
        let gap = gap.map(|gap| plain::gap_members(name, &gap));
        Self { messages, since, more: is_more, gap }
    }
}

impl Gate {
    /// A page of a channel: from memory, or from the store where memory does not have all of it.
    async fn page(
        &self,
        (name, policy): (&ChannelName, &Arc<Policy>),
        side: Side,
        limit: usize,
    ) -> Result<Page, Failure> {
        let (reach, names_place) = match side {
            Side::Before(before) => (Reach::Before(before, limit), true),
            Side::Since(position) => {
                (Reach::From(From::Since(Since { position, users: None })), position.is_some())
            }
        };
        if let Some(found) = self.page_of_store((name, policy), reach, (side, limit)).await? {
            return Ok(Page::stored(found, (side, policy.kind), name));
        }
        // A position of an order that is over is told as a gap, also where nobody uses the channel.
        let channel =
            if names_place { Some(self.hub.look_at(name, policy)) } else { self.hub.find(name) };
        Ok(channel.map_or_else(Page::nothing, |channel| match side {
            Side::Since(since) => forward(&channel, name, since, limit),
            Side::Before(before) => back(&channel, name, before, limit),
        }))
    }
}

fn back(channel: &Channel, name: &ChannelName, before: Position, limit: usize) -> Page {
    let (start, messages, more) = channel.kept_before(before, limit);
    let since = messages.first().map_or(start.position, |newest| newest.position).to_string();
    let gap = start.gap.map(|gap| plain::gap_members(name, &gap));
    Page { messages, since, more, gap }
}

fn forward(
    channel: &Channel,
    name: &ChannelName,
    position: Option<Position>,
    limit: usize,
) -> Page {
    let since = Since { position, users: None };
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
