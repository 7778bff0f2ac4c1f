//! Channel names, and the patterns that configuration and tokens speak of them with.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use unicode_normalization::{UnicodeNormalization, is_nfc};

const MAX_SEGMENTS: usize = 4;
const MAX_SEGMENT_CHARS: usize = 64;
const MAX_BYTES: usize = 255;

/// The name of a channel: 0 to 4 segments joined by `/`, in NFC. The empty one is the root channel.
///
/// Source: wire.md section 1.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelName(Arc<str>);

/// Why a text is no channel name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameError {
    /// More than four segments.
    TooManySegments,
    /// A segment of no characters or of more than 64.
    SegmentLength,
    /// More than 255 bytes in all.
    TooLong,
    /// A character that is neither a letter, a digit nor one of `_.~-`; or a segment `.` or `..`.
    Character,
    /// A `%` that is not followed by two hexadecimal digits, or bytes that are not UTF-8.
    Encoding,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManySegments => "a channel name has at most 4 segments",
            Self::SegmentLength => "a segment of a channel name has 1 to 64 characters",
            Self::TooLong => "a channel name has at most 255 bytes",
            Self::Character => {
                "a channel name has letters, digits and _.~- only, and no segment . or .."
            }
            Self::Encoding => "the channel name is not valid percent-encoded UTF-8",
        })
    }
}

impl std::error::Error for NameError {}

impl ChannelName {
    /// The channel that `/login` and `/post` speak of.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// The channel of a percent-encoded path such as `chat/%EB%A1%9C%EB%B9%84`; one slash at the end is ignored.
    ///
    /// # Errors
    /// [`NameError`], naming the rule that was broken.
    pub fn from_path(path: &str) -> Result<Self, NameError> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return Ok(Self::root());
        }
        let mut segments = Vec::new();
        for raw in path.split('/') {
            if segments.len() == MAX_SEGMENTS {
                return Err(NameError::TooManySegments);
            }
            segments.push(decode(raw)?);
        }
        Self::from_segments(&segments)
    }

    /// The channel of a name that is not percent-encoded, as in configuration.
    ///
    /// # Errors
    /// [`NameError`], naming the rule that was broken.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Ok(Self::root());
        }
        Self::from_segments(&name.split('/').map(str::to_owned).collect::<Vec<_>>())
    }

    fn from_segments(segments: &[String]) -> Result<Self, NameError> {
        if segments.len() > MAX_SEGMENTS {
            return Err(NameError::TooManySegments);
        }
        let mut name = String::new();
        for segment in segments {
            if !name.is_empty() {
                name.push('/');
            }
            push_segment(&mut name, segment)?;
        }
        if name.len() > MAX_BYTES {
            return Err(NameError::TooLong);
        }
        Ok(Self(Arc::from(name)))
    }

    /// The name in NFC, segments joined by `/`; empty for the root channel.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root channel.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// Decodes `%XX`, and refuses a `%` that stands alone, which `percent_decode` lets pass.
fn decode(raw: &str) -> Result<String, NameError> {
    let mut rest = raw.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
            if !hex(rest.next()) || !hex(rest.next()) {
                return Err(NameError::Encoding);
            }
        }
    }
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| NameError::Encoding)?;
    Ok(decoded.into_owned())
}

fn push_segment(name: &mut String, segment: &str) -> Result<(), NameError> {
    let start = name.len();
    if is_nfc(segment) {
        name.push_str(segment);
    } else {
        name.extend(segment.nfc());
    }
    let segment = name.get(start..).unwrap_or_default();
    if segment == "." || segment == ".." {
        return Err(NameError::Character);
    }
    if segment.is_empty() || segment.chars().nth(MAX_SEGMENT_CHARS).is_some() {
        return Err(NameError::SegmentLength);
    }
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '~' | '-');
    if segment.chars().all(fits) { Ok(()) } else { Err(NameError::Character) }
}

/// A channel name in which `*` stands for one segment and a last `**` for any number of them.
///
/// Patterns are ordered by how much they say: of two that match a name, the greater is the more specific one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Pattern(Vec<Part>);

/// A part of a pattern, from the least to the most specific. The last is `Rest` or `End`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Part {
    Rest,
    One,
    Name(String),
    End,
}

