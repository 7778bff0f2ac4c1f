//! Long poll: one answer after the other, each from where the one before ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::connection::{Event, Plan, Port};
use super::ending::{Ending, Read};
use super::lines::unopened;
use crate::command::error::CommandError;
use crate::command::gateway::Timing;
use crate::command::problem::Problem;

/// How long the gateway may hold an answer back, in seconds.
const WAIT: &str = "25";
/// How long that answer may take, the network's share included.
const ANSWER: Duration = Duration::from_secs(45);
/// The least time between two empty answers, so that an impatient gateway is not flooded.
const BREATH: Duration = Duration::from_secs(1);

/// Polls until a poll fails.
pub(crate) fn read(plan: &Plan, port: &Port) -> Read {
    let mut plan = plan.clone();
    let mut opened = false;
    loop {
        let asked = Instant::now();
        let answer = poll(&plan)?;
        if !opened {
            opened = true;
            port.tell(Event::Open)?;
        }
        let is_empty = answer.messages.is_empty();
        for message in answer.messages {
            port.text(message)?;
        }
        port.tell(Event::Position(answer.since.clone()))?;
        let is_first = !plan.query.iter().any(|(name, _)| *name == "since");
        plan.query.retain(|(name, _)| !matches!(*name, "since" | "history"));
        plan.query.push(("since", answer.since));
        let rest = if is_empty && !is_first {
            BREATH.saturating_sub(asked.elapsed())
        } else {
            Duration::ZERO
        };
        port.pause(rest)?;
    }
}

/// The answer to one poll.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    messages: Vec<String>,
    since: String,
}

fn poll(plan: &Plan) -> Result<Answer, Ending> {
    let timing = Timing { head: ANSWER, read: ANSWER };
    let url = plan.url("poll", &[("wait", WAIT)]);
    let answer = plan.gateway.open(&url, plan.bearer.as_ref(), timing);
    let body = plan.gateway.text(answer).map_err(unopened)?;
    parse(&body).ok_or_else(|| {
        let problem = Problem::of_status(200, "the answer is not one to a poll");
        Ending::Blocked(CommandError::Foreign(problem))
    })
}

/// The messages of an answer as they came, digits and all.
fn parse(body: &str) -> Option<Answer> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(body).ok()?;
    let messages: Vec<&RawValue> = serde_json::from_str(members.get("messages")?.get()).ok()?;
    let since = serde_json::from_str(members.get("since")?.get()).ok()?;
    Some(Answer {
        messages: messages.iter().map(|message| message.get().to_owned()).collect(),
        since,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_came_in() {
        let body = r#"{"messages":[{"x":1.10}, "text"],"since":"k-2.7"}"#;
        let messages = vec![r#"{"x":1.10}"#.to_owned(), r#""text""#.to_owned()];
        assert_eq!(parse(body), Some(Answer { messages, since: "k-2.7".to_owned() }));
    }

    #[test]
    fn an_answer_without_a_position_is_none() {
        assert_eq!(parse(r#"{"messages":[]}"#), None);
        assert_eq!(parse("<html>"), None);
    }
}
