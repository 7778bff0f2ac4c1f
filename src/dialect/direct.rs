//! What is sent to one client, outside of any order.

use std::sync::Arc;

use bytes::Bytes;

use crate::channel::json::push_string;

/// A message for one client. Cloning copies a pointer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Direct {
    said: Said,
    nonce: u64,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Said {
    /// A direct message, as JSON.
    Json(Bytes),
    /// The same on a channel whose messages have no shape of their own, and who sent it.
    Value(Arc<str>, Bytes),
    /// A text of a backend: any string, in UTF-8.
    Text(Bytes),
}

impl Direct {
    /// A direct message, as JSON.
    pub const fn message(json: Bytes) -> Self {
        Self::of(Said::Json(json))
    }

    /// The same on a channel whose messages have no shape of their own, and who sent it.
    pub const fn value(sender: Arc<str>, json: Bytes) -> Self {
        Self::of(Said::Value(sender, json))
    }

    /// A text of a backend.
    pub fn text(text: String) -> Self {
        Self::of(Said::Text(Bytes::from(text)))
    }

    const fn of(said: Said) -> Self {
        Self { said, nonce: 0 }
    }

    /// The message with a number of its own: a later one to the same client has a higher one.
    #[must_use]
    pub fn numbered(self, nonce: u64) -> Self {
        Self { nonce, ..self }
    }

    /// Its number.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Whether it is a text of a backend.
    pub const fn is_text(&self) -> bool {
        matches!(self.said, Said::Text(_))
    }

    /// The message as JSON: a text as a string.
    pub fn json(&self) -> Bytes {
        match &self.said {
            Said::Json(json) | Said::Value(_, json) => json.clone(),
            Said::Text(text) => {
                let mut json = Vec::with_capacity(text.len() + 16);
                // It was made of a `String`.
                push_string(&mut json, std::str::from_utf8(text).unwrap_or_default());
                Bytes::from(json)
            }
        }
    }

    /// The message where `ids=1` was asked for: `{"client_id":…,"data":…}` around what could
    /// otherwise be taken for a message of ours.
    pub fn wrapped(&self) -> Bytes {
        let Said::Value(sender, value) = &self.said else {
            return self.json();
        };
        let mut json = Vec::with_capacity(value.len() + 80);
        json.extend_from_slice(br#"{"client_id":"#);
        push_string(&mut json, sender);
        json.extend_from_slice(br#","data":"#);
        json.extend_from_slice(value);
        json.push(b'}');
        Bytes::from(json)
    }

    /// `{"direct":"<nonce>","data":…}` around `json`, which is this message: so whoever has two
    /// connections for a moment can tell that it has it already.
    pub fn named(&self, json: &[u8]) -> Bytes {
        let begin = format!(r#"{{"direct":"{:x}","data":"#, self.nonce);
        Bytes::from([begin.as_bytes(), json, b"}"].concat())
    }

    /// The message as it is: a text without anything around it.
    pub fn raw(&self) -> Bytes {
        match &self.said {
            Said::Json(bytes) | Said::Value(_, bytes) | Said::Text(bytes) => bytes.clone(),
        }
    }

    /// How many bytes it has, as it is.
    pub const fn len(&self) -> usize {
        match &self.said {
            Said::Json(bytes) | Said::Value(_, bytes) | Said::Text(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_told_as_it_is_or_as_a_json_string() {
        let text = Direct::text("{\"users\":[]}\n\u{2028}".to_owned());
        assert_eq!(text.raw(), "{\"users\":[]}\n\u{2028}");
        assert_eq!(text.json(), r#""{\"users\":[]}\n\u2028""#);
        let json = Direct::message(Bytes::from_static(b"{}"));
        assert_eq!((json.raw(), json.json()), ("{}".into(), "{}".into()));
        assert_eq!(json.wrapped(), "{}");
        let value = Direct::value("a\"b".into(), Bytes::from_static(br#"{"id":"x-9"}"#));
        assert_eq!(value.json(), r#"{"id":"x-9"}"#);
        assert_eq!(value.wrapped(), r#"{"client_id":"a\"b","data":{"id":"x-9"}}"#);
        let named = value.numbered(255);
        assert_eq!(named.named(&named.json()), r#"{"direct":"ff","data":{"id":"x-9"}}"#);
    }
}
