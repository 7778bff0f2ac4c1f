//! Patterns of channel names.

use unicode_normalization::UnicodeNormalization;

/// Segments of a name; wire.md section 1.
const SEGMENTS: usize = 4;
/// Characters of a segment.
const SEGMENT: usize = 64;
/// Bytes of a whole name.
const NAME: usize = 255;

/// A pattern in NFC, in which names are compared, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<String, String> {
    let pattern: String = text.nfc().collect();
    if pattern.is_empty() {
        return Ok(pattern);
    }
    if pattern.len() > NAME {
        return Err(format!("is no channel pattern: over {NAME} bytes"));
    }
    let segments: Vec<&str> = pattern.split('/').collect();
    if segments.len() > SEGMENTS {
        return Err(format!("is no channel pattern: over {SEGMENTS} segments"));
    }
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "*" => {}
            "**" if last => {}
            "**" => return Err("is no channel pattern: ** must be its last segment".to_owned()),
            name if is_name(name) => {}
            name => {
                return Err(format!(
                    "is no channel pattern: the segment {name:?} must be *, a last **, or 1 to \
                     {SEGMENT} letters, digits and characters of _.~- (not . or ..)"
                ));
            }
        }
    }
    Ok(pattern)
}

/// Whether `segment` can stand in the name of a channel.
fn is_name(segment: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "_.~-".contains(c);
    (1..=SEGMENT).contains(&segment.chars().count())
        && segment.chars().all(plain)
        && segment != "."
        && segment != ".."
}
