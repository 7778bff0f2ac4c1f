//! `GET /users[/{channel}]`: who is there.

use std::sync::Arc;

use axum::extract::{Request, State};

use super::post::json;
use super::problem::Answer;
use super::request::{Pairs, channel_of};
use super::{Failure, Gate};
use crate::identity::ClientId;

/// The verb.
pub(super) async fn users(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    let (channel, policy) = channel_of(&gate, &parts)?;
    let query = Pairs::of_query(&parts)?;
    let caller = gate.identify_by_token(&parts, &query)?;
    caller.check_read(&channel, &policy)?;
    let limit = query.number("limit", 1..=1000)?.unwrap_or(100);
    let after = query.get("after").filter(|after| !after.is_empty()).map(ClientId::parse);
    let after = after.transpose().map_err(|error| Failure::field("after", &error.to_string()))?;
    let list = gate.presence.page(&channel, after.as_ref(), limit);
    Ok(json(list.message()))
}
