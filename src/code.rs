//! The table of wire.md section 8: problem codes with their HTTP status, WebSocket close codes; and
//! the limits that a request can run into.
//!
//! Two number spaces, two enums. Both are mapped to the wire in one match without a wildcard, so
//! a new code makes every place speak up.

/// Why a request failed; the `code` member of a problem document.
///
/// Source: wire.md section 8; RFC 9457 for the document that carries it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Problem {
    /// A field is missing, empty, of the wrong type or not UTF-8.
    BadRequest,
    /// A channel name that breaks the rules of wire.md section 1.
    BadChannel,
    /// No token where one is needed, or a text that is no token at all.
    Unauthorized,
    /// The token was good until its `exp`.
    TokenExpired,
    /// A token of another server, an altered one, or one that was ended.
    TokenInvalid,
    /// A client id was named without a token, where a token is needed.
    TokenRequired,
    /// The token or the origin does not allow this.
    Forbidden,
    /// The client id named is not present.
    UnknownClient,
    /// No channel of that name exists here.
    UnknownChannel,
    /// No such path.
    NotFound,
    /// The path exists, the method does not; answered with `Allow`.
    MethodNotAllowed,
    /// No topic of that id is on the board.
    UnknownTopic,
    /// The kind of the channel takes no posts.
    NotPostable,
    /// The idempotency key was used for another body.
    KeyReused,
    /// The board has no room for another topic.
    BoardFull,
    /// The body or the message is larger than its limit.
    TooLarge,
    /// The body is of a media type that no verb takes.
    UnsupportedMediaType,
    /// The request target is longer than its limit.
    TargetTooLong,
    /// The header fields are larger than their limit.
    HeadersTooLarge,
    /// The request, its body or its upgrade did not arrive in time.
    Timeout,
    /// Upgrade to WebSocket version 13 is what this address is for.
    UpgradeRequired,
    /// The client exceeded its rate.
    RateLimited,
    /// A limit of the node is reached: connections, or a full queue.
    OverCapacity,
    /// The node is going away; another one, or the next life of this one, will answer.
    Draining,
    /// The database cannot be reached or written now.
    Unavailable,
    /// A bug of ours: the request was given up, nothing else was touched.
    Internal,
}

impl Problem {
    /// Every problem there is, in the order of the table.
    pub const ALL: [Self; 26] = [
        Self::BadRequest,
        Self::BadChannel,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::TokenInvalid,
        Self::TokenRequired,
        Self::Forbidden,
        Self::UnknownClient,
        Self::UnknownChannel,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UnknownTopic,
        Self::NotPostable,
        Self::KeyReused,
        Self::BoardFull,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::TargetTooLong,
        Self::HeadersTooLarge,
        Self::Timeout,
        Self::UpgradeRequired,
        Self::RateLimited,
        Self::OverCapacity,
        Self::Draining,
        Self::Unavailable,
        Self::Internal,
    ];

    /// HTTP status, `code` and `title` of the problem document.
    pub const fn wire(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request cannot be understood"),
            Self::BadChannel => (400, "bad-channel", "Not a channel name"),
            Self::Unauthorized => (401, "unauthorized", "A token is needed"),
            Self::TokenExpired => (401, "token-expired", "The token has expired"),
            Self::TokenInvalid => (401, "token-invalid", "The token is not valid"),
            Self::TokenRequired => (403, "token-required", "A client id alone is not enough here"),
            Self::Forbidden => (403, "forbidden", "Not allowed"),
            Self::UnknownClient => (404, "unknown-client", "No such client is present"),
            Self::UnknownChannel => (404, "unknown-channel", "No such channel"),
            Self::NotFound => (404, "not-found", "No such path"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "Not a method of this path"),
            Self::UnknownTopic => (404, "unknown-topic", "No such topic is on the board"),
            Self::NotPostable => (405, "not-postable", "This channel takes no posts"),
            Self::KeyReused => (409, "key-reused", "The idempotency key belongs to another post"),
            Self::BoardFull => (409, "board-full", "The board is full"),
            Self::TooLarge => (413, "too-large", "Too large"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "Not a type of body"),
            Self::TargetTooLong => (414, "target-too-long", "The request target is too long"),
            Self::HeadersTooLarge => (431, "headers-too-large", "The header fields are too large"),
            Self::Timeout => (408, "timeout", "The request did not arrive in time"),
            Self::UpgradeRequired => (426, "upgrade-required", "A WebSocket upgrade is needed"),
            Self::RateLimited => (429, "rate-limited", "Too fast"),
            Self::OverCapacity => (503, "over-capacity", "A limit of this node is reached"),
            Self::Draining => (503, "draining", "This node is going away"),
            Self::Unavailable => {
                (503, "unavailable", "What must be kept cannot be written or read now")
            }
            Self::Internal => (500, "internal", "Something broke in the gateway"),
        }
    }

    /// HTTP status of the answer.
    pub const fn status(self) -> u16 {
        self.wire().0
    }

    /// The stable name: the fragment of `type`, and the member `code`.
    pub const fn code(self) -> &'static str {
        self.wire().1
    }
}

