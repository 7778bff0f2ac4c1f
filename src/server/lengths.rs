//! How often a head says how long its body is.

use memchr::memchr;

/// The names that say it, with the colon that ends them.
const NAMES: [&[u8]; 2] = [b"content-length:", b"transfer-encoding:"];
/// How long the longer one is.
const LONGEST: usize = 18;

/// The lengths that a head has said so far: bodies have them by number, or by chunks.
///
/// hyper makes one of two that are equal, and passes over one beside chunks, as RFC 9112 section 6.3
/// allows; nobody above it can tell. It is how a request is hidden from a proxy in front, so the
/// bytes are looked at as they pass by, however they are cut. Where another request is under way
/// nobody here knows where a head begins: there hyper's way is taken.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    /// What may be a name in the line that is coming.
    begun: [u8; LONGEST],
    /// How many bytes of that line have come.
    line: usize,
    said: usize,
    part: Part,
}

/// What is coming of the head.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Part {
    /// The line with the target; empty ones before it are nothing.
    #[default]
    Target,
    Fields,
    /// The body, or what is behind it.
    Over,
}

impl Lengths {
    /// Looks at what comes next.
    pub(super) fn on_read(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.part != Part::Over {
            let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (piece, after) = rest.split_at(end);
            rest = after;
            for (to, from) in self.begun.iter_mut().skip(self.line).zip(piece) {
                *to = *from;
            }
            self.line = self.line.saturating_add(piece.len());
            if piece.ends_with(b"\n") {
                self.on_line();
            }
        }
    }

    fn on_line(&mut self) {
        let is_empty = matches!((self.line, self.begun.first()), (1, _) | (2, Some(b'\r')));
        self.part = match self.part {
            Part::Target if is_empty => Part::Target,
            Part::Target => Part::Fields,
            Part::Fields | Part::Over if is_empty => Part::Over,
            Part::Fields | Part::Over => {
                let line = self.begun.get(..self.line.min(LONGEST)).unwrap_or_default();
                let is = |name: &&[u8]| {
                    line.get(..name.len()).is_some_and(|begun| begun.eq_ignore_ascii_case(name))
                };
                self.said += usize::from(NAMES.iter().any(is));
                Part::Fields
            }
        };
        self.line = 0;
    }

    /// Whether there was more than one.
    pub(super) const fn are_many(&self) -> bool {
        self.said > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there are many, if they come in pieces of each size.
    fn are_many(head: &str) -> bool {
        let by = |size: usize| {
            let mut lengths = Lengths::default();
            head.as_bytes().chunks(size).for_each(|piece| lengths.on_read(piece));
            lengths.are_many()
        };
        let whole = by(head.len());
        assert!((1..head.len()).all(|size| by(size) == whole), "{head}");
        whole
    }

    #[test]
    fn a_length_said_twice_is_seen_in_the_head_alone() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        for twice in [
            "Content-Length: 1\r\ncontent-length: 1\r\n",
            "Content-Length: 1\r\nX: y\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length:\nContent-Length:\n",
        ] {
            assert!(are_many(&head(twice)), "{twice}");
            assert!(are_many(&format!("\r\n\n{}", head(twice))), "{twice}");
        }
        for once in [
            "Content-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length-More: 1\r\n",
            "Content-Length: 1\r\n\r\nContent-Length: 1\r\n",
            "Content-Length: 1\n\nContent-Length: 1\r\n",
            "X: Content-Length: 1\r\nY: \rContent-Length: 1\r\n",
            "",
        ] {
            assert!(!are_many(&head(once)), "{once}");
        }
    }
}
