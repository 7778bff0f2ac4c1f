//! What is sent to one client, outside of any order.

use std::sync::Arc;

use bytes::Bytes;

use crate::channel::json::push_string;

/// A message for one client. Cloning copies a pointer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Direct {
    /// A direct message, as JSON.
    Json(Bytes),
    /// The same on a channel whose messages have no shape of their own, and who sent it.
    Value(Arc<str>, Bytes),
    /// A text of a backend: any string, in UTF-8.
    Text(Bytes),
}

impl Direct {
    /// A text of a backend.
    pub fn text(text: String) -> Self {
        Self::Text(Bytes::from(text))
    }

    /// The message as JSON: a text as a string.
    pub fn json(&self) -> Bytes {
        match self {
            Self::Json(json) | Self::Value(_, json) => json.clone(),
            Self::Text(text) => {
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
        let Self::Value(sender, value) = self else {
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

    /// The message as it is: a text without anything around it.
    pub fn raw(&self) -> Bytes {
        match self {
            Self::Json(bytes) | Self::Value(_, bytes) | Self::Text(bytes) => bytes.clone(),
        }
    }

    /// How many bytes it has, as it is.
    pub const fn len(&self) -> usize {
        match self {
            Self::Json(bytes) | Self::Value(_, bytes) | Self::Text(bytes) => bytes.len(),
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
        let json = Direct::Json(Bytes::from_static(b"{}"));
        assert_eq!((json.raw(), json.json()), ("{}".into(), "{}".into()));
        assert_eq!(json.wrapped(), "{}");
        let value = Direct::Value("a\"b".into(), Bytes::from_static(br#"{"id":"x-9"}"#));
        assert_eq!(value.json(), r#"{"id":"x-9"}"#);
        assert_eq!(value.wrapped(), r#"{"client_id":"a\"b","data":{"id":"x-9"}}"#);
    }
}
