//! Kinds: what a channel accepts, and what that becomes. The only place where channels differ.
//!
//! Nothing here knows how something came, or how it leaves. A kind is a small pure module with `accept(Inbound) -> Result<Accepted, Rejection>`.

use std::fmt;

mod board;
mod camera;
mod chat;
mod echo;
mod json;
mod message;

/// What a channel accepts and delivers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Texts with who said them and when; users are told of each other.
    Message,
    /// Positions, of which the newest of each sender matters.
    Camera,
    /// The texts of a room.
    Chat,
    /// The list of topics, whole at every change.
    Board,
    /// Any JSON value, as it is.
    Json,
    /// Each message goes back to its sender alone.
    Echo,
    /// No channel at all.
    Off,
}

/// What a client gave a channel, before the kind has judged it.
#[derive(Clone, Copy, Debug)]
pub enum Inbound<'a> {
    /// The `value` of a form.
    Text(&'a str),
    /// The `value` of a JSON body, as it stands there.
    Json(&'a str),
    /// A text that was spoken by a subscriber, who hears what comes of it.
    Spoken(&'a str),
    /// Bytes that a subscriber spoke.
    Binary(&'a [u8]),
}

/// What a kind made of an [`Inbound`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Accepted {
    /// To be published to everyone on the channel, or sent to one client of it.
    Publish {
        /// What is published.
        content: Content,
        /// The client id that it is for, if it is a direct message.
        to: Option<String>,
        /// The idempotency key that came inside the message.
        key: Option<String>,
    },
    /// The same message goes back to who sent it.
    Echo,
}

/// The body of a publication.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// A text, delivered as `{"message":{…}}`.
    Message(String),
    /// A text of a room, delivered as `{"message":…}`.
    Chat(String),
    /// Compact JSON, delivered as it is.
    Json(String),
}

impl Content {
    /// The text or the JSON.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Message(text) | Self::Chat(text) | Self::Json(text) => text,
        }
    }
}

/// Why a kind did not accept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rejection {
    /// `field` is missing or wrong; the text says what it should be.
    Field(&'static str, String),
    /// The kind takes no posts.
    NotPostable,
    /// A binary message on a channel of texts.
    Binary,
    /// Something that was spoken and that the kind's contract has ignored; the text says why.
    Ignored(String),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field, what) => write!(f, "{field}: {what}"),
            Self::NotPostable => f.write_str("this channel takes no posts"),
            Self::Binary => f.write_str("a binary message on a channel of texts"),
            Self::Ignored(what) => f.write_str(what),
        }
    }
}

impl Kind {
    /// Judges `inbound`.
    ///
    /// # Errors
    /// [`Rejection`], naming the field.
    pub fn accept(self, inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
        match self {
            Self::Message => message::accept(inbound),
            Self::Camera => camera::accept(inbound),
            Self::Chat => chat::accept(inbound),
            Self::Board => board::accept(inbound),
            Self::Json => json::accept(inbound),
            Self::Echo => echo::accept(inbound),
            Self::Off => Err(Rejection::NotPostable),
        }
    }

    /// Whether subscribers that do not say are told the users list.
    pub const fn tells_users(self) -> bool {
        matches!(self, Self::Message)
    }

    /// Whether a newcomer is given the newest publication at once, however old it is.
    pub const fn greets(self) -> bool {
        matches!(self, Self::Camera | Self::Board)
    }

    /// Whether the delivered object carries its id itself.
    pub const fn carries_id(self) -> bool {
        matches!(self, Self::Message | Self::Chat)
    }
}

/// Whether `text` can be an object: serde would take an array for one as well.
fn is_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{')
}

/// `content` for everyone, with no key.
const fn publish(content: Content) -> Accepted {
    Accepted::Publish { content, to: None, key: None }
}
