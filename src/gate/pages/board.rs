//! `GET /board`: the page of the topics. The list is in it, and its form posts: a browser without
//! scripts needs no more.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use super::super::problem::Answer;
use super::super::tally::Rejected;
use super::super::topics::{board_of, topics_of};
use super::super::{Failure, Gate};
use super::{PAGE, protect};
use crate::channel::Topic;

const TEMPLATE: &str = include_str!("../../../client-js/pages/board.html");

/// What is said as long as the database was not read.
const UNREAD: &str = "The topics cannot be read at the moment. They appear as soon as they can.";

/// The page.
pub(in crate::gate) async fn board(State(gate): State<Arc<Gate>>) -> Answer {
    board_of(&gate)?;
    Ok(respond(render(&gate, "", "")))
}

/// The page again, for whoever sent its form with `comment` and was refused.
pub(in crate::gate) fn refused(gate: &Gate, failure: &Failure, comment: &str) -> Response {
    let (_, _, title) = failure.problem.wire();
    let mut response = respond(render(gate, &format!("{title}: {}", failure.detail), comment));
    let status = StatusCode::from_u16(failure.problem.status());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = failure.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allow) = failure.allow {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    Rejected::mark(failure, &mut response);
    response
}

fn respond(page: String) -> Response {
    let mut response = Response::new(Body::from(page));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PAGE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    protect(headers);
    response
}

/// The page with the topics, as far as everyone may read them, and what was wrong with a comment.
fn render(gate: &Gate, trouble: &str, comment: &str) -> String {
    let is_open = board_of(gate).is_ok_and(|(_, policy)| policy.anonymous);
    let topics = if is_open { Some(topics_of(gate)) } else { None };
    let unread = topics.as_ref().is_some_and(Result::is_err) && trouble.is_empty();
    let trouble = if unread { UNREAD } else { trouble };
    let topics = topics.and_then(Result::ok);
    let lines: String = topics.iter().flat_map(|topics| topics.list()).map(line).collect();
    fill(&[("topics", &lines), ("trouble", &escape(trouble)), ("comment", &escape(comment))])
}

fn line(topic: &Topic) -> String {
    let comment = escape(&topic.comment);
    format!("<li data-id=\"{}\"><p dir=\"auto\">{comment}</p></li>", topic.id)
}

/// The template with each marker replaced once: what is filled in is not looked at again.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut page =
        String::with_capacity(TEMPLATE.len() + parts.iter().map(|p| p.1.len()).sum::<usize>());
    for (index, piece) in TEMPLATE.split("<!--").enumerate() {
        let marker = piece.split_once("-->").filter(|_| index > 0);
        match marker.and_then(|(name, rest)| {
            parts.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text, rest))
        }) {
            Some((text, rest)) => page.extend([text, rest]),
            None if index > 0 => page.extend(["<!--", piece]),
            None => page.push_str(piece),
        }
    }
    page
}

/// `text` as it can stand in an element or an attribute. Source: WHATWG HTML section 13.1.2.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Cow::Owned(escaped.replace('"', "&quot;").replace('\'', "&#39;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_text_and_never_a_marker() {
        let topic = Topic { id: 7, comment: "<b onclick='x'>\"&amp;<!--trouble-->".to_owned() };
        let page = fill(&[("topics", &line(&topic)), ("trouble", "T"), ("comment", "C")]);
        // Behind the line break that HTML passes over, a comment that begins with one keeps it.
        let text = "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;amp;&lt;!--trouble--&gt;";
        assert!(page.contains(&format!("<li data-id=\"7\"><p dir=\"auto\">{text}</p></li></ul>")));
        assert!(page.contains(">T</p>") && page.contains(">\nC</textarea>"), "{page}");
        assert!(!page.contains("<!--"), "{page}");
    }
}
