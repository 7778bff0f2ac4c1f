//! `pushgate sub`: a line of JSON for each message.

use std::num::NonZeroU64;

use clap::{Args, ValueEnum};

use super::error::CommandError;
use super::follow::{Flow, Follower, Message, Sink, Start, Transport, Wish, one_line};
use super::options::{ChannelArg, Connect};
use super::output::{self, Reader};

/// What `--help` says first.
pub(super) const ABOUT: &str = r#"Subscribe, and print each message as a line of JSON.

Reconnects by itself and goes on where it was, so that nothing is lost or repeated; what cannot be
had any more is printed as {"gap":…}. How the connection is doing goes to standard error. Ends at
Ctrl-C, when nobody reads its output, or after --count messages."#;

/// What `--help` says last.
const EXAMPLE: &str = "Examples:
  pushgate sub -c chat/lobby
  pushgate sub -c logs --history 100 | jq -r .message.value";

/// The arguments of `pushgate sub`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub struct SubArgs {
    #[command(flatten)]
    channel: ChannelArg,

    /// Begin after this id; 0 for everything that is kept
    #[arg(long, value_name = "ID", conflicts_with = "history")]
    since: Option<String>,

    /// Begin with the newest N messages that are kept
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    history: Option<u16>,

    /// End after N messages
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,

    /// Use this transport only; without it ws, then sse, then poll, whichever gets through
    #[arg(long, value_name = "TRANSPORT")]
    transport: Option<Transport>,

    /// Print who is there as well: whole lists, changes, counts, or nothing
    #[arg(long, value_name = "MODE", default_value = "none", hide_default_value = true)]
    users: UsersMode,

    /// Print messages that carry no id as they come with one: `{"id":…,"client_id":…,"data":…}`
    #[arg(long)]
    ids: bool,

    #[command(flatten)]
    connect: Connect,
}

/// What is told of who is there.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsersMode {
    /// The whole list at every change
    List,
    /// The whole list once, then who joined and who left
    Diff,
    /// How many there are
    Count,
    /// Nothing
    None,
}

impl UsersMode {
    /// The value of `users=` on the wire.
    fn parameter(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Diff => "diff",
            Self::Count => "count",
            Self::None => "none",
        }
    }
}

/// Prints what comes.
struct Printer {
    envelopes: bool,
    presence: bool,
    left: Option<u64>,
}

/// Subscribes until the user has enough.
pub(crate) fn run(args: &SubArgs) -> Result<(), CommandError> {
    let start = match (&args.since, args.history) {
        (Some(since), _) => Start::Since(since.clone()),
        (None, Some(count)) => Start::Newest(count),
        (None, None) => Start::Now,
    };
    let wish = Wish {
        channel: args.channel.parse()?,
        users: args.users.parameter(),
        start,
        transports: transports(args.transport),
    };
    let mut printer = Printer {
        envelopes: args.ids,
        presence: args.users != UsersMode::None,
        left: args.count.map(NonZeroU64::get),
    };
    let (gateway, identity) = (args.connect.gateway()?, args.connect.identity()?);
    Follower::new(gateway, identity, wish, &mut printer).run()
}

/// What to try, the best first.
fn transports(only: Option<Transport>) -> &'static [Transport] {
    match only {
        None => &[Transport::Ws, Transport::Sse, Transport::Poll],
        Some(Transport::Ws) => &[Transport::Ws],
        Some(Transport::Sse) => &[Transport::Sse],
        Some(Transport::Stream) => &[Transport::Stream],
        Some(Transport::Poll) => &[Transport::Poll],
    }
}

impl Sink for Printer {
    fn take(&mut self, text: &str, message: &Message<'_>) -> Result<Flow, CommandError> {
        let line = match message {
            Message::Data { plain, .. } if !self.envelopes => plain,
            Message::Data { .. } | Message::Gap => text,
            Message::Presence if self.presence => text,
            Message::Error => {
                output::status(&output::printable(text));
                return Ok(Flow::More);
            }
            Message::Presence | Message::Position(_) | Message::Close(_) => {
                return Ok(Flow::More);
            }
        };
        if output::line(&one_line(line))? == Reader::Gone {
            return Ok(Flow::Done);
        }
        Ok(if matches!(message, Message::Data { .. }) { self.counted() } else { Flow::More })
    }
}

impl Printer {
    /// One message more; whether that was the last one asked for.
    fn counted(&mut self) -> Flow {
        let Some(left) = &mut self.left else {
            return Flow::More;
        };
        *left = left.saturating_sub(1);
        if *left == 0 { Flow::Done } else { Flow::More }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_ends_with_its_last_message() {
        let mut printer = Printer { envelopes: false, presence: false, left: Some(2) };
        assert_eq!(printer.counted(), Flow::More);
        assert_eq!(printer.counted(), Flow::Done);
        printer.left = None;
        assert_eq!(printer.counted(), Flow::More);
    }
}
