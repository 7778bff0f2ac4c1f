//! Values as they were written, whatever wrote them: a tree of keys that knows its origins.

use std::collections::BTreeMap;

use super::mistake::{Mistake, Origin};

/// Keys with their values; a `BTreeMap`, so that mistakes come in the same order each time.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and where it was written.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// What was written. No `Debug`: any text may be a secret.
#[derive(Clone)]
pub(super) enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(Table),
    /// Untyped text, from the environment: the reader of the key knows what it should be.
    Raw(String),
    /// A TOML value that no key of ours takes, by its name.
    Other(&'static str),
}

impl Value {
    /// The value's type, as a mistake names it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a fraction",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Raw(_) => "a plain value",
            Self::Other(name) => name,
        }
    }
}

/// What a value is, if it is that; text of the environment is taken for what is asked for.
impl Value {
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.raw() {
            Some(text) => text.parse().ok(),
            None => {
                if let Self::Boolean(flag) = self {
                    Some(*flag)
                } else {
                    None
                }
            }
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self.raw() {
            Some(text) => text.parse().ok(),
            None => {
                if let Self::Integer(number) = self {
                    Some(*number)
                } else {
                    None
                }
            }
        }
    }

    /// A whole number beyond 32 bits is NaN, which like it is outside every range we have.
    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Float(number) = self {
            return Some(*number);
        }
        match self.raw() {
            Some(text) => text.parse().ok(),
            None => Some(i32::try_from(self.integer()?).map_or(f64::NAN, f64::from)),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) | Self::Raw(text) = self { Some(text) } else { None }
    }

    fn raw(&self) -> Option<&str> {
        if let Self::Raw(text) = self { Some(text.trim()) } else { None }
    }
}

/// Lays `over` on `base`, key by key: tables are joined, anything else is replaced.
///
/// A plain value under a table is a mistake of its own, told where it stands.
pub(super) fn overlay(base: &mut Table, over: Table, path: &str, mistakes: &mut Vec<Mistake>) {
    for (key, node) in over {
        let inner = join(path, &key);
        match (base.get_mut(&key), node.value) {
            (Some(Node { value: Value::Table(below), .. }), Value::Table(above)) => {
                overlay(below, above, &inner, mistakes);
            }
            (Some(Node { origin, value }), Value::Table(above)) => {
                mistakes.push(Mistake {
                    origin: origin.clone(),
                    key: inner,
                    what: format!("must be a table, not {}", value.type_name()),
                });
                base.insert(key, Node { origin: node.origin, value: Value::Table(above) });
            }
            (_, value) => {
                base.insert(key, Node { origin: node.origin, value });
            }
        }
    }
}

/// `path.key`, with the quotes that TOML wants around a key such as `chat/*`.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key =
        if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
