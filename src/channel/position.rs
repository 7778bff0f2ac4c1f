//! Where a publication stands in its channel's order, and where a subscriber wants to begin.

use std::fmt;

/// One life of a channel's order: random, and new whenever the order begins anew.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Epoch(u64);

/// Letters and digits that an epoch is written in, 36 of them.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Epochs stay below 36^8, so that eight letters hold one.
const EPOCHS: u64 = 36_u64.pow(8);

impl Epoch {
    /// The epoch that a random number stands for.
    pub fn from_random(number: u64) -> Self {
        Self(number % EPOCHS)
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > 8 {
            return None;
        }
        let mut number = 0_u64;
        for byte in text.bytes() {
            let digit = DIGITS.iter().position(|digit| *digit == byte)?;
            number = number * 36 + u64::try_from(digit).ok()?;
        }
        Some(Self(number))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; 8];
        let mut number = self.0;
        for byte in text.iter_mut().rev() {
            let digit = usize::try_from(number % 36).unwrap_or(0);
            *byte = DIGITS.get(digit).copied().unwrap_or(b'0');
            number /= 36;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// `<epoch>-<offset>`: the `id` of a message on the wire.
///
/// Units: offsets count publications from 1; 0 is the position before the first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Position {
    /// The life of the order that the offset counts in.
    pub epoch: Epoch,
    /// How many publications of this epoch came up to here.
    pub offset: u64,
}

impl Position {
    /// The position one further on.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { epoch: self.epoch, offset: self.offset + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

/// What a subscriber names in `since`: the position it has, and for a poll the users list it saw.
///
/// Text form: `0`, `<epoch>-<offset>` or `<epoch>-<offset>.<users version>.<life of the list>`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Since {
    /// The last position the subscriber has; `None` for `0`: everything that is kept.
    pub position: Option<Position>,
    /// Version and life of the users list that a poll last brought.
    pub users: Option<(u64, u32)>,
}

/// A `since` that is neither `0` nor an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SinceError;

impl fmt::Display for SinceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is neither 0 nor an id")
    }
}

impl std::error::Error for SinceError {}

impl Since {
    /// Reads a `since`, a `Last-Event-ID` or the opaque `since` of a poll.
    ///
    /// # Errors
    /// [`SinceError`] for everything else.
    pub fn parse(text: &str) -> Result<Self, SinceError> {
        let (id, users) = match text.split_once('.') {
            None => (text, None),
            Some((id, users)) => (id, Some(parse_users(users).ok_or(SinceError)?)),
        };
        if id == "0" {
            return Ok(Self { position: None, users });
        }
        let (epoch, offset) = id.split_once('-').ok_or(SinceError)?;
        let epoch = Epoch::parse(epoch).ok_or(SinceError)?;
        let offset = parse_number(offset).ok_or(SinceError)?;
        Ok(Self { position: Some(Position { epoch, offset }), users })
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            None => f.write_str("0")?,
            Some(position) => write!(f, "{position}")?,
        }
        match self.users {
            None => Ok(()),
            Some((version, life)) => write!(f, ".{version}.{life}"),
        }
    }
}

fn parse_users(text: &str) -> Option<(u64, u32)> {
    let (version, life) = text.split_once('.')?;
    Some((parse_number(version)?, u32::try_from(parse_number(life)?).ok()?))
}

/// Digits alone: `u64::from_str` would let a plus sign pass.
fn parse_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        for number in [0, 1, 35, 36, u64::MAX] {
            let epoch = Epoch::from_random(number);
            let position = Position { epoch, offset: 41 };
            let since = Since::parse(&position.to_string()).unwrap();
            assert_eq!(since, Since { position: Some(position), users: None });
        }
    }

    #[test]
    fn the_since_of_a_poll_is_accepted_wherever_an_id_is() {
        let since = Since::parse("k3x9-41.7.99").unwrap();
        assert_eq!(since.users, Some((7, 99)));
        assert_eq!(since.position.unwrap().offset, 41);
        assert_eq!(Since::parse(&since.to_string()), Ok(since));
        assert_eq!(Since::parse("0"), Ok(Since { position: None, users: None }));
    }

    #[test]
    fn a_text_that_is_no_id_is_refused() {
        let texts = ["", "1", "-", "a-", "-1", "a-+1", "A-1", "a-1-1", "a-1.", "a-1.2", "a-1.2.x"];
        for text in texts.into_iter().chain(["a-99999999999999999999", "123456789-1", "a-1 "]) {
            assert_eq!(Since::parse(text), Err(SinceError), "{text}");
        }
    }
}
