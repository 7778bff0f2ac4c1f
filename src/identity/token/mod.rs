//! Tokens: what they say, how they are made, and how one is told from a forgery.

mod grant;
#[cfg(test)]
mod tests;
mod verified;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto, decode_header, encode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use grant::{Grant, GrantError, May};
use verified::Verified;

use super::client::{ClientId, DisplayName};
use super::clock::TokenTime;
use super::hs256;
use super::order::Orders;
use crate::channel::ChannelName;

/// The longest token that is looked at, in bytes; a longer text is [`TokenError::Malformed`].
pub const MAX_TOKEN_BYTES: usize = 4096;

/// The longest life that a token may be given, in seconds: 24 hours.
///
/// Source: wire.md section 2.
pub const MAX_LIFE_SECONDS: u64 = 86_400;

/// `{"typ":"JWT","alg":"HS256"}`: the head of every token that we mint.
const OUR_HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// What a token says.
///
/// Units: `issued_at`, `expires_at` and `earlier_until` are seconds since the epoch of the token
/// clock; `order` is in milliseconds, see [`Orders`].
///
/// Source: wire.md section 2; RFC 7519 section 4.1.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Claims {
    /// Whose token it is (`sub`).
    #[serde(rename = "sub")]
    pub client: ClientId,
    /// When it was minted (`iat`).
    #[serde(rename = "iat")]
    pub issued_at: u64,
    /// The first second in which it is expired (`exp`).
    #[serde(rename = "exp")]
    pub expires_at: u64,
    /// 128 random bits in hexadecimal, so that no two tokens are alike (`jti`).
    #[serde(rename = "jti")]
    pub id: String,
    /// Its place among all tokens; of two of a client the higher one is the newer (`ord`).
    #[serde(rename = "ord")]
    pub order: u64,
    /// Until when an earlier token of this client may live; none for a client's first (`ear`).
    #[serde(rename = "ear", default, skip_serializing_if = "Option::is_none")]
    pub earlier_until: Option<u64>,
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<DisplayName>,
    /// What a backend wants to read back; we never look into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Value>,
    /// The channels it is good for; none means every channel, an empty list not one (`channels`).
    #[serde(
        rename = "channels",
        default,
        deserialize_with = "not_null",
        skip_serializing_if = "Option::is_none"
    )]
    pub grants: Option<Vec<Grant>>,
    /// It is for a private line: what is sent to its client, and no channel (`line`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub line: bool,
}

/// What a new token shall say.
#[derive(Clone, Debug)]
pub struct Mint {
    /// Whose token it will be.
    pub client: ClientId,
    /// How long it lives; whole seconds count.
    pub life: Duration,
    /// The name that people see.
    pub name: Option<DisplayName>,
    /// What a backend wants to read back.
    pub info: Option<Value>,
    /// The channels it is good for; none means every channel.
    pub grants: Option<Vec<Grant>>,
    /// It is for a private line, and good for no channel.
    pub line: bool,
    /// The latest `exp`, in seconds since the epoch, that *any* earlier token of this client can
    /// have; none if the client is new. For a renewal [`Claims::earlier_until_if_renewed`] knows
    /// it; where nothing is known of a client that may have tokens, it is now plus
    /// [`MAX_LIFE_SECONDS`]. One that is past is left out of the token.
    pub earlier_until: Option<u64>,
}

/// A new token, and what it says.
#[derive(Clone)]
pub struct Minted {
    /// The token: a secret.
    pub token: String,
    /// What it says.
    pub claims: Claims,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenError {
    /// The text is no JWT at all, or longer than [`MAX_TOKEN_BYTES`].
    Malformed,
    /// It was altered, or made with another key, another algorithm or none, or lacks a claim.
    Invalid,
    /// It is genuine, and its time is over.
    Expired,
}

/// Makes tokens and tells genuine ones, by HMAC with SHA-256 and one key.
///
/// Waits: no. Locks: for a moment, of a part of the table of tokens that are remembered.
pub struct Signer {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
    orders: Orders,
    verified: Verified,
}

impl Claims {
    /// Whether the token allows to receive on `channel`.
    pub fn may_read(&self, channel: &ChannelName) -> bool {
        self.allows(channel, |may| matches!(may, May::Read | May::ReadWrite))
    }

    /// Whether the token allows to publish on `channel`.
    pub fn may_write(&self, channel: &ChannelName) -> bool {
        self.allows(channel, |may| matches!(may, May::Write | May::ReadWrite))
    }

    /// [`Mint::earlier_until`] of a token that renews this one at `now`, where renewals live for `life`.
    ///
    /// Not just the `exp` of this token: it may have been renewed before, and that sibling lives
    /// as long as one minted now, at most.
    pub fn earlier_until_if_renewed(&self, now: TokenTime, life: Duration) -> u64 {
        let sibling = now.seconds().saturating_add(life.as_secs());
        self.expires_at.max(sibling).max(self.earlier_until.unwrap_or(0))
    }

    fn allows(&self, channel: &ChannelName, enough: impl Fn(May) -> bool) -> bool {
        !self.line
            && self.grants.as_ref().is_none_or(|grants| {
                grants.iter().any(|grant| enough(grant.may) && grant.channel.matches(channel))
            })
    }
}

impl Minted {
    /// Whether the token is short enough to be accepted when it comes back.
    ///
    /// Only a large `info` or many grants make one that does not: a backend is told so.
    pub fn fits(&self) -> bool {
        self.token.len() <= MAX_TOKEN_BYTES
    }
}

impl Signer {
    /// A signer with this key; 32 random bytes are a good one.
    pub fn new(key: &[u8]) -> Self {
        hs256::install();
        Self {
            header: Header::new(Algorithm::HS256),
            signing: EncodingKey::from_secret(key),
            verifying: DecodingKey::from_secret(key),
            orders: Orders::new(),
            verified: Verified::new(),
        }
    }

