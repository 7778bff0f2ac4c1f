//! Tokens by hand, to forge what no library would sign.

use ring::hmac;
use serde_json::{Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut bits = 0_u32;
        for index in 0..3 {
            bits = bits << 8 | u32::from(group.get(index).copied().unwrap_or(0));
        }
        for index in 0..=group.len() {
            let six = (bits >> (18 - 6 * index)) & 63;
            text.push(char::from(ALPHABET[usize::try_from(six).unwrap()]));
        }
    }
    text
}

/// The bytes of a base64url text without padding.
pub fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let six = ALPHABET.iter().position(|&known| known == letter).unwrap();
        bits = (bits << 6 | u32::try_from(six).unwrap()) & 0x00ff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// The header and the claims of a token.
pub fn read(token: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a token has three parts");
    let part = |index: usize| serde_json::from_slice(&decode(parts[index])).unwrap();
    (part(0), part(1))
}

/// A token of these claims, signed HS256 with `secret`.
pub fn sign(secret: &str, header: &Value, claims: &Value) -> String {
    let text = unsigned(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", encode(signature.as_ref()))
}

/// A copy of `token` with some claims changed, signed with `secret` as if nothing were amiss.
pub fn resign(token: &str, secret: &str, changes: &Value) -> String {
    let (header, mut claims) = read(token);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    sign(secret, &header, &claims)
}

/// The claims of `token`, changed, under the signature it had.
pub fn tamper(token: &str, changes: &Value) -> String {
    let (header, mut claims) = read(token);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let signature = token.rsplit('.').next().unwrap();
    format!("{}.{signature}", unsigned(&header, &claims))
}

/// The claims of `token` under `alg: none`.
pub fn unsecured(token: &str) -> String {
    let (_, claims) = read(token);
    format!("{}.", unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims))
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}
