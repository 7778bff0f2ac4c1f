//! `chat`: the texts of a room. What is spoken in another shape is ignored, as clients of old expect.
//!
//! Source: wire.md section 4.

use serde::Deserialize;

use super::{Accepted, Content, Inbound, Rejection, is_object, publish};

/// What a client speaks.
#[derive(Deserialize)]
struct Spoken {
    message: String,
}

pub(super) fn accept(inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
    let refused = |what: &str| Rejection::Field("value", what.to_owned());
    match inbound {
        Inbound::Text("") => Err(refused("must not be missing or empty")),
        Inbound::Text(text) => Ok(said(text.to_owned())),
        Inbound::Json(raw) => match serde_json::from_str::<String>(raw) {
            Ok(text) if text.is_empty() => Err(refused("must not be missing or empty")),
            Ok(text) => Ok(said(text)),
            Err(_) => Err(refused("must be a string")),
        },
        Inbound::Spoken(text) => spoken(text).map_err(Rejection::Ignored),
        Inbound::Binary(_) => Err(Rejection::Binary),
    }
}

fn spoken(text: &str) -> Result<Accepted, String> {
    let wrong = |why: &str| format!(r#"expected {{"message": string}}{why}"#);
    if !is_object(text) {
        return Err(wrong(""));
    }
    let Spoken { message } =
        serde_json::from_str(text).map_err(|error| wrong(&format!(": {error}")))?;
    if message.is_empty() {
        Err("message: must not be empty".to_owned())
    } else {
        Ok(said(message))
    }
}

fn said(text: String) -> Accepted {
    publish(Content::Chat(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_whatever_it_holds() {
        let expected = Ok(said("<b>\0로비".to_owned()));
        assert_eq!(accept(Inbound::Text("<b>\0로비")), expected);
        assert_eq!(accept(Inbound::Json(r#""<b>\u0000로비""#)), expected);
        let frame = r#"{"message":"<b>\u0000로비","more":[1]}"#;
        assert_eq!(accept(Inbound::Spoken(frame)), expected);
    }

    #[test]
    fn what_is_spoken_in_another_shape_is_ignored_and_a_post_refused() {
        for frame in
            ["", "hello", "{}", "[]", r#"["a"]"#, "7", r#"{"message":7}"#, r#"{"message":""}"#]
        {
            assert!(
                matches!(accept(Inbound::Spoken(frame)), Err(Rejection::Ignored(_))),
                "{frame}"
            );
        }
        for post in [Inbound::Text(""), Inbound::Json(r#""""#), Inbound::Json("7")] {
            assert!(matches!(accept(post), Err(Rejection::Field("value", _))), "{post:?}");
        }
        assert_eq!(accept(Inbound::Binary(b"x")), Err(Rejection::Binary));
    }
}
