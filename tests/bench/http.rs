//! HTTP/1.1, the little that the load needs: requests as bytes, answers out of bytes.

use std::borrow::Cow;
use std::io;

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Where the body starts.
    pub(crate) used: usize,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Length(usize),
    Chunked,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: Cow<'a, [u8]>,
    /// How many bytes it takes, head included.
    pub(crate) used: usize,
}

impl Answer<'_> {
    /// The answer if its status is 200.
    ///
    /// # Errors
    /// Any other status, with the beginning of the body.
    pub(crate) fn accepted(&self, what: &str) -> io::Result<&Self> {
        if self.status == 200 {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]);
        Err(io::Error::other(format!("{what}: answered {} {body}", self.status)))
    }

    /// The member `name` of the body, which is a JSON object and has a text there.
    pub(crate) fn text(&self, name: &str) -> io::Result<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body)?;
        let text = body.get(name).and_then(serde_json::Value::as_str);
        text.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no `{name}` in an answer")))
    }
}

/// A `GET` of `target`, with a bearer token unless that is empty.
pub(crate) fn get(target: &str, token: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(token)).into_bytes()
}

/// A `POST` of a form to `target`.
pub(crate) fn post(target: &str, token: &str, form: &str) -> Vec<u8> {
    let length = form.len();
    let bearer = bearer(token);
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{bearer}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

/// The request that upgrades to a WebSocket at `target`.
pub(crate) fn upgrade(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

fn bearer(token: &str) -> String {
    if token.is_empty() {
        return String::new();
    }
    format!("Authorization: Bearer {token}\r\n")
}

/// Where the head ends in `bytes`, the empty line included; `None` while it is not whole.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

/// The value of a header in a head, by its name in lower case.
pub(crate) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(head).ok()?;
    text.split("\r\n").find_map(|line| {
        let (given, value) = line.split_once(':')?;
        given.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The head of the answer at the start of `bytes`; `None` while it is not whole.
///
/// # Errors
/// What is no answer of HTTP/1.1.
pub(crate) fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(used) = end_of_head(bytes) else {
        return Ok(None);
    };
    let status = bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("an answer that is not HTTP/1.1"))?;
    let lines = &bytes[..used];
    let body = match header(lines, "content-length") {
        Some(length) => Body::Length(length.parse().map_err(io::Error::other)?),
        None if header(lines, "transfer-encoding").is_some() => Body::Chunked,
        None => Body::Length(0),
    };
    Ok(Some(Head { status, used, body }))
}

/// The whole answer at the start of `bytes`; `None` while it is not whole.
///
/// # Errors
/// What is no answer of HTTP/1.1.
pub(crate) fn answer(bytes: &[u8]) -> io::Result<Option<Answer<'_>>> {
    let Some(Head { status, used, body }) = head(bytes)? else {
        return Ok(None);
    };
    match body {
        Body::Length(length) => {
            let body = bytes.get(used..used + length);
            Ok(body.map(|body| Answer { status, body: body.into(), used: used + length }))
        }
        Body::Chunked => {
            let whole = chunked(&bytes[used..])?;
            Ok(whole.map(|(body, length)| Answer {
                status,
                body: body.into(),
                used: used + length,
            }))
        }
    }
}

/// A chunked body put together, and the bytes that it took; `None` while it is not whole.
fn chunked(bytes: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&bytes[at..at + line]).map_err(io::Error::other)?;
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        let start = at + line + 2;
        let Some(chunk) = bytes.get(start..start + size + 2) else {
            return Ok(None);
        };
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
