//! Errors as problem documents. Source: RFC 9457; wire.md section 8.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ALLOW, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};

use super::limit::{TooFast, TooManyHere};
use super::tally::Rejected;
use crate::channel::json::string;
use crate::channel::{NameError, Rejection};
use crate::code::{Limit, Problem};
use crate::identity::TokenError;
use crate::presence::{PresenceError, UnknownClient};

/// A request that failed: which problem, and what exactly.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The row of the table.
    pub problem: Problem,
    /// One sentence for whoever reads it; never a token, never what was sent.
    pub detail: String,
    /// Seconds after which it may be tried again.
    pub retry_after: Option<u64>,
    /// The methods that the path does have.
    pub allow: Option<&'static str>,
    /// The limit that it ran into.
    pub limit: Option<Limit>,
}

/// What a verb answers.
pub(super) type Answer = Result<Response, Failure>;

impl Failure {
    /// `problem`, explained by `detail`.
    pub fn new(problem: Problem, detail: impl Into<String>) -> Self {
        let passes = matches!(problem.status(), 429 | 503);
        let retry_after = passes.then(jittered);
        // What takes no posts has no other method at this path either.
        let allow = (problem == Problem::NotPostable).then_some("");
        Self { problem, detail: detail.into(), retry_after, allow, limit: None }
    }

    /// The problem of who runs into `limit`, explained by `detail`.
    pub fn of_limit(limit: Limit, detail: impl Into<String>) -> Self {
        Self { limit: Some(limit), ..Self::new(limit.problem(), detail) }
    }

    /// 400, naming the field.
    pub fn field(field: &str, what: &str) -> Self {
        Self::new(Problem::BadRequest, format!("{field}: {what}"))
    }

    /// 503 of a node that is going away.
    pub fn draining() -> Self {
        Self::new(Problem::Draining, "this node is going away; another one will answer")
    }
}

/// 1 to 3 seconds.
fn jittered() -> u64 {
    1 + spread()
}

/// 0 to 2 seconds, so that those who were refused together do not come back together.
fn spread() -> u64 {
    u64::from(getrandom::u32().unwrap_or(0) % 3)
}

/// The document itself, as JSON.
pub fn problem_document(problem: Problem, detail: &str) -> String {
    let (status, code, title) = problem.wire();
    let (title, detail) = (string(title), string(detail));
    format!(
        r#"{{"type":"/problems#{code}","title":{title},"status":{status},"detail":{detail},"code":"{code}"}}"#
    )
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let document = problem_document(self.problem, &self.detail);
        let mut response = Response::new(Body::from(document));
        Rejected::mark(&self, &mut response);
        let status = StatusCode::from_u16(self.problem.status());
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.problem == Problem::UpgradeRequired {
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            headers.insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::new(Problem::BadChannel, error.to_string())
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let problem = match &rejection {
            Rejection::NotPostable => Problem::NotPostable,
            Rejection::Field(..) | Rejection::Binary | Rejection::Ignored(_) => Problem::BadRequest,
        };
        Self::new(problem, rejection.to_string())
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::new(Problem::Unauthorized, "this is no token"),
            TokenError::Invalid => Self::new(Problem::TokenInvalid, "the token is not one of ours"),
            TokenError::Expired => Self::new(Problem::TokenExpired, "log in again for a new one"),
        }
    }
}

impl From<TooFast<'_>> for Failure {
    fn from(refused: TooFast<'_>) -> Self {
        // Whole seconds, and never so few that it would be refused again for coming early.
        let wait = refused.wait.as_secs() + u64::from(refused.wait.subsec_nanos() > 0);
        let retry_after = Some(wait.max(1) + spread());
        Self { retry_after, limit: refused.limit, ..Self::new(Problem::RateLimited, refused.told) }
    }
}

impl From<TooManyHere> for Failure {
    fn from(error: TooManyHere) -> Self {
        Self::of_limit(Limit::ConnectionsPerAddress, error.to_string())
    }
}

impl From<PresenceError> for Failure {
    fn from(error: PresenceError) -> Self {
        let limit = match error {
            PresenceError::TooManyClients => Limit::Clients,
            PresenceError::TooManyConnections => Limit::ConnectionsPerClient,
        };
        Self::of_limit(limit, error.to_string())
    }
}

impl From<UnknownClient> for Failure {
    fn from(_: UnknownClient) -> Self {
        Self::new(Problem::UnknownClient, "the client id is not present")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_that_was_too_fast_is_never_asked_to_come_back_too_soon() {
        for (millis, least) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (9_999, 10)] {
            for _ in 0..20 {
                let wait = Duration::from_millis(millis);
                let failure = Failure::from(TooFast { limit: None, told: "limits.some", wait });
                let asked = failure.retry_after.unwrap();
                assert!((least..=least + 2).contains(&asked), "{asked} s for {wait:?}");
                assert_eq!(failure.detail, "limits.some");
            }
        }
    }
}
