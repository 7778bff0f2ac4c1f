//! JSON as it travels: strings that old pages can `eval`, and values kept digit for digit.

use memchr::memchr_iter;
use serde_json::Value;

/// How deep arrays and objects may be nested; the limit that `serde_json` enforces when it reads.
pub const MAX_DEPTH: usize = 127;

/// Appends `text` as a JSON string, with U+2028 and U+2029 escaped.
///
/// JSON allows the two separators in strings, ECMAScript before 2019 did not: a page that `eval`s
/// a message would fail on them. Source: ECMA-262, "JSON superset" proposal.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    // Writing to a vector cannot fail, and a `str` has no other reason to.
    let written = serde_json::to_writer(&mut *out, text);
    debug_assert!(written.is_ok());
    escape_separators(out, start);
}

/// `text` as a JSON string of its own.
pub fn string(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// Replaces U+2028 and U+2029 from `start` on by their escapes.
fn escape_separators(out: &mut Vec<u8>, start: usize) {
    let fresh = out.get(start..).unwrap_or_default();
    if !memchr_iter(0xE2, fresh).any(|at| fresh.get(at..at + 3).is_some_and(is_separator)) {
        return;
    }
    let fresh = out.split_off(start);
    let mut rest = fresh.as_slice();
    while let Some((byte, tail)) = rest.split_first() {
        match rest.get(..3) {
            Some(three) if is_separator(three) => {
                let escape: &[u8] = if three.ends_with(&[0xA8]) { b"\\u2028" } else { b"\\u2029" };
                out.extend_from_slice(escape);
                rest = rest.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
}

fn is_separator(bytes: &[u8]) -> bool {
    matches!(bytes, [0xE2, 0x80, 0xA8 | 0xA9])
}

/// `text` without white space between its tokens; digits, order and repetition of keys are kept.
///
/// # Errors
/// The reason in words when `text` is not JSON, nests deeper than [`MAX_DEPTH`], holds a number
/// beyond `f64` or a surrogate without its partner.
pub fn compact(text: &str) -> Result<String, String> {
    serde_json::from_str::<Value>(text).map_err(|error| error.to_string())?;
    let mut out = Vec::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            out.push(byte);
            in_string = byte == b'"';
        }
    }
    escape_separators(&mut out, 0);
    String::from_utf8(out).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_escaped_and_nothing_else_is_changed() {
        assert_eq!(string("a\u{2028}b\u{2029}\u{2027}\0\"東"), r#""a\u2028b\u2029‧\u0000\"東""#);
    }

    #[test]
    fn compacting_keeps_digits_and_order() {
        let text = " { \"b\" : [ 1.50 , -0 , 1E+2 ] ,\n\"a\":\" x \\\" y \" } ";
        assert_eq!(compact(text).unwrap(), r#"{"b":[1.50,-0,1E+2],"a":" x \" y "}"#);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "nul", "{", "[1,]", "\"\\ud800\"", "1e999", "NaN", "1 2"] {
            assert!(compact(text).is_err(), "{text}");
        }
        let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(compact(&deep(MAX_DEPTH)).is_ok());
        assert!(compact(&deep(MAX_DEPTH + 1)).is_err());
        assert!(compact(&deep(10_000)).is_err());
    }
}
