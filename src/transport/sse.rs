//! Server-Sent Events. Source: WHATWG HTML section 9.2, "Parsing an event stream".

use crate::code::Close;

/// A comment line: proxies see traffic, clients see nothing.
pub(super) const HEARTBEAT: &[u8] = b":\n\n";

/// One event; without an id there is no `id:` line at all, since an empty one would reset the client's.
pub(super) fn event(out: &mut Vec<u8>, id: Option<&str>, data: &[u8]) {
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(id.as_bytes());
        out.push(b'\n');
    }
    let mut rest = Some(data);
    while let Some(text) = rest {
        let (line, after) = first_line(text);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = after;
    }
    out.push(b'\n');
}

/// The first line of `text`, and what follows if a line break does. A line break would end the field,
/// so each line is a `data:` field of its own; the client joins them by LF, whether they were parted
/// by LF, CR or CRLF.
fn first_line(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(end) = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
        return (text, None);
    };
    let (line, rest) = text.split_at(end);
    (line, rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)))
}

/// The block that opens a stream: the position it starts from. It has no data and dispatches nothing.
pub fn opening(out: &mut Vec<u8>, id: &str, retry_ms: u64) {
    out.extend_from_slice(format!("retry: {retry_ms}\nid: {id}\n\n").as_bytes());
}

/// What a request that cannot be served now gets: come back after `retry_ms`. Answered with 200,
/// since an `EventSource` gives up for good on anything else.
pub fn come_back(retry_ms: u64) -> String {
    format!("retry: {retry_ms}\n\n")
}

pub(super) fn close(out: &mut Vec<u8>, close: Close) {
    let code = close.code();
    out.extend_from_slice(format!("event: close\ndata: {{\"code\":{code}}}\n\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_id_has_no_id_line() {
        let mut out = Vec::new();
        event(&mut out, None, b"{}");
        event(&mut out, Some("a-1"), b"{}");
        assert_eq!(out, b"data: {}\n\nid: a-1\ndata: {}\n\n");
    }

    #[test]
    fn a_line_break_in_the_data_does_not_end_the_event() {
        let mut out = Vec::new();
        event(&mut out, None, b"a\nevent: close");
        assert_eq!(out, b"data: a\ndata: event: close\n\n");
    }

    #[test]
    fn every_kind_of_line_break_is_one() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"a\r\nb", b"data: a\ndata: b\n\n"),
            (b"a\rb\n", b"data: a\ndata: b\ndata: \n\n"),
            (b"\n\r", b"data: \ndata: \ndata: \n\n"),
            (b"\r\n\r\n", b"data: \ndata: \ndata: \n\n"),
            (b" a: \0", b"data:  a: \0\n\n"),
        ];
        for (data, expected) in cases {
            let mut out = Vec::new();
            event(&mut out, None, data);
            assert_eq!(out, expected, "{data:?}");
        }
    }
}