    /// The sequence that its tokens are ordered by, which [`LiveTokens`](super::LiveTokens) shares.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// A new token. That it was minted ends nothing; that it connects does.
    ///
    /// # Panics
    /// If the operating system gives no randomness, without which no token may be given out.
    pub fn mint(&self, request: Mint, now: TokenTime) -> Minted {
        let issued_at = now.seconds();
        let claims = Claims {
            client: request.client,
            issued_at,
            expires_at: issued_at.saturating_add(request.life.as_secs()),
            id: random_id(),
            order: self.orders.next(now),
            earlier_until: request.earlier_until.filter(|until| *until > issued_at),
            name: request.name,
            info: request.info,
            // Whoever does not know of lines reads that it is good for nothing.
            grants: if request.line { Some(Vec::new()) } else { request.grants },
            line: request.line,
        };
        let token = encode(&self.header, &claims, &self.signing)
            .expect("claims are plain JSON, and the key and the provider are of HS256");
        Minted { token, claims }
    }

    /// What `token` says, if it was made with this key and its time is not over at `now`.
    ///
    /// Whether it was *ended* is another question: [`LiveTokens::check`](super::LiveTokens::check).
    /// There is no leeway: we made the token, by the clock that judges it.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] for a text that is no JWT; [`TokenError::Invalid`] for one that is
    /// not ours; [`TokenError::Expired`] only for one that is.
    ///
    /// Source: wire.md sections 2 and 8; RFC 8725 section 3.1 (the algorithm is ours to choose).
    pub fn verify(&self, token: &str, now: TokenTime) -> Result<Arc<Claims>, TokenError> {
        let claims = match self.verified.get(token) {
            Some(claims) => claims,
            None => Arc::new(self.read(token)?),
        };
        judge(claims, now)
    }

    /// The same of a token that will come again soon: its signature is not computed again.
    ///
    /// Bound: 4 MiB for all that is remembered; then those go that were asked for least.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_often(&self, token: &str, now: TokenTime) -> Result<Arc<Claims>, TokenError> {
        if let Some(claims) = self.verified.get(token) {
            return judge(claims, now);
        }
        let claims = judge(Arc::new(self.read(token)?), now)?;
        self.verified.insert(token, &claims);
        Ok(claims)
    }

    /// Whose token it is, if it was made with this key, also when its time is over or it was ended.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] and [`TokenError::Invalid`], as [`verify`](Self::verify) has them.
    pub fn client_of(&self, token: &str) -> Result<ClientId, TokenError> {
        self.read(token).map(|claims| claims.client)
    }

    /// What `token` says, if it was made with this key.
    fn read(&self, token: &str) -> Result<Claims, TokenError> {
        let parts = Parts::of(token)?;
        if parts.header != OUR_HEADER {
            check_header(token)?;
        }
        let message = parts.message.as_bytes();
        match crypto::verify(parts.signature, message, &self.verifying, Algorithm::HS256) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Invalid),
        }
        // The library's own `decode` would read the header twice and the claims twice, and judge
        // them by the wall clock. This one only decodes: the signature was verified above.
        let claims: Claims = insecure_decode_claims(token).map_err(|_| TokenError::Invalid)?;
        self.orders.observe(claims.order);
        Ok(claims)
    }
}

fn judge(claims: Arc<Claims>, now: TokenTime) -> Result<Arc<Claims>, TokenError> {
    if claims.expires_at <= now.seconds() { Err(TokenError::Expired) } else { Ok(claims) }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("orders", &self.orders)
            .field("verified", &self.verified)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted").field("claims", &self.claims).finish_non_exhaustive()
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the token is no JWT",
            Self::Invalid => "the token is not one of this server, or was altered",
            Self::Expired => "the token is expired",
        })
    }
}

impl std::error::Error for TokenError {}

/// The parts of a compact JWS: the message is header and claims as they were signed.
struct Parts<'a> {
    header: &'a str,
    message: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Malformed)?;
        if claims.contains('.') {
            return Err(TokenError::Malformed);
        }
        Ok(Self { header, message, signature })
    }
}

/// Judges a header that we did not write: it may say what ours says in other words.
fn check_header(token: &str) -> Result<(), TokenError> {
    match decode_header(token) {
        // Nothing that `crit` can name is known to us, and RFC 7515 section 4.1.11 has it refused.
        Ok(header) if header.alg == Algorithm::HS256 && header.crit.is_none() => Ok(()),
        Ok(_) => Err(TokenError::Invalid),
        // JSON, but with `alg` none or unknown or missing: a JWT of somebody else.
        Err(error) if is_other_json(error.kind()) => Err(TokenError::Invalid),
        Err(_) => Err(TokenError::Malformed),
    }
}

fn is_other_json(kind: &ErrorKind) -> bool {
    if let ErrorKind::Json(error) = kind { error.is_data() } else { false }
}

/// A list that is there. `null` is refused: read as none, it would allow everything.
fn not_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Grant>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}

fn random_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("a system that runs us has a random generator");
    format!("{:032x}", u128::from_ne_bytes(bytes))
}
