//! The pages with the name of a channel in their address: `/camera`, `/camera/{scene}`, `/chat/{room}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::files::{CAMERA, ROOM, WHY, WRONG};
use super::{Asset, PAGE};
use crate::channel::{ChannelName, NameError};
use crate::gate::problem::Answer;
use crate::gate::request::policy_of;
use crate::gate::tally::Rejected;
use crate::gate::welcome::accepts_html;
use crate::gate::{Failure, Gate};

/// Every camera of a scene.
pub(in crate::gate) async fn camera(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    answer(&gate, &request, &CAMERA)
}

/// A room, whole.
pub(in crate::gate) async fn room(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    answer(&gate, &request, &ROOM)
}

/// `page`, if its address names a channel that there is.
fn answer(gate: &Gate, request: &Request, page: &Asset) -> Answer {
    let path = request.uri().path();
    match ChannelName::from_path(path.strip_prefix('/').unwrap_or(path)) {
        Ok(name) => policy_of(gate, &name).map(|_| page.answer(request)),
        Err(error) if accepts_html(request.headers()) => Ok(wrong(error)),
        Err(error) => Err(error.into()),
    }
}

/// 400, for a person to read.
fn wrong(error: NameError) -> Response {
    let page = Asset::new(PAGE, WRONG.replace(WHY, &error.to_string()));
    let mut response = page.response(page.body.clone());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Rejected::mark(&Failure::from(error), &mut response);
    response
}
