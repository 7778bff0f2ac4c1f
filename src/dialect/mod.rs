//! Dialects: what the bytes mean to a client. `plain` is the JSON of wire.md section 4.
//!
//! A dialect turns publications and changes of presence into messages; how a message is framed
//! and leaves is the transport's business.

mod direct;
pub mod plain;

use bytes::Bytes;

pub use direct::Direct;

/// What a subscriber is told of who is on its channel: its `users=` parameter.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UsersMode {
    /// The whole list at every change.
    List,
    /// The whole list once, then who joined and who left.
    Diff,
    /// How many there are.
    Count,
    /// Nothing.
    None,
}

impl UsersMode {
    /// Reads the value of `users=`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "list" => Some(Self::List),
            "diff" => Some(Self::Diff),
            "count" => Some(Self::Count),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// One change of a users list as it is told, in the form that each [`UsersMode`] gets.
///
/// A form that nobody asked for when the change was told is absent.
#[derive(Debug)]
pub struct UsersTold {
    /// Rises by one with each change that is told.
    pub version: u64,
    /// For [`UsersMode::List`].
    pub list: Option<Bytes>,
    /// For [`UsersMode::Diff`].
    pub diff: Option<Bytes>,
    /// For [`UsersMode::Count`].
    pub count: Option<Bytes>,
}

impl UsersTold {
    /// What a subscriber of `mode` gets.
    pub const fn to(&self, mode: UsersMode) -> Option<&Bytes> {
        match mode {
            UsersMode::List => self.list.as_ref(),
            UsersMode::Diff => self.diff.as_ref(),
            UsersMode::Count => self.count.as_ref(),
            UsersMode::None => None,
        }
    }
}