/// Why the server ends a connection: the code of a WebSocket close frame, of an SSE `close` event
/// and of a stream's `{"close":{…}}`.
///
/// Source: wire.md section 8; RFC 6455 section 7.4 for the codes below 4000.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Close {
    /// 1000: an ordinary end, such as the answer to the client's own close.
    Normal,
    /// 1001: the server is going away; reconnect.
    GoingAway,
    /// 1002: a frame that breaks RFC 6455.
    ProtocolError,
    /// 1003: a binary frame on a channel of texts.
    Unsupported,
    /// 1007: text that is not UTF-8.
    InvalidData,
    /// 1009: a message over `limits.message_bytes`.
    TooBig,
    /// 4001: the token expired; log in again.
    TokenExpired,
    /// 4002: logged out elsewhere, or the token was replaced by a newer one.
    LoggedOut,
    /// 4003: kicked by a backend.
    Kicked,
    /// 4008: the outbox was full; reconnect and resume.
    SlowConsumer,
    /// 4009: too many messages; slow down.
    RateLimited,
}

impl Close {
    /// The number on the wire, and a reason of a few words.
    pub const fn wire(self) -> (u16, &'static str) {
        match self {
            Self::Normal => (1000, ""),
            Self::GoingAway => (1001, "going away"),
            Self::ProtocolError => (1002, "protocol error"),
            Self::Unsupported => (1003, "binary on a text channel"),
            Self::InvalidData => (1007, "not UTF-8"),
            Self::TooBig => (1009, "message too big"),
            Self::TokenExpired => (4001, "token expired"),
            Self::LoggedOut => (4002, "logged out or replaced"),
            Self::Kicked => (4003, "kicked"),
            Self::SlowConsumer => (4008, "slow consumer"),
            Self::RateLimited => (4009, "rate limited"),
        }
    }

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self.wire().0
    }
}

/// A limit that a request ran into, by its key in the `[limits]` of the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// `target_bytes`.
    TargetBytes,
    /// `header_bytes`.
    HeaderBytes,
    /// `body_bytes`.
    BodyBytes,
    /// `body_seconds`.
    BodySeconds,
    /// `message_bytes`.
    MessageBytes,
    /// `header_seconds`.
    HeaderSeconds,
    /// `write_seconds`.
    WriteSeconds,
    /// `logins_per_second`, and its burst.
    LoginsPerSecond,
    /// `messages_per_second`, and its burst.
    MessagesPerSecond,
    /// `rooms_per_minute`.
    RoomsPerMinute,
    /// `connections_per_address`.
    ConnectionsPerAddress,
    /// `connections`.
    Connections,
    /// `connections_per_client`.
    ConnectionsPerClient,
    /// `clients`.
    Clients,
    /// `worker_queue`.
    WorkerQueue,
}

impl Limit {
    /// Every limit there is.
    pub const ALL: [Self; 15] = [
        Self::TargetBytes,
        Self::HeaderBytes,
        Self::BodyBytes,
        Self::BodySeconds,
        Self::MessageBytes,
        Self::HeaderSeconds,
        Self::WriteSeconds,
        Self::LoginsPerSecond,
        Self::MessagesPerSecond,
        Self::RoomsPerMinute,
        Self::ConnectionsPerAddress,
        Self::Connections,
        Self::ConnectionsPerClient,
        Self::Clients,
        Self::WorkerQueue,
    ];

    /// What the limit is called in the configuration, and the problem of who runs into it.
    const fn wire(self) -> (&'static str, Problem) {
        match self {
            Self::TargetBytes => ("target_bytes", Problem::TargetTooLong),
            Self::HeaderBytes => ("header_bytes", Problem::HeadersTooLarge),
            Self::BodyBytes => ("body_bytes", Problem::TooLarge),
            Self::BodySeconds => ("body_seconds", Problem::Timeout),
            Self::MessageBytes => ("message_bytes", Problem::TooLarge),
            Self::HeaderSeconds => ("header_seconds", Problem::Timeout),
            Self::WriteSeconds => ("write_seconds", Problem::Timeout),
            Self::LoginsPerSecond => ("logins_per_second", Problem::RateLimited),
            Self::MessagesPerSecond => ("messages_per_second", Problem::RateLimited),
            Self::RoomsPerMinute => ("rooms_per_minute", Problem::RateLimited),
            Self::ConnectionsPerAddress => ("connections_per_address", Problem::OverCapacity),
            Self::Connections => ("connections", Problem::OverCapacity),
            Self::ConnectionsPerClient => ("connections_per_client", Problem::OverCapacity),
            Self::Clients => ("clients", Problem::OverCapacity),
            Self::WorkerQueue => ("worker_queue", Problem::OverCapacity),
        }
    }

    /// Its key below `limits.`.
    pub const fn key(self) -> &'static str {
        self.wire().0
    }

    /// The problem of who runs into it.
    pub const fn problem(self) -> Problem {
        self.wire().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_problem_has_a_code_of_its_own() {
        let codes: HashSet<_> = Problem::ALL.iter().map(|problem| problem.code()).collect();
        assert_eq!(codes.len(), Problem::ALL.len());
    }
}
