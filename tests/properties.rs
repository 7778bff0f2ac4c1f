//! What must hold for any input, with input made up: of any bytes, and of pieces that mean
//! something, since few random bytes do. The properties themselves are in `src/fuzz.rs`.
//!
//! `PROPTEST_CASES=100000` looks further; what fails is made smaller, and printed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;
use pushgate::fuzz;

fn config() -> Config {
    // A failure is printed whole, and belongs into a corpus of `fuzz/`.
    Config { failure_persistence: None, ..Config::default() }
}

/// Text of some of these pieces, in any order.
fn of_pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(pieces), 0..30).prop_map(|chosen| chosen.concat())
}

/// One frame: any first byte, masked or not, its length said rightly or not.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => select(vec![0x00_u8, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        vec(any::<u8>(), 0..20),
        "\\PC{0,60}".prop_map(String::into_bytes),
        vec(any::<u8>(), 120..300),
        Just(vec![b'a'; 999]),
        Just(vec![b'a'; 1001]),
        Just("é".repeat(100).into_bytes()[..99].to_vec()),
        (900_u16..5100).prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    (first, payload, any::<[u8; 4]>(), prop::bool::weighted(0.95)).prop_map(
        |(first, payload, mask, is_masked)| {
            let bit = if is_masked { 0x80 } else { 0 };
            let mut bytes = vec![first];
            match payload.len() {
                short @ 0..126 => bytes.push(bit | u8::try_from(short).unwrap()),
                long => {
                    bytes.push(bit | 0x7e);
                    bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
                }
            }
            if is_masked {
                bytes.extend(mask);
            }
            bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
            bytes
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_are_read_without_harm(data in vec(any::<u8>(), 0..300)) {
        fuzz::frames(&data);
        fuzz::channel_name(&data);
        fuzz::form(&data);
        fuzz::json(&data);
        fuzz::since(&data);
        fuzz::token(&data);
        fuzz::forwarded(&data);
    }

    #[test]
    fn any_text_is_read_without_harm(text in "\\PC{0,100}") {
        fuzz::channel_name(text.as_bytes());
        fuzz::form(text.as_bytes());
        fuzz::json(text.as_bytes());
        fuzz::since(text.as_bytes());
        fuzz::token(text.as_bytes());
        fuzz::forwarded(text.as_bytes());
    }

    #[test]
    fn frames_are_read_alike_in_any_pieces(frames in vec(frame(), 0..8), cut in 0..50_usize) {
        let bytes = frames.concat();
        fuzz::frames(&bytes);
        fuzz::frames(&bytes[..bytes.len().saturating_sub(cut)]);
    }

    #[test]
    fn names_are_themselves_however_they_are_written(
        text in of_pieces(&[
            "a", "Z", "0", "_", "-", "~", ".", "..", "/", "%2f", "%2e", "%41", "%", "%0", "로", "é",
            "e\u{301}", "%cc%81", "\u{1100}\u{1161}", "\u{212b}", "*", "**", " ", "%00", "%ff", "ａ",
        ]),
    ) {
        fuzz::channel_name(text.as_bytes());
    }

    #[test]
    fn forms_mean_the_same_written_again(
        text in of_pieces(&[
            "value", "token", "=", "&", "+", "%20", "%26", "%3d", "%2B", "%", "%zz", "%e9", "%c3%a9",
            "%00", "a", "로", ";", "[]", "\u{2028}",
        ]),
    ) {
        fuzz::form(text.as_bytes());
    }

    #[test]
    fn json_means_the_same_made_compact(
        text in of_pieces(&[
            "{", "}", "[", "]", ":", ",", "\"a\"", "\"value\":", "\"\\u2028\"", "\"\u{2028}\"", "1",
            "-0", "1.50", "1e5", "1e999", "true", "null", " ", "\n", "\"\\ud83e\\udd80\"", "\"\\ud800\"",
            "\"\\\\\"", "\"\\\"\"", "\"", "\\",
        ]),
    ) {
        fuzz::json(text.as_bytes());
    }

    #[test]
    fn json_of_any_value_means_the_same_made_compact(value in json_value()) {
        fuzz::json(value.to_string().as_bytes());
        fuzz::json(format!("{value:#}").as_bytes());
    }

    #[test]
    fn positions_are_read_as_they_were_written(
        text in "0|[0-9a-z]{1,9}-[0-9]{1,21}(\\.[0-9]{1,20}){0,3}|[0-9a-zA-Z.+-]{0,20}",
    ) {
        fuzz::since(text.as_bytes());
    }

    #[test]
    fn nothing_added_to_a_token_leaves_it_one(text in "[A-Za-z0-9_.=+/-]{1,60}|\\PC{1,10}") {
        fuzz::token(text.as_bytes());
    }

    #[test]
    fn nothing_said_to_a_proxy_changes_who_one_is(
        text in of_pieces(&[
            "for=", "For=", "by=", "proto=https", "192.0.2.7", "127.0.0.1", "6.6.6.6", "::1", "[::1]",
            "[2001:db8::1]:80", ":80", ":_a", "_hidden", "unknown", "\"", "\\\"", ";", ",", ", ", "=",
            "::ffff:127.0.0.1", "%", " ", "\t", "é",
        ]),
    ) {
        fuzz::forwarded(text.as_bytes());
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        "\\PC{0,10}|[\u{2028}\u{2029}\"\\\\\n]{0,5}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            vec(("\\PC{0,5}", inner), 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}
