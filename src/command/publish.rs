//! `pushgate pub`: publishes a value, or a value a line.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use serde_json::Value;

use super::address::Channel;
use super::error::{CommandError, UsageError};
use super::gateway::{Gateway, Payload, json};
use super::identity::{Identity, random_id};
use super::options::{ChannelArg, Connect};
use super::output::{self, Reader};
use super::patience::persist;

/// What `--help` says first.
pub(super) const ABOUT: &str = "Publish a value, or each line of standard input.

Prints the id of each message: the gateway has put it in its order by then. A refusal for now
(429, 503) or a broken connection is tried again under the same idempotency key, so that nothing is
published twice.";

/// What `--help` says last.
const EXAMPLE: &str = r#"Examples:
  pushgate pub -c chat/lobby "hi"
  tail -f access.log | pushgate pub -c logs"#;

/// The arguments of `pushgate pub`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub struct PubArgs {
    /// What to publish: a text, or JSON where the channel takes JSON. With `-`, or with none and
    /// standard input not a terminal, each line that is not empty is published
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    value: Option<String>,

    #[command(flatten)]
    channel: ChannelArg,

    /// Send to this client alone, as a direct message (which has no id)
    #[arg(long, value_name = "CLIENT")]
    to: Option<String>,

    /// Makes repeating this command harmless for five minutes; lines get KEY-1, KEY-2 and so on
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,

    /// Print the whole answer as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connect: Connect,
}

/// Where posts go and who makes them.
struct Publisher<'a> {
    gateway: Gateway,
    identity: Identity,
    channel: Channel,
    args: &'a PubArgs,
    /// An earlier try of this post may have been published, which nobody told us.
    unsure: bool,
}

/// Publishes what was asked for, and ends the login it had to make.
pub(crate) fn run(args: &PubArgs) -> Result<(), CommandError> {
    if args.idempotency_key.as_ref().is_some_and(|key| !is_key(key)) {
        return Err(UsageError::IdempotencyKey.into());
    }
    let mut publisher = Publisher {
        gateway: args.connect.gateway()?,
        identity: args.connect.identity()?,
        channel: args.channel.parse()?,
        args,
        unsure: false,
    };
    let done = match args.value.as_deref() {
        Some(value) if value != "-" => {
            publisher.publish(value, args.idempotency_key.clone()).map(|_| ())
        }
        None if io::stdin().is_terminal() => Err(UsageError::Value.into()),
        Some(_) | None => publisher.publish_lines(),
    };
    publisher.identity.leave(&publisher.gateway);
    done
}

impl Publisher<'_> {
    fn publish_lines(&mut self) -> Result<(), CommandError> {
        for (index, line) in io::stdin().lock().lines().enumerate() {
            let line = line.map_err(CommandError::Input)?;
            let key = self.args.idempotency_key.as_ref().map(|key| format!("{key}-{}", index + 1));
            if !line.is_empty() && self.publish(&line, key)? == Reader::Gone {
                break;
            }
        }
        Ok(())
    }

    /// Publishes `value` once, however often that takes, and prints the answer.
    fn publish(&mut self, value: &str, key: Option<String>) -> Result<Reader, CommandError> {
        let key = match key {
            Some(key) => key,
            None => random_id()?,
        };
        self.unsure = false;
        let body = persist(|| self.attempt(value, &key))?;
        let answer = json(&body)?;
        if self.args.json {
            return output::line(body.trim_end());
        }
        match id_in(&answer) {
            Some(id) => output::line(id),
            None => Ok(Reader::Present),
        }
    }

    /// One post; a second one where the first says that a login is what it lacks. A new login is a
    /// new client, whose keys are its own: it must not repeat what may have been published.
    fn attempt(&mut self, value: &str, key: &str) -> Result<String, CommandError> {
        let error = match self.post(value, key) {
            Ok(body) => return Ok(body),
            Err(error) => error,
        };
        self.unsure |= error.problem().is_none();
        let may_double = self.unsure && self.identity.is_logged_in();
        match error.problem() {
            Some(problem) if !may_double && self.identity.mend(&self.gateway, problem)? => {
                self.post(value, key)
            }
            _ => Err(error),
        }
    }

    fn post(&mut self, value: &str, key: &str) -> Result<String, CommandError> {
        let bearer = self.identity.for_request(&self.gateway)?;
        let url = self.gateway.address().of("post", &self.channel, &[]);
        let mut fields = vec![("value", value)];
        if let Some(to) = &self.args.to {
            fields.push(("to", to));
        }
        self.gateway.post(&url, bearer.as_ref(), Payload::Form(&fields), Some(key))
    }
}

/// The id of what was published: beside the value, or inside of `message`.
fn id_in(answer: &Value) -> Option<&str> {
    let inner = answer.get("message").and_then(|message| message.get("id"));
    inner.or_else(|| answer.get("id")).and_then(Value::as_str)
}

/// Whether `key` can stand in a header.
fn is_key(key: &str) -> bool {
    (1..=128).contains(&key.len()) && key.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_id_is_found_in_every_shape_of_answer() {
        assert_eq!(id_in(&json!({"message": {"value": "hi", "id": "k3x9-41"}})), Some("k3x9-41"));
        assert_eq!(id_in(&json!({"message": "hi", "id": "k3x9-42"})), Some("k3x9-42"));
        assert_eq!(id_in(&json!({"message": {"value": "hi"}})), None);
    }

    #[test]
    fn keys_that_no_header_carries_are_refused() {
        assert!(is_key("import-2026 #1"));
        assert!(!is_key(""));
        assert!(!is_key("a\nb"));
        assert!(!is_key(&"k".repeat(129)));
    }
}
