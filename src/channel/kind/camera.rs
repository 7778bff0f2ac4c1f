//! `camera`: where somebody looks from. A newcomer is told the newest position at once, and only the
//! newest of each sender matters to who is slow.
//!
//! Source: wire.md section 4.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Accepted, Content, Inbound, Rejection, is_object, publish};

/// Three coordinates, with the digits they came with. Further members are dropped.
#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow)]
    x: &'a RawValue,
    #[serde(borrow)]
    y: &'a RawValue,
    #[serde(borrow)]
    z: &'a RawValue,
}

pub(super) fn accept(inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
    match inbound {
        Inbound::Text("") => {
            Err(Rejection::Field("value", "must not be missing or empty".to_owned()))
        }
        Inbound::Text(text) | Inbound::Json(text) => {
            place(text).map_err(|why| Rejection::Field("value", why))
        }
        Inbound::Spoken(frame) => place(frame).map_err(Rejection::Ignored),
        Inbound::Binary(_) => Err(Rejection::Binary),
    }
}

fn place(text: &str) -> Result<Accepted, String> {
    if !is_object(text) {
        return Err(r#"expected {"x": number, "y": number, "z": number}"#.to_owned());
    }
    let Place { x, y, z } = serde_json::from_str(text).map_err(|error| {
        format!(r#"expected {{"x": number, "y": number, "z": number}}: {error}"#)
    })?;
    let (x, y, z) = (digits("x", x)?, digits("y", y)?, digits("z", z)?);
    Ok(publish(Content::Json(format!(r#"{{"x":{x},"y":{y},"z":{z}}}"#))))
}

/// The digits of a number that is finite as `f64`.
fn digits<'a>(name: &str, raw: &'a RawValue) -> Result<&'a str, String> {
    let text = raw.get();
    // Rust reads words like `inf` as numbers too, which JSON has not: those never come this far.
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(text),
        Ok(_) => Err(format!("{name} must be a finite number")),
        Err(_) => Err(format!("{name} must be a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_digits_and_nothing_else() {
        let frame =
            r#" {"z": 1E-7, "name": {"x": [2]}, "x":-0.10, "y":123456789012345678901234567890} "#;
        let json = r#"{"x":-0.10,"y":123456789012345678901234567890,"z":1E-7}"#;
        let expected = Ok(publish(Content::Json(json.to_owned())));
        for inbound in [Inbound::Spoken(frame), Inbound::Text(frame), Inbound::Json(frame)] {
            assert_eq!(accept(inbound), expected);
        }
    }

    #[test]
    fn anything_else_is_ignored_where_it_is_spoken_and_refused_as_a_post() {
        let wrong = [
            "",
            " ",
            "hello",
            "{}",
            "[1,2,3]",
            "7",
            r#"{"x":1,"y":2}"#,
            r#"{"x":1,"y":2,"z":"3"}"#,
            r#"{"x":1,"y":2,"z":null}"#,
            r#"{"x":1,"y":2,"z":[3]}"#,
            r#"{"x":1,"y":2,"z":true}"#,
            r#"{"x":1,"y":2,"z":NaN}"#,
            r#"{"x":1,"y":2,"z":Infinity}"#,
            r#"{"x":1,"y":2,"z":1e999}"#,
            r#"{"x":1,"y":2,"z":-1e999}"#,
            r#"{"x":1,"y":2,"z":03}"#,
            r#"{"x":1,"y":2,"z":3} {}"#,
            r#"{"x":1,"x":1,"y":2,"z":3}"#,
        ];
        for text in wrong {
            assert!(matches!(accept(Inbound::Spoken(text)), Err(Rejection::Ignored(_))), "{text}");
            for post in [Inbound::Text(text), Inbound::Json(text)] {
                assert!(matches!(accept(post), Err(Rejection::Field("value", _))), "{text}");
            }
        }
        assert_eq!(accept(Inbound::Binary(b"{}")), Err(Rejection::Binary));
    }
}