impl Pattern {
    /// Reads a pattern such as `chat/*` or `**`; the empty text matches the root channel alone.
    ///
    /// # Errors
    /// [`NameError`], for a part that is no segment of a name, or a `**` that is not the last part.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut parts = Vec::new();
        if text.is_empty() {
            parts.push(Part::End);
            return Ok(Self(parts));
        }
        let mut raw = text.split('/').peekable();
        while let Some(part) = raw.next() {
            if parts.len() == MAX_SEGMENTS {
                return Err(NameError::TooManySegments);
            }
            parts.push(match part {
                "**" if raw.peek().is_none() => Part::Rest,
                "*" => Part::One,
                name => {
                    let mut segment = String::new();
                    push_segment(&mut segment, name)?;
                    Part::Name(segment)
                }
            });
        }
        if parts.last() != Some(&Part::Rest) {
            parts.push(Part::End);
        }
        Ok(Self(parts))
    }

    /// Whether the pattern speaks of a single name.
    pub fn is_name(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Name(_) | Part::End))
    }

    /// Whether `name` is one of those that the pattern speaks of.
    pub fn matches(&self, name: &ChannelName) -> bool {
        let mut segments = name.as_str().split('/').filter(|segment| !segment.is_empty());
        for part in &self.0 {
            match part {
                Part::Rest => return true,
                Part::One if segments.next().is_some() => {}
                Part::Name(wanted) if segments.next() == Some(wanted) => {}
                Part::End => return segments.next().is_none(),
                Part::One | Part::Name(_) => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(&ChannelName::parse(name).unwrap())
    }

    #[test]
    fn a_slash_at_the_end_is_the_same_name() {
        assert_eq!(ChannelName::from_path("chat/a/"), ChannelName::from_path("chat/a"));
        assert!(ChannelName::from_path("/").unwrap().is_root());
    }

    #[test]
    fn names_are_compared_in_nfc() {
        let composed = ChannelName::from_path("caf%C3%A9").unwrap();
        let decomposed = ChannelName::from_path("cafe%CC%81").unwrap();
        assert_eq!(composed, decomposed);
    }

    #[test]
    fn rooms_of_any_script_are_names() {
        for name in ["로비", "東京", "चाय", "лобби", "a_b.c~d-9"] {
            assert!(ChannelName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn each_rule_is_named_when_broken() {
        let cases = [
            ("a/b/c/d/e", NameError::TooManySegments),
            ("a//b", NameError::SegmentLength),
            ("..", NameError::Character),
            ("a/./b", NameError::Character),
            ("%2e%2e", NameError::Character),
            ("a%2Fb", NameError::Character),
            ("a b", NameError::Character),
            ("a%00b", NameError::Character),
            ("%zz", NameError::Encoding),
            ("%4", NameError::Encoding),
            ("%ff", NameError::Encoding),
        ];
        for (path, error) in cases {
            assert_eq!(ChannelName::from_path(path), Err(error), "{path}");
        }
        assert_eq!(ChannelName::parse(&"a".repeat(65)), Err(NameError::SegmentLength));
        let long = ["東".repeat(64), "東".repeat(22)].join("/");
        assert_eq!(ChannelName::parse(&long), Err(NameError::TooLong));
        assert_eq!(ChannelName::from_path(&"a/".repeat(300)), Err(NameError::TooManySegments));
    }

    #[test]
    fn patterns_match_whole_names() {
        assert!(matches("", ""));
        assert!(!matches("", "chat"));
        assert!(matches("chat/*", "chat/a"));
        assert!(!matches("chat/*", "chat"));
        assert!(!matches("chat/*", "chat/a/b"));
        assert!(matches("**", "a/b/c"));
        assert!(matches("chat/**", "chat/a/b"));
        assert!(Pattern::parse("**/a").is_err());
    }

    #[test]
    fn the_more_specific_pattern_is_the_greater() {
        let order = ["**", "*", "chat/**", "chat/*", "chat/a", "chat", ""];
        for pair in order.windows(2) {
            let less = Pattern::parse(pair[0]).unwrap();
            assert!(less < Pattern::parse(pair[1]).unwrap(), "{pair:?}");
        }
    }
}
