//! `pushgate users --watch`: who joins and who leaves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::address::Channel;
use super::error::CommandError;
use super::follow::{Flow, Follower, Message, Sink, Start, Transport, Wish, one_line};
use super::gateway::Gateway;
use super::identity::Identity;
use super::output::{self, Reader, printable};
use super::users::text;

/// Follows the presence of `channel` until the user has enough.
pub(crate) fn run(
    gateway: Gateway,
    identity: Identity,
    channel: Channel,
    json: bool,
) -> Result<(), CommandError> {
    let wish = Wish {
        channel,
        users: "diff",
        start: Start::Now,
        transports: &[Transport::Stream, Transport::Poll],
    };
    let mut watcher = Watcher { json, present: Present::default() };
    Follower::new(gateway, identity, wish, &mut watcher).run()
}

/// Prints changes: as they come, or as what they change in what was printed before.
struct Watcher {
    json: bool,
    present: Present,
}

/// Names by client id, as far as they were told.
#[derive(Debug, Default)]
struct Present(BTreeMap<String, String>);

impl Sink for Watcher {
    fn take(&mut self, text: &str, message: &Message<'_>) -> Result<Flow, CommandError> {
        if !matches!(message, Message::Presence) {
            return Ok(Flow::More);
        }
        if self.json {
            return Ok(flow(output::line(&one_line(text))?));
        }
        let change: Value = serde_json::from_str(text).unwrap_or_default();
        if let Some(note) = note(&change) {
            output::status(&note);
        }
        for line in self.present.apply(&change) {
            if output::line(&line)? == Reader::Gone {
                return Ok(Flow::Done);
            }
        }
        Ok(Flow::More)
    }
}

impl Present {
    /// The lines that tell what `change` changes. A whole list after a reconnection is compared
    /// with what was told before; a partial one says nothing of those who are not in it.
    fn apply(&mut self, change: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(users) = change.get("users").and_then(Value::as_array) {
            let is_whole = change.get("partial").and_then(Value::as_bool) != Some(true);
            let is_there = |id: &str| users.iter().any(|user| text(user, "client_id") == id);
            if is_whole {
                let gone: Vec<String> = self.0.keys().filter(|id| !is_there(id)).cloned().collect();
                lines.extend(gone.iter().filter_map(|id| self.leave(id)));
            }
            lines.extend(users.iter().filter_map(|user| self.join(user)));
        }
        for id in members(change, "left").filter_map(Value::as_str) {
            lines.extend(self.leave(id));
        }
        lines.extend(members(change, "joined").filter_map(|user| self.join(user)));
        lines
    }

    fn join(&mut self, user: &Value) -> Option<String> {
        let (id, name) = (printable(text(user, "client_id")), printable(text(user, "name")));
        let line = format!("+ {id} {name}").trim_end().to_owned();
        let before = self.0.insert(text(user, "client_id").to_owned(), name.clone());
        (before.as_ref() != Some(&name)).then_some(line)
    }

    fn leave(&mut self, id: &str) -> Option<String> {
        self.0.remove(id).map(|_| format!("- {}", printable(id)))
    }
}

/// What a change leaves unsaid.
fn note(change: &Value) -> Option<String> {
    let count = change.get("count").and_then(Value::as_u64)?;
    if change.get("partial").and_then(Value::as_bool) == Some(true) {
        return Some(format!("{count} are there, only some of them are listed"));
    }
    let is_bare = ["users", "joined", "left"].iter().all(|member| change.get(member).is_none());
    is_bare.then(|| format!("{count} are there, too many to tell who"))
}

fn members<'a>(change: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    change.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn flow(reader: Reader) -> Flow {
    match reader {
        Reader::Present => Flow::More,
        Reader::Gone => Flow::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_then_changes_become_lines() {
        let mut present = Present::default();
        let list = json!({"users": [{"client_id": "a", "name": "Ada"}, {"client_id": "b"}]});
        assert_eq!(present.apply(&list), ["+ a Ada", "+ b"]);
        let change = json!({"joined": [{"client_id": "c"}], "left": ["a"], "count": 2});
        assert_eq!(present.apply(&change), ["- a", "+ c"]);
    }

    #[test]
    fn a_list_after_a_reconnection_tells_only_what_is_new() {
        let mut present = Present::default();
        present.apply(&json!({"users": [{"client_id": "a"}, {"client_id": "b"}]}));
        let list = json!({"users": [{"client_id": "b"}, {"client_id": "c"}]});
        assert_eq!(present.apply(&list), ["- a", "+ c"]);
    }

    #[test]
    fn a_partial_list_makes_nobody_leave() {
        let mut present = Present::default();
        present.apply(&json!({"users": [{"client_id": "a"}]}));
        let partial = json!({"users": [{"client_id": "b"}], "count": 300, "partial": true});
        assert_eq!(present.apply(&partial), ["+ b"]);
        assert!(note(&partial).is_some());
    }

    #[test]
    fn bare_counts_are_told_aside() {
        assert!(note(&json!({"count": 5000})).is_some());
        assert_eq!(note(&json!({"joined": [], "left": [], "count": 2})), None);
    }
}
