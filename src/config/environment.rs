//! The environment as a [`Table`]: `PUSHGATE_PRESENCE__TIMEOUT=5` is `presence.timeout`.

use super::database::SCHEMES;
use super::file;
use super::mistake::{Mistake, Origin};
use super::suggest;
use super::tree::{self, Node, Table, Value};

const PREFIX: &str = "PUSHGATE_";

/// What the environment says, apart by precedence.
#[derive(Default)]
pub(super) struct Environment {
    /// `PORT`, which any `PUSHGATE_PORT` overrides.
    pub(super) port: Option<Node>,
    /// The `PUSHGATE_` variables.
    pub(super) table: Table,
    /// Names of variables that ask for what this build has not.
    pub(super) unserved: Vec<String>,
}

/// Sorts the variables into keys; those that are not ours are left alone.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
    mistakes: &mut Vec<Mistake>,
) -> Environment {
    let mut found = Environment::default();
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, text) in variables {
        match name.as_str() {
            // Compose files and charts pass on variables that nobody set as empty ones.
            "PORT" | "REDIS_URL" | "DATABASE_URL" if text.is_empty() => {}
            "PORT" => {
                let origin = Origin::Variable(name);
                found.port = Some(Node { origin, value: Value::Raw(text) });
            }
            "DATABASE_URL" if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) => {
                // Before ours in the alphabet, so that `PUSHGATE_DATABASE__URL` is laid over it.
                let branch = grow(&["database", "url"], &[], &Origin::Variable(name), text);
                tree::overlay(&mut found.table, branch, "", mistakes);
            }
            "REDIS_URL" | "DATABASE_URL" => found.unserved.push(name),
            _ if is_service_link(&name, &text) => {}
            _ => {
                if let Some(rest) = name.strip_prefix(PREFIX) {
                    let path = rest.to_lowercase();
                    let path: Vec<&str> = path.split("__").collect();
                    let branch = grow(&path, &[], &Origin::Variable(name.clone()), text);
                    tree::overlay(&mut found.table, branch, "", mistakes);
                }
            }
        }
    }
    found
}

/// A tree with one leaf, `text`, at `path` below `above`.
fn grow(path: &[&str], above: &[&str], origin: &Origin, text: String) -> Table {
    let Some((key, below)) = path.split_first() else {
        return Table::new();
    };
    let here = [above, &[*key]].concat();
    let value = if !below.is_empty() {
        Value::Table(grow(below, &here, origin, text))
    } else if is_table(&here) {
        // A whole table can be given as TOML, as `PUSHGATE_CHANNELS={"chat/*" = {prefix = "# "}}`.
        file::parse_value(&text, origin).unwrap_or(Value::Raw(text))
    } else {
        Value::Raw(text)
    };
    Table::from([((*key).to_owned(), Node { origin: origin.clone(), value })])
}

/// Whether a table stands at `path`, so that its text is TOML.
fn is_table(path: &[&str]) -> bool {
    match path {
        [table] => super::TABLES.contains(table),
        ["channels", _] | ["channels", _, "history"] => true,
        _ => false,
    }
}

/// The variable that was meant where a table and its key are joined by one underscore.
pub(super) fn with_two_underscores(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?.to_lowercase();
    let (table, key) = rest.split_once('_')?;
    let table = suggest::nearest(table, super::TABLES)?;
    let upper = |text: &str| text.trim_start_matches('_').to_uppercase();
    Some(format!("{PREFIX}{}__{}", upper(table), upper(key)))
}

/// Whether Kubernetes set this variable: it announces a service named `pushgate` to every pod
/// beside it, in names that begin like ours.
fn is_service_link(name: &str, text: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme));
    let numbered = rest
        .strip_prefix("PORT_")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || rest == "PORT" && address
        || numbered
}
