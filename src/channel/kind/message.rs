//! `message`: a text, delivered with who said it and when. The root channel is of this kind.

use serde::Deserialize;
use serde_json::Value;

use super::{Accepted, Content, Inbound, Rejection, is_object, publish};

/// What a client speaks.
#[derive(Deserialize)]
struct Spoken {
    #[serde(default)]
    value: Value,
    #[serde(default)]
    to: Value,
    #[serde(default)]
    key: Value,
}

pub(super) fn accept(inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
    match inbound {
        Inbound::Text(text) => Ok(publish(content(text.to_owned())?)),
        Inbound::Json(raw) => {
            let text = serde_json::from_str(raw).map_err(|_| must_be_string("value"))?;
            Ok(publish(content(text)?))
        }
        Inbound::Spoken(frame) => {
            if !is_object(frame) {
                let what = "expected {\"value\": string}";
                return Err(Rejection::Field("value", what.to_owned()));
            }
            let spoken: Spoken = serde_json::from_str(frame).map_err(|error| {
                Rejection::Field("value", format!("expected {{\"value\": string}}: {error}"))
            })?;
            let value = string("value", spoken.value)?.unwrap_or_default();
            let (to, key) = (string("to", spoken.to)?, string("key", spoken.key)?);
            Ok(Accepted::Publish { content: content(value)?, to, key })
        }
        Inbound::Binary(_) => Err(Rejection::Binary),
    }
}

fn content(text: String) -> Result<Content, Rejection> {
    if text.is_empty() {
        return Err(Rejection::Field("value", "must not be missing or empty".to_owned()));
    }
    Ok(Content::Message(text))
}

fn string(field: &'static str, value: Value) -> Result<Option<String>, Rejection> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(must_be_string(field))
        }
    }
}

fn must_be_string(field: &'static str) -> Rejection {
    Rejection::Field(field, "must be a string".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(frame: &str) -> Result<Accepted, Rejection> {
        accept(Inbound::Spoken(frame))
    }

    #[test]
    fn a_text_is_published_as_it_came() {
        let expected = Ok(publish(Content::Message("a\0\u{2028}b".to_owned())));
        assert_eq!(accept(Inbound::Text("a\0\u{2028}b")), expected);
        assert_eq!(accept(Inbound::Json(r#""a\u0000\u2028b""#)), expected);
        assert_eq!(said(r#"{"value":"a\u0000\u2028b","more":1}"#), expected);
    }

    #[test]
    fn what_is_no_text_is_refused_by_its_field() {
        for frame in [
            "{}",
            r#"["a"]"#,
            r#"["a",null,null]"#,
            r#"{"value":null}"#,
            r#"{"value":1}"#,
            r#"{"value":""}"#,
            "",
            "[]",
        ] {
            assert!(matches!(said(frame), Err(Rejection::Field("value", _))), "{frame}");
        }
        let addressed = said(r#"{"value":"a","to":7}"#);
        assert!(matches!(addressed, Err(Rejection::Field("to", _))));
        assert_eq!(accept(Inbound::Binary(b"x")), Err(Rejection::Binary));
        for raw in ["1", "null", "[]", r#""\ud800""#] {
            assert!(accept(Inbound::Json(raw)).is_err(), "{raw}");
        }
    }
}
