//! What a token allows, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::Pattern;

/// What a token allows on the channels of a pattern: `{"channel": pattern, "may": "r" | "w" | "rw"}`.
///
/// Made by [`Grant::parse`] or read from JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "RawGrant")]
pub struct Grant {
    /// The channels it speaks of.
    #[serde(skip)]
    pub channel: Pattern,
    /// What is allowed there.
    pub may: May,
    /// The pattern as it was written, to be written again.
    #[serde(rename = "channel")]
    text: Box<str>,
}

/// What a grant allows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum May {
    /// To receive: `r`.
    #[serde(rename = "r")]
    Read,
    /// To publish: `w`.
    #[serde(rename = "w")]
    Write,
    /// Both: `rw`.
    #[serde(rename = "rw")]
    ReadWrite,
}

/// The pattern of a grant is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GrantError;

impl Grant {
    /// The grant of `may` on the channels of the pattern `channel`.
    ///
    /// # Errors
    /// [`GrantError`] if the text is no pattern.
    pub fn parse(channel: &str, may: May) -> Result<Self, GrantError> {
        let pattern = Pattern::parse(channel).map_err(|_| GrantError)?;
        Ok(Self { channel: pattern, may, text: Box::from(channel) })
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel of a grant is no channel name or pattern")
    }
}

impl std::error::Error for GrantError {}

/// A grant as JSON has it.
#[derive(Deserialize)]
struct RawGrant {
    channel: String,
    may: May,
}

impl TryFrom<RawGrant> for Grant {
    type Error = GrantError;

    fn try_from(raw: RawGrant) -> Result<Self, GrantError> {
        Self::parse(&raw.channel, raw.may)
    }
}
