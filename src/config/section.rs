//! Typed reading of one table, which goes on after a mistake.
//!
//! A reader takes the key out of the table, so what is left at the end is unknown. It writes to a
//! field that holds the default and leaves it alone when the key is absent or wrong: the mistake
//! is kept, and no configuration comes of it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::environment;
use super::file;
use super::mistake::{Mistake, Origin};
use super::suggest;
use super::tree::{self, Node, Table, Value};

/// The widest bounds of a span of time that nothing narrower is known about, in seconds.
pub(super) const ANY_SPAN: RangeInclusive<f64> = 0.05..=86_400.0;

/// A table that is being read.
pub(super) struct Section<'a> {
    path: String,
    left: Table,
    known: Vec<&'static str>,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Section<'a> {
    /// The whole configuration.
    pub(super) fn root(table: Table, mistakes: &'a mut Vec<Mistake>) -> Self {
        Self { path: String::new(), left: table, known: Vec::new(), mistakes }
    }

    /// Where `key` was written, while it has not been read; `None` if it was not.
    pub(super) fn origin(&self, key: &str) -> Option<Origin> {
        self.left.get(key).map(|node| node.origin.clone())
    }

    /// Keeps a mistake about `key`.
    pub(super) fn refuse(&mut self, origin: Origin, key: &str, what: impl Into<String>) {
        let key = tree::join(&self.path, key);
        self.mistakes.push(Mistake { origin, key, what: what.into() });
    }

    /// Keeps a mistake about this table itself, whose keys then do not matter.
    pub(super) fn refuse_whole(&mut self, origin: &Origin, what: String) {
        self.left.clear();
        self.mistakes.push(Mistake { origin: origin.clone(), key: self.path.clone(), what });
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str, field: &mut bool) {
        let Some(node) = self.take(key) else { return };
        match node.value.boolean() {
            Some(flag) => *field = flag,
            None => self.refuse_type(&node.origin, key, "true or false", &node.value),
        }
    }

    /// A whole number within `range`.
    pub(super) fn whole<T>(&mut self, key: &'static str, range: RangeInclusive<T>, field: &mut T)
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let Some(node) = self.take(key) else { return };
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(number) = node.value.integer() else {
            return self.refuse_type(&node.origin, key, &wanted, &node.value);
        };
        match T::try_from(number) {
            Ok(number) if range.contains(&number) => *field = number,
            _ => self.refuse(node.origin, key, format!("must be {wanted}, not {number}")),
        }
    }

    /// A span of time in seconds, fractions too, within `range`.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        range: RangeInclusive<f64>,
        field: &mut Duration,
    ) {
        let Some(node) = self.take(key) else { return };
        let wanted = format!("from {} to {} seconds", range.start(), range.end());
        match node.value.number() {
            None => {
                self.refuse_type(&node.origin, key, &format!("a number {wanted}"), &node.value);
            }
            Some(number) if range.contains(&number) => *field = Duration::from_secs_f64(number),
            Some(_) => self.refuse(node.origin, key, format!("must be {wanted}")),
        }
    }

    /// A text as it is, with where it was written.
    pub(super) fn text(&mut self, key: &'static str) -> Option<(String, Origin)> {
        let Node { origin, value } = self.take(key)?;
        let text = value.text().map(str::to_owned);
        if text.is_none() {
            self.refuse_type(&origin, key, "a text", &value);
        }
        Some((text?, origin))
    }

    /// A text that `parse` understands. `parse` says what is wrong, and names no secret.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, origin) = self.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(what) => {
                self.refuse(origin, key, what);
                None
            }
        }
    }

    /// [`Section::parsed`], where an empty text is nothing at all.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let parse = |text: &str| {
            if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
        };
        self.parsed(key, parse).flatten()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        field: &mut T,
    ) {
        let find = |text: &str| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let known: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
                format!("must be one of {}, not {text:?}", known.join(", "))
            })
        };
        if let Some(value) = self.parsed(key, find) {
            *field = value;
        }
    }

    /// A list of texts that `parse` understands, one by one; in the environment a TOML list, or
    /// items with commas between them.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        field: &mut Vec<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) {
        let Some(node) = self.take(key) else { return };
        let Some(items) = items(&node) else {
            return self.refuse_type(&node.origin, key, "a list of texts", &node.value);
        };
        field.clear();
        for (index, item) in items.into_iter().enumerate() {
            let value = match item.value.text() {
                Some(text) => parse(text),
                None => Err(format!("must be a text, not {}", item.value.type_name())),
            };
            match value {
                Ok(value) => field.push(value),
                Err(what) => {
                    let key = format!("{}[{index}]", tree::join(&self.path, key));
                    self.mistakes.push(Mistake { origin: item.origin, key, what });
                }
            }
        }
    }

    /// A table within this one, read to its end by `read`; an empty one if it is absent.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let node = self.take(key);
        self.inner(key, node, read)
    }

    /// Every key there is, each a table of its own, for tables whose keys are names.
    pub(super) fn each(&mut self, mut read: impl FnMut(&str, &Origin, &mut Section<'_>)) {
        for (key, node) in std::mem::take(&mut self.left) {
            let origin = node.origin.clone();
            self.inner(&key, Some(node), |section| read(&key, &origin, section));
        }
    }

    /// Tells the keys that nobody asked for.
    pub(super) fn finish(mut self) {
        for (key, node) in std::mem::take(&mut self.left) {
            let what = self.unknown(&key, &node.origin);
            self.refuse(node.origin, &key, what);
        }
    }

    fn inner<T>(
        &mut self,
        key: &str,
        node: Option<Node>,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let left = match node {
            None => Table::new(),
            Some(Node { value: Value::Table(table), .. }) => table,
            Some(Node { origin, value }) => {
                self.refuse_type(&origin, key, "a table", &value);
                Table::new()
            }
        };
        let path = tree::join(&self.path, key);
        let mut section = Section { path, left, known: Vec::new(), mistakes: self.mistakes };
        let value = read(&mut section);
        section.finish();
        value
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.left.remove(key)
    }

    fn refuse_type(&mut self, origin: &Origin, key: &str, wanted: &str, value: &Value) {
        let what = if let Value::Raw(_) = value {
            format!("must be {wanted}")
        } else {
            format!("must be {wanted}, not {}", value.type_name())
        };
        self.refuse(origin.clone(), key, what);
    }

    fn unknown(&self, key: &str, origin: &Origin) -> String {
        if let Some(near) = suggest::nearest(key, self.known.iter().copied()) {
            return format!("is no known key; did you mean {:?}?", tree::join(&self.path, near));
        }
        if let Origin::Variable(name) = origin
            && self.path.is_empty()
            && let Some(near) = environment::with_two_underscores(name)
        {
            return format!("is no known key; did you mean {near}?");
        }
        format!("is no known key; known here: {}", self.known.join(", "))
    }
}

/// The items of a list, or `None` if it is none. Text of the environment is a list in TOML, or
/// items with commas between them; each then stands where the variable does.
fn items(Node { origin, value }: &Node) -> Option<Vec<Node>> {
    if let Value::List(list) = value {
        return Some(list.clone());
    }
    let Value::Raw(text) = value else { return None };
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    if text.starts_with('[') {
        return items(&Node { origin: origin.clone(), value: file::parse_value(text, origin)? });
    }
    let node = |item: &str| {
        let value = Value::Text(item.trim().to_owned());
        Node { origin: origin.clone(), value }
    };
    Some(text.split(',').map(node).collect())
}
