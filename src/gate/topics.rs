//! `/topics`: the board over HTTP; `/topic_stream`: its stream as clients of old know it.
//!
//! Source: wire.md section 7.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{ACCEPT, LOCATION, VARY};
use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri};

use super::body::Fields;
use super::identify::Caller;
use super::post::json;
use super::problem::Answer;
use super::request::{Pairs, policy_of, remote_of};
use super::{Failure, Gate, pages, stream, welcome};
use crate::channel::{ChannelName, Policy, Topic, Topics};
use crate::code::Problem;
use crate::store::{Change, Changed, DatabaseError};

/// `GET /topics`: all of them.
pub(super) async fn list(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    let (board, policy) = board_of(&gate)?;
    let query = Pairs::of_query(&parts)?;
    gate.identify_by_token(&parts, &query)?.check_read(&board, &policy)?;
    Ok(json(topics_of(&gate)?.json().clone()))
}

/// `POST /topics`: one more. A browser that sent a form is led back to the page, which says what was
/// wrong, if anything was.
pub(super) async fn add(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    if gate.drain.is_draining() {
        return Err(Failure::draining());
    }
    let is_browser = welcome::accepts_html(&parts.headers);
    let (comment, added) = match Fields::read(&gate, &parts, body).await {
        Err(failure) => (None, Err(failure)),
        Ok(fields) => (fields.text("comment").ok().flatten(), put(&gate, &parts, &fields).await),
    };
    let mut response = match added {
        Ok(_) if is_browser => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("/board"));
            response
        }
        Ok(topic) => {
            let mut response = json(topic.to_json());
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        Err(failure) if is_browser => {
            pages::board::refused(&gate, &failure, &comment.unwrap_or_default())
        }
        Err(failure) => return Err(failure),
    };
    response.headers_mut().append(VARY, HeaderValue::from(ACCEPT));
    Ok(response)
}

/// Puts what `fields` hold onto the board, for somebody who may do that.
async fn put(gate: &Gate, parts: &Parts, fields: &Fields) -> Result<Topic, Failure> {
    let (board, policy) = board_of(gate)?;
    let query = Pairs::of_query(parts)?;
    let caller = gate.identify(parts, &query, Some(fields))?;
    if !matches!(caller, Caller::Backend(_)) {
        gate.rates.post(remote_of(parts).whom(), caller.client())?;
    }
    caller.check_write(&board, &policy)?;
    let comment = fields.text("comment")?.unwrap_or_default();
    // Browsers send line breaks of forms as CRLF. Source: WHATWG HTML, form submission.
    let comment = comment.replace("\r\n", "\n");
    Topic::check(&comment).map_err(|what| Failure::field("comment", &what))?;
    match gate.change_board(Change::Add(comment)).await? {
        Changed::Added(topic) => Ok(topic),
        Changed::Removed | Changed::Absent => {
            Err(Failure::new(Problem::Internal, "the database did something else"))
        }
    }
}

/// `DELETE /topics/{id}`, by a backend.
pub(super) async fn remove(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    gate.check_backend(&parts)?;
    board_of(&gate)?;
    let absent = || Failure::new(Problem::UnknownTopic, "no topic of that id is on the board");
    let path = parts.uri.path();
    let id = path.strip_prefix("/topics/").map(|id| id.strip_suffix('/').unwrap_or(id));
    let id = id.and_then(|id| id.parse().ok()).ok_or_else(absent)?;
    match gate.change_board(Change::Remove(id)).await? {
        Changed::Absent => Err(absent()),
        Changed::Added(_) | Changed::Removed => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
    }
}

/// `GET /topic_stream`: the same as `/sse/board`.
pub(super) async fn topic_stream(gate: State<Arc<Gate>>, mut request: Request) -> Response {
    let query = request.uri().query().map_or(String::new(), |query| format!("?{query}"));
    if let Ok(uri) = format!("/sse/board{query}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    stream::sse(gate, request).await
}

/// The topics as they stand.
pub(super) fn topics_of(gate: &Gate) -> Result<Arc<Topics>, Failure> {
    let unread = || Failure::new(Problem::Unavailable, "the database was not read yet");
    gate.board.topics().ok_or_else(unread)
}

/// The channel of the board, with its rules: who may read it and post to it.
pub(super) fn board_of(gate: &Gate) -> Result<(ChannelName, Arc<Policy>), Failure> {
    let name = ChannelName::from_path("board")?;
    let policy = policy_of(gate, &name)?;
    Ok((name, policy))
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Full => {
                let (most, bytes) = (Topics::MOST, Topics::BYTES);
                let detail = format!("the board holds at most {most} topics and {bytes} bytes");
                Self::new(Problem::BoardFull, detail)
            }
            DatabaseError::Refused => Self::field("comment", &error.to_string()),
            DatabaseError::Unavailable(why) => Self::new(Problem::Unavailable, why),
        }
    }
}
