//! `pushgate history`: what was said, as far as it is kept.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::address::Channel;
use super::error::CommandError;
use super::gateway::Gateway;
use super::identity::Identity;
use super::options::{ChannelArg, Connect};
use super::output::{self, Reader};
use super::patience::page;
use super::problem::Problem;

/// How many messages a page has at the most. Source: wire.md section 4.
const PAGE: usize = 1000;

/// What `--help` says first.
pub(super) const ABOUT: &str =
    "Print what was said, each message as a line of JSON, as it was delivered.

Without --before it is the oldest first. What was asked for and is not kept any more is told on
standard error.";

/// What `--help` says last.
const EXAMPLE: &str = r"Examples:
  pushgate history -c chat/lobby
  pushgate history --since k3x9w0ab-41        what came after that message
  pushgate history --before k3x9w0ab-41 -n 10 the ten before it, newest first";

/// The arguments of `pushgate history`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub struct HistoryArgs {
    #[command(flatten)]
    channel: ChannelArg,

    /// Id of a message: what came after it, oldest first; 0 for everything
    #[arg(long, value_name = "ID", default_value = "0", conflicts_with = "before")]
    since: String,

    /// Id of a message: what came before it, newest first
    #[arg(long, value_name = "ID")]
    before: Option<String>,

    /// Most messages to print [default: all]
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<usize>,

    #[command(flatten)]
    connect: Connect,
}

/// A page, as the gateway answers it.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
    since: String,
    more: bool,
    #[serde(borrow)]
    gap: Option<&'a RawValue>,
}

/// Something in a message that says where it stands.
#[derive(Deserialize)]
struct Placed {
    id: Option<String>,
    message: Option<serde_json::Value>,
}

/// Prints what was said.
pub(crate) fn run(args: &HistoryArgs) -> Result<(), CommandError> {
    let (gateway, mut identity) = (args.connect.gateway()?, args.connect.identity()?);
    let channel = args.channel.parse()?;
    let printed = print(&gateway, &mut identity, &channel, args);
    identity.leave(&gateway);
    printed
}

fn print(
    gateway: &Gateway,
    identity: &mut Identity,
    channel: &Channel,
    args: &HistoryArgs,
) -> Result<(), CommandError> {
    let (direction, mut from) = match &args.before {
        Some(before) => ("before", before.clone()),
        None => ("since", args.since.clone()),
    };
    let mut left = args.limit.unwrap_or(usize::MAX);
    while left > 0 {
        let limit = left.min(PAGE).to_string();
        let query = [(direction, from.as_str()), ("limit", limit.as_str())];
        let text = page(gateway, identity, ("history", channel), &query)?;
        let answer: Answer<'_> = serde_json::from_str(&text).map_err(|_| foreign())?;
        if let Some(gap) = answer.gap {
            output::status(&format!("not all of it is kept: {}", output::printable(gap.get())));
        }
        for message in &answer.messages {
            if output::line(message.get())? == Reader::Gone {
                return Ok(());
            }
        }
        left = left.saturating_sub(answer.messages.len());
        let oldest = answer.messages.last().and_then(|message| id_of(message));
        let next = if direction == "since" { Some(answer.since) } else { oldest };
        match next {
            Some(next) if answer.more && next != from => from = next,
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// The id of a message, whatever its kind: a text of a room has it itself, a message of another
/// channel within.
fn id_of(message: &RawValue) -> Option<String> {
    let Placed { id, message } = serde_json::from_str(message.get()).ok()?;
    id.or_else(|| Some(message?.get("id")?.as_str()?.to_owned()))
}

fn foreign() -> CommandError {
    CommandError::Foreign(Problem::of_status(200, "the answer is no history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_message_is_found_whatever_its_kind() {
        let id = |text: &str| id_of(&RawValue::from_string(text.to_owned()).unwrap());
        assert_eq!(id(r#"{"message":{"value":"hi","id":"a-1"}}"#).as_deref(), Some("a-1"));
        assert_eq!(id(r#"{"message":"hi","id":"a-2"}"#).as_deref(), Some("a-2"));
        assert_eq!(id(r#"{"id":"a-3","data":{"message":1,"id":"x"}}"#).as_deref(), Some("a-3"));
        assert_eq!(id(r#"{"message":"hi"}"#), None);
    }
}
