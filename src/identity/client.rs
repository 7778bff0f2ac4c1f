//! What a client is called: its id, which programs compare, and its name, which people read.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

const MAX_ID_BYTES: usize = 256;
const MAX_NAME_CHARS: usize = 64;

/// The id of a client, as one login or a backend gave it out.
///
/// Shape: 1 to 256 bytes of UTF-8 without control characters. Cloning copies a pointer.
///
/// Source: wire.md section 2.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientId(Arc<str>);

/// Why a text is no client id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientIdError {
    /// The empty text.
    Empty,
    /// More than 256 bytes.
    TooLong,
    /// A control character.
    Control,
}

/// The name that people see beside a client, chosen at its login.
///
/// Shape: 1 to 64 characters, none of them a control character. Cloning copies a pointer.
///
/// Source: wire.md section 2.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct DisplayName(Arc<str>);

/// Why a text is no display name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameError {
    /// More than 64 characters.
    TooLong,
    /// A control character.
    Control,
}

impl ClientId {
    /// A new id that nobody can guess: a UUID of version 4, 122 bits from the system's generator.
    ///
    /// # Panics
    /// If the operating system gives no randomness, without which no id may be given out.
    pub fn random() -> Self {
        let mut text = Uuid::encode_buffer();
        Self(Arc::from(&*Uuid::new_v4().hyphenated().encode_lower(&mut text)))
    }

    /// The id that a backend or a token names.
    ///
    /// # Errors
    /// [`ClientIdError`], naming the rule that was broken.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        if text.is_empty() {
            return Err(ClientIdError::Empty);
        }
        if text.len() > MAX_ID_BYTES {
            return Err(ClientIdError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ClientIdError::Control);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DisplayName {
    /// The name that a login asks for; the empty text is none.
    ///
    /// # Errors
    /// [`NameError`], naming the rule that was broken.
    pub fn parse(text: &str) -> Result<Option<Self>, NameError> {
        if text.chars().nth(MAX_NAME_CHARS).is_some() {
            return Err(NameError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Some(text).filter(|text| !text.is_empty()).map(|text| Self(Arc::from(text))))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for ClientIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a client id is not empty",
            Self::TooLong => "a client id has at most 256 bytes",
            Self::Control => "a client id has no control characters",
        })
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a name has at most 64 characters",
            Self::Control => "a name has no control characters",
        })
    }
}

impl std::error::Error for ClientIdError {}

impl std::error::Error for NameError {}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for DisplayName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IdVisitor)
    }
}

/// Only a text of 1 to 64 characters: that an empty one is none is a rule of forms, not of tokens.
impl<'de> Deserialize<'de> for DisplayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

/// Reads an id without a `String` between the input and the `Arc`: every request does this.
struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = ClientId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a client id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ClientId, E> {
        ClientId::parse(text).map_err(E::custom)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = DisplayName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a display name")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DisplayName, E> {
        let name = DisplayName::parse(text).map_err(E::custom)?;
        name.ok_or_else(|| E::custom("a name is not empty"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn random_ids_are_uuids_of_version_4_and_never_repeat() {
        let ids: HashSet<_> = (0..10_000).map(|_| ClientId::random()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in &ids {
            assert_eq!(Uuid::parse_str(id.as_str()).unwrap().get_version_num(), 4);
        }
    }

    #[test]
    fn an_id_has_1_to_256_bytes() {
        assert_eq!(ClientId::parse(""), Err(ClientIdError::Empty));
        assert!(ClientId::parse("a").is_ok());
        assert!(ClientId::parse(&"é".repeat(128)).is_ok());
        assert_eq!(ClientId::parse(&"a".repeat(257)), Err(ClientIdError::TooLong));
        assert_eq!(ClientId::parse(&"é".repeat(129)), Err(ClientIdError::TooLong));
    }

    #[test]
    fn control_characters_are_in_no_id_and_no_name() {
        for text in ["a\0", "\n", "a\u{7f}b", "\u{85}", "\r\n"] {
            assert_eq!(ClientId::parse(text), Err(ClientIdError::Control), "{text:?}");
            assert_eq!(DisplayName::parse(text), Err(NameError::Control), "{text:?}");
        }
    }

    #[test]
    fn an_id_is_looked_up_by_its_text() {
        let map = HashMap::from([(ClientId::parse("ann").unwrap(), 1)]);
        assert_eq!(map.get("ann"), Some(&1));
        assert_eq!(map.get("bob"), None);
    }

    #[test]
    fn an_empty_name_is_none() {
        assert_eq!(DisplayName::parse(""), Ok(None));
    }

    #[test]
    fn a_name_is_counted_in_characters() {
        let name = "東".repeat(64);
        assert_eq!(DisplayName::parse(&name).unwrap().unwrap().as_str(), name);
        assert_eq!(DisplayName::parse(&"東".repeat(65)), Err(NameError::TooLong));
    }

    #[test]
    fn json_keeps_the_rules() {
        assert_eq!(serde_json::from_str::<ClientId>(r#""a\"b""#).unwrap().as_str(), "a\"b");
        assert!(serde_json::from_str::<ClientId>("\"\"").is_err());
        assert!(serde_json::from_str::<ClientId>("7").is_err());
        assert!(serde_json::from_str::<DisplayName>("\"\"").is_err());
        assert!(serde_json::from_str::<DisplayName>(r#""a\u0000""#).is_err());
        let name = DisplayName::parse("Ann \"A\"").unwrap().unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""Ann \"A\"""#);
    }
}
