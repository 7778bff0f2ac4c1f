//! `POST /api/disconnect`: a backend kicks a client.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::super::body::Fields;
use super::super::problem::Answer;
use super::{Gate, client_of};
use crate::code::Close;
use crate::identity::MAX_LIFE_SECONDS;

/// The verb. 204 also where the client is not there: its tokens are ended all the same.
pub(in crate::gate) async fn disconnect(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    gate.check_backend(&parts)?;
    let fields = Fields::read(&gate, &parts, body).await?;
    let client = client_of(&fields)?;
    let until = gate.clock.now().seconds() + MAX_LIFE_SECONDS;
    gate.end_client(&client, until, Close::Kicked).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
