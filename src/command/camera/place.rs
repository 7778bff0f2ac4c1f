//! Where a camera is.

use std::fmt;

use serde::Deserialize;

/// Three coordinates, to the millimetre where we made them: `y` is height, as in Unity.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Place {
    x: f64,
    y: f64,
    z: f64,
}

/// A message with `ids=1`.
#[derive(Deserialize)]
struct Envelope {
    data: Place,
}

impl Place {
    /// The place nearest to `x`, `y`, `z` that has no more than three decimals.
    pub(crate) fn rounded(x: f64, y: f64, z: f64) -> Self {
        // Zero is added so that there is no negative zero.
        let [x, y, z] = [x, y, z].map(|metres| (metres * 1000.0).round() / 1000.0 + 0.0);
        Self { x, y, z }
    }

    /// The place in a message, within its envelope or by itself; `None` if it is no place.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let envelope = serde_json::from_str(text).map(|Envelope { data }| data);
        envelope.or_else(|_| serde_json::from_str(text)).ok()
    }
}

/// The message that says so: a point in every number that has decimals, whatever the locale.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { x, y, z } = self;
        write!(f, r#"{{"x":{x},"y":{y},"z":{z}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_millimetres() {
        let told = |x, y, z| Place::rounded(x, y, z).to_string();
        assert_eq!(told(1.23449, 1.6, -4.0), r#"{"x":1.234,"y":1.6,"z":-4}"#);
        assert_eq!(told(-0.0001, 0.1 + 0.2, 1e-9), r#"{"x":0,"y":0.3,"z":0}"#);
        assert_eq!(told(123_456.789_04, -0.5, 1e5), r#"{"x":123456.789,"y":-0.5,"z":100000}"#);
    }

    #[test]
    fn what_was_told_is_known_again() {
        for step in -5000_i32..5000 {
            let metres = f64::from(step) * 0.777_123;
            let place = Place::rounded(metres, 1.6, -metres);
            assert_eq!(Place::read(&place.to_string()), Some(place));
            let envelope = format!(r#"{{"id":"k-1","client_id":"a","data":{place}}}"#);
            assert_eq!(Place::read(&envelope), Some(place));
        }
    }

    #[test]
    fn order_and_digits_of_others_are_free() {
        let read = Place::read(r#"{"z":3.0,"name":"Ada","y":2e0,"x":1}"#);
        assert_eq!(read, Some(Place::rounded(1.0, 2.0, 3.0)));
        for text in [r#"{"since":"k-0"}"#, r#"{"error":{}}"#, r#"{"x":1,"y":2}"#, "", "7"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
