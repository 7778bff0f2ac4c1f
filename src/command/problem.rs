//! Errors of the gateway as it tells them: RFC 9457 problem documents.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// One error answer: `title: detail (code)`.
///
/// Units: `retry_after` is how long the gateway asks to wait, from its `Retry-After`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What kind of problem it is, for people.
    pub title: String,
    /// What happened this time; may be empty.
    pub detail: String,
    /// What kind of problem it is, for programs; empty where the answer was no problem document.
    pub code: String,
    /// How long to wait before asking again.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// The problem in `body`; `None` if it is no problem document.
    pub(crate) fn parse(status: u16, body: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(body).ok()?;
        let text = |name| document.get(name).and_then(Value::as_str).map(one_line);
        let code = text("code")?;
        Some(Self {
            status,
            title: text("title").unwrap_or_default(),
            detail: text("detail").unwrap_or_default(),
            code,
            retry_after: None,
        })
    }

    /// What can be said of an answer that is no problem document.
    pub(crate) fn of_status(status: u16, detail: &str) -> Self {
        Self {
            status,
            title: format!("HTTP {status}"),
            detail: one_line(detail),
            ..Self::default()
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 502 | 503 | 504)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = if self.title.is_empty() { "refused" } else { &self.title };
        f.write_str(title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        Ok(())
    }
}

/// At most 300 characters of `text` on one line, and no character that a terminal obeys.
fn one_line(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_title_detail_code() {
        let body = r#"{"type":"x#unknown-client","title":"Unknown client","status":404,
            "detail":"nobody of that id is here","code":"unknown-client"}"#;
        let problem = Problem::parse(404, body).unwrap();
        assert_eq!(
            problem.to_string(),
            "Unknown client: nobody of that id is here (unknown-client)"
        );
    }

    #[test]
    fn members_that_are_missing_leave_no_punctuation() {
        let problem = Problem::parse(503, r#"{"code":"draining"}"#).unwrap();
        assert_eq!(problem.to_string(), "refused (draining)");
        assert_eq!(Problem::of_status(502, "").to_string(), "HTTP 502");
    }

    #[test]
    fn a_page_of_a_proxy_is_no_problem() {
        assert_eq!(Problem::parse(502, "<html>Bad gateway</html>"), None);
        assert_eq!(Problem::parse(502, r#"{"error":"no"}"#), None);
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let problem = Problem::parse(400, "{\"code\":\"a\",\"detail\":\"x\\u001b[2Jy\"}").unwrap();
        assert_eq!(problem.detail, "x [2Jy");
    }
}
