//! Where frames of HTTP/2 begin and end in bytes that pass by. Source: RFC 9113 section 4.1.

/// Length, kind, flags and stream.
const HEAD: usize = 9;

/// The place in a stream of frames, however it is cut.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    /// What has come of a head that is not whole, or the last that was.
    head: [u8; HEAD],
    have: usize,
    /// How long the payload behind it is.
    length: usize,
    /// How much of it comes before the next head.
    left: usize,
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// Of a head that is not whole yet.
    Begun,
    /// The rest of the head of a frame of this kind.
    Head(u8),
    /// Of the payload of such a frame, from this byte of it on.
    Payload(u8, usize),
}

impl Frames {
    /// Nothing passed by; so many bytes come before the first frame.
    pub(super) const fn behind(length: usize) -> Self {
        Self { head: [0; HEAD], have: 0, length, left: length }
    }

    /// The next part, and how many of `bytes` it has: some, if there are any.
    pub(super) fn next(&mut self, bytes: &[u8]) -> (Part, usize) {
        if self.left > 0 {
            let [_, _, _, kind, ..] = self.head;
            let taken = self.left.min(bytes.len());
            let part = Part::Payload(kind, self.length - self.left);
            self.left -= taken;
            return (part, taken);
        }
        let taken = (HEAD - self.have).min(bytes.len());
        for (to, from) in self.head.iter_mut().skip(self.have).zip(bytes) {
            *to = *from;
        }
        self.have += taken;
        if self.have < HEAD {
            return (Part::Begun, taken);
        }
        let [high, middle, low, kind, ..] = self.head;
        self.have = 0;
        self.length = [high, middle, low].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.left = self.length;
        (Part::Head(kind), taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_however_they_are_cut() {
        let bytes = [&b"first"[..], &[0, 0, 2, 7, 0, 0, 0, 0, 0, 6, 6], &[0, 0, 0, 4, 1]].concat();
        for size in 1..=bytes.len() {
            let mut frames = Frames::behind(5);
            let (mut heads, mut payload) = (Vec::new(), Vec::new());
            for mut cut in bytes.chunks(size) {
                while !cut.is_empty() {
                    let (part, taken) = frames.next(cut);
                    match part {
                        Part::Begun => {}
                        Part::Head(kind) => heads.push(kind),
                        Part::Payload(kind, at) => {
                            payload.extend((at..at + taken).map(|at| (kind, at)));
                        }
                    }
                    cut = &cut[taken..];
                }
            }
            assert_eq!(heads, [7], "by {size}");
            let first = (0..5).map(|at| (0, at));
            assert_eq!(payload, first.chain([(7, 0), (7, 1)]).collect::<Vec<_>>(), "by {size}");
        }
    }
}
