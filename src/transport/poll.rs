//! Long poll: the messages of one answer.

use bytes::Bytes;

/// `{"messages":[…],"since":"<since>"}`, from messages that are JSON already.
pub fn answer<'a>(messages: impl Iterator<Item = &'a [u8]>, since: &str) -> Vec<u8> {
    let mut out = Vec::from(&br#"{"messages":["#[..]);
    for (index, message) in messages.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(message);
    }
    out.extend_from_slice(format!(r#"],"since":"{since}"}}"#).as_bytes());
    out
}

/// The head of an answer, complete: `head` lacks only the length of what follows.
pub fn head(head: &[u8], length: usize) -> Bytes {
    let rest = format!("content-length: {length}\r\n\r\n");
    Bytes::from([head, rest.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_completed_by_the_length() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\n", 7), "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
    }

    #[test]
    fn an_answer_may_be_empty() {
        assert_eq!(answer(std::iter::empty(), "a-1"), br#"{"messages":[],"since":"a-1"}"#);
        let two = [b"1".as_slice(), b"2"];
        assert_eq!(answer(two.into_iter(), "0"), br#"{"messages":[1,2],"since":"0"}"#);
    }
}
