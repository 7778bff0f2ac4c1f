//! The objects of the plain dialect, read as far as a follower needs them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// What one object is. Connections are opened with `ids=1`, so whatever a channel of any kind
/// carries is either an envelope or an object of the gateway's own.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// Something that was published.
    Data {
        /// Its id, where it has one.
        id: Option<String>,
        /// The object as it is without the envelope that `ids=1` asks for.
        plain: Cow<'a, str>,
    },
    /// Where the connection starts from.
    Position(String),
    /// Something is missing here.
    Gap,
    /// Who is there, or how that changed.
    Presence,
    /// The gateway tells that something we sent was refused.
    Error,
    /// The gateway ends the connection.
    Close(u16),
}

impl<'a> Message<'a> {
    /// Reads `text`; what is no object is data all the same.
    pub(crate) fn read(text: &'a str) -> Self {
        let Ok(members) = serde_json::from_str::<BTreeMap<String, &'a RawValue>>(text) else {
            return Self::Data { id: None, plain: Cow::Borrowed(text) };
        };
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        let member = |name| members.get(name).copied();
        match *names {
            ["gap"] => Self::Gap,
            ["error"] => Self::Error,
            ["close"] => Self::Close(code_in(text)),
            ["since"] => match member("since").and_then(string) {
                Some(since) => Self::Position(since),
                None => Self::data(None, text),
            },
            _ if is_presence(&names) => Self::Presence,
            _ => match (member("data"), member("id").and_then(string)) {
                (Some(data), Some(id)) => Self::data(Some(id), data.get()),
                (_, id) => Self::data(id.or_else(|| member("message").and_then(id_of)), text),
            },
        }
    }

    fn data(id: Option<String>, plain: &'a str) -> Self {
        let id = id.filter(|id| is_id(id));
        Self::Data { id, plain: Cow::Borrowed(plain) }
    }
}

/// `text` as one line of JSON: as it is, without the newlines that mean nothing, or as a string.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Cow::Owned(serde_json::Value::from(text).to_string());
    }
    if text.contains(['\n', '\r']) {
        // In JSON these stand between tokens only.
        return Cow::Owned(text.replace(['\n', '\r'], " "));
    }
    Cow::Borrowed(text)
}

/// The close code in `{"code":…}` or in `{"close":{"code":…}}`; 1005 where there is none.
pub(crate) fn code_in(text: &str) -> u16 {
    let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let code = document.pointer("/close/code").or_else(|| document.get("code"));
    code.and_then(serde_json::Value::as_u64).and_then(|code| code.try_into().ok()).unwrap_or(1005)
}

/// A list, a change of it, or a count: `count` and `version` alone, or with whom they are about.
fn is_presence(names: &[&str]) -> bool {
    !names.is_empty()
        && names.iter().any(|name| matches!(*name, "users" | "joined" | "left" | "count"))
        && !names.iter().any(|name| matches!(*name, "id" | "data" | "message"))
}

/// Whether `id` reads `<epoch>-<offset>`: what backends send to one client may look like anything.
fn is_id(id: &str) -> bool {
    id.rsplit_once('-').is_some_and(|(epoch, offset)| {
        !epoch.is_empty() && !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn id_of(message: &RawValue) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(message.get()).ok()?;
    members.get("id").copied().and_then(string)
}

fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> (Option<String>, String) {
        let Message::Data { id, plain } = Message::read(text) else {
            panic!("{text} was not read as data");
        };
        (id, plain.into_owned())
    }

    fn id(text: &str) -> Option<String> {
        data(text).0
    }

    #[test]
    fn ids_are_found_in_every_shape_of_message() {
        let wanted = Some("k3x9-41".to_owned());
        assert_eq!(id(r#"{"message":{"value":"hi","id":"k3x9-41"}}"#), wanted);
        assert_eq!(id(r#"{"message":"hi","client_id":"a","id":"k3x9-41"}"#), wanted);
        assert_eq!(id(r#"{"id":"k3x9-41","client_id":"a","data":{"x":1}}"#), wanted);
        assert_eq!(id(r#"{"message":{"value":"hi","to":"a"}}"#), None);
        assert_eq!(id(r#"{"message":"hi","id":"no id of ours"}"#), None);
    }

    #[test]
    fn an_envelope_is_taken_off_and_its_digits_kept() {
        let text = r#"{"id":"k-1","client_id":"a","data":{"z":1.10,"x":1e2,"id":7}}"#;
        assert_eq!(data(text).1, r#"{"z":1.10,"x":1e2,"id":7}"#);
    }

    #[test]
    fn what_the_gateway_tells_is_no_data() {
        assert!(matches!(Message::read(r#"{"gap":{"channel":"a"}}"#), Message::Gap));
        assert!(matches!(Message::read(r#"{"since":"k-0"}"#), Message::Position(p) if p == "k-0"));
        assert!(matches!(Message::read(r#"{"error":{"code":"x"}}"#), Message::Error));
        assert!(matches!(Message::read(r#"{"close":{"code":4003}}"#), Message::Close(4003)));
        for text in [
            r#"{"users":[],"count":0,"version":1}"#,
            r#"{"joined":[],"left":["a"],"count":0,"version":2}"#,
            r#"{"count":5000}"#,
        ] {
            assert!(matches!(Message::read(text), Message::Presence), "{text}");
        }
    }

    #[test]
    fn a_published_value_that_looks_like_presence_is_data() {
        assert_eq!(data(r#"{"id":"k-1","data":{"users":[]}}"#).1, r#"{"users":[]}"#);
        assert_eq!(data(r#"{"message":"x","count":3}"#).1, r#"{"message":"x","count":3}"#);
    }

    #[test]
    fn every_line_printed_is_one_line_of_json() {
        assert_eq!(one_line("{\"a\":\n 1}"), "{\"a\":  1}");
        assert_eq!(one_line("plain \"text\"\n"), r#""plain \"text\"\n""#);
        assert_eq!(one_line("\"a\""), "\"a\"");
    }

    #[test]
    fn a_close_without_a_code_is_1005() {
        assert_eq!(code_in(r#"{"code":4001}"#), 4001);
        assert_eq!(code_in("{}"), 1005);
        assert_eq!(code_in(r#"{"code":70000}"#), 1005);
    }
}
