//! What must hold for any bytes that somebody sends, a function for each way they are read.
//!
//! The targets in `fuzz/` call these under a fuzzer, `tests/fuzz_corpus.rs` with the corpora that
//! are kept there, `tests/properties.rs` with generated input. For nobody else: not part of the API.
//! Each panics where something does not hold.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::channel::json::compact;
use crate::channel::{ChannelName, Pattern, Since};
use crate::code::Close;
use crate::gate::{Fields, Pairs, Via};
use crate::identity::{ClientId, Mint, Signer, TokenTime};
use crate::server::address::remote;
use crate::transport::ws::{Assembly, Message};

/// Frames of a WebSocket: it makes no difference in how many pieces they come, and no message is
/// larger than is allowed.
///
/// # Panics
/// If that does not hold.
pub fn frames(data: &[u8]) {
    let at_once = assemble(std::iter::once(data));
    let byte_by_byte = assemble(data.chunks(1));
    assert_eq!(at_once, byte_by_byte);
    let (front, back) = data.split_at(data.len() / 2);
    assert_eq!(at_once, assemble([front, back].into_iter()));
}

/// The messages in what comes in these pieces, and the close code that ends them.
fn assemble<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<Close>) {
    const MAX: usize = 1000;
    let mut assembly = Assembly::default();
    let mut messages = Vec::new();
    for piece in pieces {
        assembly.feed(piece);
        loop {
            match assembly.next(MAX) {
                Ok(Some(message)) => {
                    let size = match &message {
                        Message::Text(text) => text.len(),
                        Message::Binary(bytes) | Message::Ping(bytes) => bytes.len(),
                        Message::Pong | Message::Close(_) => 0,
                    };
                    assert!(size <= MAX, "a message of {size} bytes");
                    messages.push(message);
                }
                Ok(None) => break,
                Err(close) => return (messages, Some(close)),
            }
        }
    }
    (messages, None)
}

/// Names of channels, and patterns: a name is itself again however it is written, and within its
/// bounds.
///
/// # Panics
/// If that does not hold.
pub fn channel_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(pattern) = Pattern::parse(text) {
        pattern.matches(&ChannelName::root());
    }
    let Ok(name) = ChannelName::from_path(text) else { return };
    assert_eq!(ChannelName::parse(name.as_str()), Ok(name.clone()));
    let segments: Vec<String> = name.as_str().split('/').map(encode).collect();
    assert_eq!(ChannelName::from_path(&segments.join("/")), Ok(name.clone()));
    assert!(name.as_str().len() <= 255 && segments.len() <= 4, "{name:?}");
    assert!(!name.as_str().chars().any(|letter| letter.is_control() || letter == ' '), "{name:?}");
    assert!(name.as_str().split('/').all(|segment| segment != "." && segment != ".."), "{name:?}");
    let own = Pattern::parse(name.as_str());
    assert!(own.is_ok_and(|pattern| pattern.matches(&name)), "{name:?}");
}

/// Queries and forms: what was read means the same when it is written again.
///
/// # Panics
/// If that does not hold.
pub fn form(data: &[u8]) {
    let Ok(pairs) = Pairs::parse(data) else { return };
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let again = Pairs::parse(written.join("&").as_bytes());
    assert!(again.is_ok_and(|again| again.iter().eq(pairs.iter())), "{written:?}");
}

/// Bodies and messages of JSON: making compact what is compact changes nothing, neither does it
/// change what is said, and no old page stumbles over it.
///
/// # Panics
/// If that does not hold.
pub fn json(data: &[u8]) {
    let _ = Fields::parse_json(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(short) = compact(text) else { return };
    assert!(!short.contains(['\u{2028}', '\u{2029}', '\n', '\r']), "{short:?}");
    assert_eq!(compact(&short).as_ref(), Ok(&short));
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    assert_eq!(value(text), value(&short));
}

/// Ids and the `since` of polls: written again they are read as the same.
///
/// # Panics
/// If that does not hold.
pub fn since(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(since) = Since::parse(text) else { return };
    assert_eq!(Since::parse(&since.to_string()), Ok(since));
}

/// Tokens: nothing is one that was not minted, least of all one that was and has something added.
///
/// # Panics
/// If that does not hold.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = TokenTime::from_millis(1_000_000);
    let signer = Signer::new(b"a key that nobody who fuzzes can use");
    assert!(signer.verify(text, now).is_err(), "{text:?}");
    let genuine = signer.mint(
        Mint {
            client: ClientId::random(),
            life: Duration::from_mins(1),
            name: None,
            info: None,
            grants: None,
            line: false,
            earlier_until: None,
        },
        now,
    );
    assert!(signer.verify(&genuine.token, now).is_ok());
    if text.is_empty() {
        return;
    }
    for (at, _) in genuine.token.match_indices('.').chain([(0, ""), (genuine.token.len(), "")]) {
        let (front, back) = genuine.token.split_at(at);
        let spliced = format!("{front}{text}{back}");
        assert!(signer.verify(&spliced, now).is_err(), "{text:?} at {at}");
        if let Some((_, rest)) = back.split_at_checked(text.len()) {
            let replaced = format!("{front}{text}{rest}");
            let is_genuine = replaced == genuine.token;
            assert_eq!(signer.verify(&replaced, now).is_ok(), is_genuine, "{text:?} at {at}");
        }
    }
}

/// Headers of proxies: what stands left of what a trusted proxy wrote changes nothing, and what a
/// stranger writes changes nothing at all.
///
/// # Panics
/// If that does not hold.
pub fn forwarded(data: &[u8]) {
    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let trusted = [IpNet::from(proxy)];
    for (name, own) in [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")] {
        let name = HeaderName::from_static(name);
        let joined = [data, b", ", own.as_bytes()].concat();
        let (Ok(forged), Ok(joined)) =
            (HeaderValue::from_bytes(data), HeaderValue::from_bytes(&joined))
        else {
            return;
        };
        let known_by = |peer, values: &[HeaderValue]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, value.clone());
            }
            let remote = remote(peer, &headers, &trusted, false).expect("one header is no dispute");
            (remote.address, remote.via)
        };
        let by_proxy = HeaderValue::from_static(own);
        let stranger = known_by(CLIENT, &[forged.clone(), by_proxy.clone()]);
        assert_eq!(stranger, (CLIENT, Via::Stranger), "{name}: {forged:?}");
        let two_lines = known_by(proxy, &[forged.clone(), by_proxy]);
        assert_eq!(two_lines, (CLIENT, Via::Trusted), "{name}: {forged:?}");
        let one_line = known_by(proxy, &[joined]);
        assert_eq!(one_line, (CLIENT, Via::Trusted), "{name}: {forged:?}");
        known_by(proxy, &[forged]);
    }
}

/// Percent-encoding of everything but letters and digits.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02x}");
        }
        encoded
    })
}
