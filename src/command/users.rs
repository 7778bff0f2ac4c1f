//! `pushgate users`: who is there.

use std::collections::HashSet;

use clap::Args;
use serde_json::{Value, json};

use super::address::Channel;
use super::error::CommandError;
use super::gateway::{Gateway, json as parse};
use super::identity::Identity;
use super::options::{ChannelArg, Connect};
use super::output::{self, Reader};
use super::patience::page;
use super::watch;

/// What `--help` says first.
pub(super) const ABOUT: &str = "List who is there: client id, address and name.

Where the channel wants a token and none is given, the command logs in, and is on the list itself
while it asks. With --watch, one line for each who is there, joins or leaves.";

/// What `--help` says last.
const EXAMPLE: &str = r#"Examples:
  pushgate users -c chat/lobby
  pushgate users --watch              prints "+ 7b0c… Ada" and "- 7b0c…""#;

/// The arguments of `pushgate users`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub struct UsersArgs {
    #[command(flatten)]
    channel: ChannelArg,

    /// Go on with who joins and who leaves; reconnects by itself, ends at Ctrl-C
    #[arg(long)]
    watch: bool,

    /// Print JSON: the whole list as one object, or with --watch each change as it comes
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connect: Connect,
}

/// Lists who is there, or watches that.
pub(crate) fn run(args: &UsersArgs) -> Result<(), CommandError> {
    let (gateway, mut identity) = (args.connect.gateway()?, args.connect.identity()?);
    let channel = args.channel.parse()?;
    if args.watch {
        return watch::run(gateway, identity, channel, args.json);
    }
    let listed = list(&gateway, &mut identity, &channel);
    identity.leave(&gateway);
    let (users, count) = listed?;
    if args.json {
        output::line(&json!({"users": users, "count": count}).to_string())?;
        return Ok(());
    }
    for row in table(&users) {
        if output::line(&row)? == Reader::Gone {
            break;
        }
    }
    Ok(())
}

/// Everyone on `channel`, page by page, and how many the gateway says there are.
///
/// The list may change between two pages; nobody is in the result twice.
fn list(
    gateway: &Gateway,
    identity: &mut Identity,
    channel: &Channel,
) -> Result<(Vec<Value>, u64), CommandError> {
    let mut users = Vec::new();
    let mut seen = HashSet::new();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", "1000")];
        if let Some(after) = &after {
            query.push(("after", after));
        }
        let mut answer = parse(&page(gateway, identity, ("users", channel), &query)?)?;
        let count = answer.get("count").and_then(Value::as_u64).unwrap_or(0);
        let before = users.len();
        if let Some(Value::Array(page)) = answer.get_mut("users").map(Value::take) {
            after = page.last().map(|user| text(user, "client_id").to_owned());
            users.extend(
                page.into_iter().filter(|user| seen.insert(text(user, "client_id").to_owned())),
            );
        }
        let found = u64::try_from(users.len()).unwrap_or(u64::MAX);
        if users.len() == before || found >= count {
            return Ok((users, count.max(found)));
        }
    }
}

/// The rows of a table with a head, each column as wide as its widest cell.
fn table(users: &[Value]) -> Vec<String> {
    let mut rows = vec![["CLIENT ID", "IP", "NAME"].map(str::to_owned)];
    rows.extend(users.iter().map(|user| {
        ["client_id", "ip", "name"].map(|column| output::printable(text(user, column)))
    }));
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (first, second) = (widest(0), widest(1));
    rows.iter()
        .map(|[id, ip, name]| format!("{id:first$}  {ip:second$}  {name}").trim_end().to_owned())
        .collect()
}

/// A member of a user as text; empty where there is none.
pub(crate) fn text<'a>(user: &'a Value, member: &str) -> &'a str {
    user.get(member).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let users = [
            json!({"client_id": "7b0c", "ip": "127.0.0.1", "name": "Ada"}),
            json!({"client_id": "a-longer-id", "ip": ""}),
        ];
        assert_eq!(
            table(&users),
            ["CLIENT ID    IP         NAME", "7b0c         127.0.0.1  Ada", "a-longer-id"]
        );
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal() {
        let rows = table(&[json!({"client_id": "a", "ip": "", "name": "\u{1b}[31mred"})]);
        assert!(!rows[1].contains('\u{1b}'));
    }
}
