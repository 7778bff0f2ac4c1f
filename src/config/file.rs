//! TOML text as a [`Table`] of values with their lines.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::mistake::{Mistake, Origin};
use super::tree::{Node, Table, Value};

/// The file that is read from the working directory when no `--config` is given.
const USUAL: &str = "config.toml";

/// The configuration file as a table; an empty one where none was named and none is there.
///
/// Syntax errors end the reading, since half a file would only bring mistakes that are none.
pub(super) fn read(named: Option<&Path>) -> Result<Table, Vec<Mistake>> {
    let path = named.unwrap_or(Path::new(USUAL));
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Table::new());
        }
        Err(error) => return Err(vec![mistake(path, 0, format!("cannot be read: {error}"))]),
    };
    match String::from_utf8(bytes) {
        Ok(text) => parse(path, &text),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = Lines(error.as_bytes()).of(good);
            Err(vec![mistake(path, line, "is not UTF-8 here".to_owned())])
        }
    }
}

/// The table that `text` holds, or its syntax errors, one a line of the file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Table, Vec<Mistake>> {
    let lines = Lines(text.as_bytes());
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let place = |offset| Origin::File { path: PathBuf::from(path), line: lines.of(offset) };
        return Ok(convert_table(table.into_inner(), &place));
    }
    // The message only: the error's own Display quotes the line, and a secret may stand there.
    let mut mistakes = Vec::new();
    for error in errors {
        let line = lines.of(error.span().map_or(0, |span| span.start));
        mistakes.push(mistake(path, line, error.message().replace('\n', ", ")));
    }
    mistakes.sort_by(|a, b| a.origin.cmp(&b.origin));
    mistakes.dedup_by(|a, b| a.origin == b.origin);
    Err(mistakes)
}

/// The value that `text`, in TOML, stands for, all of it from `origin`; `None` if it is not TOML.
pub(super) fn parse_value(text: &str, origin: &Origin) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value.into_inner(), &|_| origin.clone()))
}

fn mistake(path: &Path, line: usize, what: String) -> Mistake {
    Mistake { origin: Origin::File { path: path.to_owned(), line }, key: String::new(), what }
}

fn convert_table(table: DeTable<'_>, place: &dyn Fn(usize) -> Origin) -> Table {
    let entry = |(key, value): (Spanned<_>, Spanned<DeValue<'_>>)| {
        let origin = place(key.span().start);
        let key: std::borrow::Cow<'_, str> = key.into_inner();
        (key.into_owned(), Node { origin, value: convert(value.into_inner(), place) })
    };
    table.into_iter().map(entry).collect()
}

fn convert_list(list: DeArray<'_>, place: &dyn Fn(usize) -> Origin) -> Vec<Node> {
    let item = |item: Spanned<DeValue<'_>>| {
        let origin = place(item.span().start);
        Node { origin, value: convert(item.into_inner(), place) }
    };
    list.into_iter().map(item).collect()
}

fn convert(value: DeValue<'_>, place: &dyn Fn(usize) -> Origin) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(flag) => Value::Boolean(flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number beyond 64 bits"), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or(Value::Other("no number"), Value::Float)
        }
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(list) => Value::List(convert_list(list, place)),
        DeValue::Table(table) => Value::Table(convert_table(table, place)),
    }
}

/// Offsets in bytes as line numbers from 1.
struct Lines<'a>(&'a [u8]);

impl Lines<'_> {
    fn of(&self, offset: usize) -> usize {
        1 + self.0.iter().take(offset).filter(|&&byte| byte == b'\n').count()
    }
}
