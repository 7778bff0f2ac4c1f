//! Chunks, for bodies over HTTP/1.1 that a worker writes itself. Source: RFC 9112 section 7.1.

/// What ends a body of chunks.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends what `write` writes as one chunk; nothing where it writes nothing, since an empty chunk
/// would end the body.
pub(super) fn chunk(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut data = Vec::with_capacity(256);
    write(&mut data);
    if !data.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        out.extend_from_slice(&data);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_tells_its_length_and_nothing_is_no_chunk() {
        let mut out = Vec::new();
        chunk(&mut out, |out| out.extend_from_slice(b"data: 0123456789\n\n"));
        chunk(&mut out, |_| {});
        assert_eq!(out, b"12\r\ndata: 0123456789\n\n\r\n");
    }
}
