//! Newline-delimited JSON, made for `curl -N` and scripts.

use crate::code::Close;

/// An empty line.
pub(super) const HEARTBEAT: &[u8] = b"\n";

pub(super) fn line(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(json);
    out.push(b'\n');
}

pub(super) fn close(out: &mut Vec<u8>, close: Close) {
    out.extend_from_slice(format!("{{\"close\":{{\"code\":{}}}}}\n", close.code()).as_bytes());
}
