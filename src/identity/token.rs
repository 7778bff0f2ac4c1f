//! Tokens: what they say, how they are made, and how one is told from a forgery.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto, decode_header, encode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::client::{ClientId, DisplayName};
use super::clock::TokenTime;
use super::hs256;
use super::order::Orders;
use crate::channel::{ChannelName, Pattern};

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
}

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
/// Waits: no. Locks: no; one atomic, the sequence of [`Orders`].
pub struct Signer {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
    orders: Orders,
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
        self.grants.as_ref().is_none_or(|grants| {
            grants.iter().any(|grant| enough(grant.may) && grant.channel.matches(channel))
        })
    }
}

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
            grants: request.grants,
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
    pub fn verify(&self, token: &str, now: TokenTime) -> Result<Claims, TokenError> {
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
        if claims.expires_at <= now.seconds() { Err(TokenError::Expired) } else { Ok(claims) }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("orders", &self.orders).finish_non_exhaustive()
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

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel of a grant is no channel name or pattern")
    }
}

impl std::error::Error for TokenError {}

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &[u8] = &[7; 32];
    const LIFE: Duration = Duration::from_hours(2);

    fn at(seconds: u64) -> TokenTime {
        TokenTime::from_millis(seconds * 1000)
    }

    fn ann() -> Mint {
        Mint {
            client: ClientId::parse("ann").unwrap(),
            life: LIFE,
            name: None,
            info: None,
            grants: None,
            earlier_until: None,
        }
    }

    /// A genuine token with these claims.
    fn with_claims(claims: &Value) -> String {
        hs256::install();
        encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(KEY)).unwrap()
    }

    /// A token with this base64 header over good claims, signed by HMAC with the right key.
    fn with_header(header: &str) -> String {
        let token = Signer::new(KEY).mint(ann(), at(100)).token;
        let claims = token.split('.').nth(1).unwrap();
        let message = format!("{header}.{claims}");
        let key = EncodingKey::from_secret(KEY);
        let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    }

    fn refusal(token: &str) -> TokenError {
        Signer::new(KEY).verify(token, at(100)).unwrap_err()
    }

    #[test]
    fn a_token_says_what_it_was_minted_with() {
        let grants = vec![Grant::parse("chat/*", May::ReadWrite).unwrap()];
        let request = Mint {
            name: DisplayName::parse("Ann \u{1f642}").unwrap(),
            info: Some(json!({"team": [1, null, "x"]})),
            grants: Some(grants),
            earlier_until: Some(500),
            ..ann()
        };
        let minted = Signer::new(KEY).mint(request, at(100));
        assert!(minted.fits());
        let claims = Signer::new(KEY).verify(&minted.token, at(101)).unwrap();
        assert_eq!(claims, minted.claims);
        assert_eq!((claims.issued_at, claims.expires_at), (100, 7_300));
        assert_eq!((claims.order, claims.earlier_until), (100_000, Some(500)));
        assert_eq!(claims.id.len(), 32);
    }

    #[test]
    fn a_first_token_has_no_claim_that_it_does_not_need() {
        let minted = Signer::new(KEY).mint(ann(), at(100));
        let written = serde_json::to_value(&minted.claims).unwrap();
        let names: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["exp", "iat", "jti", "ord", "sub"]);
        assert!(minted.token.starts_with(&format!("{OUR_HEADER}.")));
    }

    #[test]
    fn an_earlier_token_that_is_expired_is_not_told() {
        let mint = |earlier| {
            let request = Mint { earlier_until: Some(earlier), ..ann() };
            Signer::new(KEY).mint(request, at(100)).claims.earlier_until
        };
        assert_eq!(mint(99), None);
        assert_eq!(mint(100), None);
        assert_eq!(mint(101), Some(101));
    }

    #[test]
    fn tokens_of_one_millisecond_are_ordered_and_unlike() {
        let signer = Signer::new(KEY);
        let first = signer.mint(ann(), at(100));
        let second = signer.mint(ann(), at(100));
        assert_eq!(first.claims.order + 1, second.claims.order);
        assert_ne!(first.claims.id, second.claims.id);
        let tail = |token: &str| token.rsplit('.').next().unwrap().to_owned();
        assert_ne!(tail(&first.token), tail(&second.token));
    }

    #[test]
    fn a_token_is_later_than_one_seen_from_an_earlier_run_with_a_faster_clock() {
        let before = Signer::new(KEY).mint(ann(), at(110));
        let signer = Signer::new(KEY);
        signer.verify(&before.token, at(100)).unwrap();
        assert!(signer.mint(ann(), at(100)).claims.order > before.claims.order);
    }

    #[test]
    fn a_token_expires_in_the_second_it_names_without_leeway() {
        let signer = Signer::new(KEY);
        let token = signer.mint(ann(), at(100)).token;
        assert!(signer.verify(&token, TokenTime::from_millis(7_299_999)).is_ok());
        assert_eq!(signer.verify(&token, at(7_300)), Err(TokenError::Expired));
        assert_eq!(signer.verify(&token, at(u64::MAX / 1000)), Err(TokenError::Expired));
    }

    #[test]
    fn an_expired_token_of_another_key_is_invalid_not_expired() {
        let token = Signer::new(&[8; 32]).mint(ann(), at(100)).token;
        assert_eq!(Signer::new(KEY).verify(&token, at(9_999)), Err(TokenError::Invalid));
        assert_eq!(Signer::new(KEY).verify(&token, at(100)), Err(TokenError::Invalid));
    }

    #[test]
    fn an_unsigned_token_is_invalid() {
        // {"alg":"none"}, {"alg":"None","typ":"JWT"}, {"typ":"JWT"}
        for header in
            ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0", "eyJ0eXAiOiJKV1QifQ"]
        {
            let signed = with_header(header);
            assert_eq!(refusal(&signed), TokenError::Invalid);
            let unsigned = &signed[..=signed.rfind('.').unwrap()];
            assert_eq!(refusal(unsigned), TokenError::Invalid);
        }
        let ours = with_header(OUR_HEADER);
        assert_eq!(refusal(&ours[..=ours.rfind('.').unwrap()]), TokenError::Invalid);
    }

    #[test]
    fn a_header_of_another_algorithm_is_invalid_whoever_signed_it() {
        // {"alg":"HS384"}, {"alg":"HS512"}, {"alg":"RS256"}, {"alg":"hs256"}
        let headers = [
            "eyJhbGciOiJIUzM4NCJ9",
            "eyJhbGciOiJIUzUxMiJ9",
            "eyJhbGciOiJSUzI1NiJ9",
            "eyJhbGciOiJoczI1NiJ9",
        ];
        for header in headers {
            assert_eq!(refusal(&with_header(header)), TokenError::Invalid, "{header}");
        }
    }

    #[test]
    fn a_header_of_hs256_in_other_words_is_accepted_unless_something_is_critical() {
        // {"alg":"HS256"}, {"alg":"HS256","typ":"JWT"}
        for header in ["eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"] {
            assert!(Signer::new(KEY).verify(&with_header(header), at(100)).is_ok(), "{header}");
        }
        // {"alg":"HS256","crit":["b64"],"b64":false}
        let critical = "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYjY0Il0sImI2NCI6ZmFsc2V9";
        assert_eq!(refusal(&with_header(critical)), TokenError::Invalid);
    }

    #[test]
    fn a_change_of_any_byte_is_noticed() {
        let token = Signer::new(KEY).mint(ann(), at(100)).token;
        for (place, byte) in token.bytes().enumerate() {
            for other in [b'A', b'_', b'.', b'=', b' ', 0] {
                let mut bytes = token.clone().into_bytes();
                bytes[place] = other;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(Signer::new(KEY).verify(&changed, at(100)).is_ok(), other == byte);
            }
        }
    }

    #[test]
    fn other_claims_under_the_old_signature_are_invalid() {
        let [ann, bob] = ["ann", "bob"].map(|id| {
            let request = Mint { client: ClientId::parse(id).unwrap(), ..ann() };
            Signer::new(KEY).mint(request, at(100)).token
        });
        let claims = bob.split('.').nth(1).unwrap();
        let signature = ann.split('.').nth(2).unwrap();
        assert_eq!(refusal(&format!("{OUR_HEADER}.{claims}.{signature}")), TokenError::Invalid);
    }

    #[test]
    fn a_cut_token_is_refused_wherever_it_is_cut() {
        let token = Signer::new(KEY).mint(ann(), at(100)).token;
        let signature = token.rfind('.').unwrap() + 1;
        for end in 0..token.len() {
            let expected =
                if end < signature { TokenError::Malformed } else { TokenError::Invalid };
            assert_eq!(refusal(&token[..end]), expected, "{end}");
        }
    }

    #[test]
    fn an_extended_token_is_refused() {
        let token = Signer::new(KEY).mint(ann(), at(100)).token;
        for tail in ["A", "AAAA", "=", "==", "\0", "\n", " "] {
            assert_eq!(refusal(&format!("{token}{tail}")), TokenError::Invalid, "{tail:?}");
        }
        for text in
            [format!("{token}."), format!("{token}.A"), format!(".{token}"), format!(" {token}")]
        {
            assert_eq!(refusal(&text), TokenError::Malformed, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_jwt_is_malformed() {
        let dots = ".".repeat(3_000);
        let long = "a".repeat(60_000);
        let longer = format!("{OUR_HEADER}.{long}.{long}");
        let texts = [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            "hello",
            "東.京.都",
            "e30",
            "[1].{}.x",
            &dots,
            &long,
            &longer,
        ];
        for text in texts {
            assert_eq!(refusal(text), TokenError::Malformed, "{text:.20?}");
        }
        let token = Signer::new(KEY).mint(ann(), at(100)).token;
        assert_eq!(refusal(&token.replace('.', "..")), TokenError::Malformed);
    }

    #[test]
    fn a_token_over_4096_bytes_is_malformed_and_minting_it_is_noticed() {
        let mint = |bytes| {
            let request = Mint { info: Some(Value::String("x".repeat(bytes))), ..ann() };
            Signer::new(KEY).mint(request, at(100))
        };
        let small = mint(2_700);
        assert!(small.fits());
        assert!(Signer::new(KEY).verify(&small.token, at(100)).is_ok());
        let large = mint(3_100);
        assert!(!large.fits());
        assert_eq!(refusal(&large.token), TokenError::Malformed);
    }

    #[test]
    fn each_of_the_claims_is_required() {
        let all = json!({"sub": "ann", "iat": 1, "exp": 200, "jti": "x", "ord": 1});
        assert!(Signer::new(KEY).verify(&with_claims(&all), at(100)).is_ok());
        for name in ["sub", "iat", "exp", "jti", "ord"] {
            let mut claims = all.clone();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(refusal(&with_claims(&claims)), TokenError::Invalid, "{name}");
        }
    }

    #[test]
    fn claims_of_a_wrong_type_are_invalid() {
        let wrong = [
            ("sub", json!(7)),
            ("sub", json!("")),
            ("sub", json!("a\u{0}")),
            ("sub", json!(["ann"])),
            ("iat", json!("1")),
            ("exp", json!("200")),
            ("exp", json!(200.5)),
            ("exp", json!(-1)),
            ("exp", json!(null)),
            ("exp", json!(1e30)),
            ("jti", json!(1)),
            ("ord", json!("1")),
            ("ear", json!("1")),
            ("name", json!("")),
            ("name", json!("x".repeat(65))),
            ("channels", json!(null)),
            ("channels", json!("chat")),
            ("channels", json!([{"channel": "chat"}])),
            ("channels", json!([{"channel": "chat", "may": "x"}])),
            ("channels", json!([{"channel": "a b", "may": "r"}])),
        ];
        for (name, value) in wrong {
            let mut claims = json!({"sub": "ann", "iat": 1, "exp": 200, "jti": "x", "ord": 1});
            claims[name] = value.clone();
            assert_eq!(refusal(&with_claims(&claims)), TokenError::Invalid, "{name}: {value}");
        }
        for claims in [json!("ann"), json!(null), json!(7)] {
            assert_eq!(refusal(&with_claims(&claims)), TokenError::Invalid, "{claims}");
        }
    }

    #[test]
    fn without_grants_everything_is_allowed_and_with_an_empty_list_nothing() {
        let mut claims = Signer::new(KEY).mint(ann(), at(100)).claims;
        let room = ChannelName::parse("chat/a").unwrap();
        assert!(claims.may_read(&room) && claims.may_write(&room));
        claims.grants = Some(Vec::new());
        assert!(!claims.may_read(&room) && !claims.may_write(&room));
    }

    #[test]
    fn a_grant_allows_what_it_says_where_it_says_it() {
        let mut claims = Signer::new(KEY).mint(ann(), at(100)).claims;
        claims.grants = Some(vec![
            Grant::parse("chat/*", May::Read).unwrap(),
            Grant::parse("chat/b", May::Write).unwrap(),
            Grant::parse("camera", May::ReadWrite).unwrap(),
        ]);
        let may = |name: &str| {
            let name = ChannelName::parse(name).unwrap();
            (claims.may_read(&name), claims.may_write(&name))
        };
        assert_eq!(may("chat/a"), (true, false));
        assert_eq!(may("chat/b"), (true, true));
        assert_eq!(may("camera"), (true, true));
        assert_eq!(may("board"), (false, false));
    }

    #[test]
    fn grants_are_read_and_written_as_the_wire_has_them() {
        let text = r#"[{"channel":"chat/*","may":"rw"},{"channel":"board","may":"r"}]"#;
        let grants: Vec<Grant> = serde_json::from_str(text).unwrap();
        assert_eq!(grants[0], Grant::parse("chat/*", May::ReadWrite).unwrap());
        let back: Value = serde_json::to_value(&grants).unwrap();
        assert_eq!(back, serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(Grant::parse("a b", May::Read), Err(GrantError));
    }

    #[test]
    fn a_renewal_tells_the_latest_end_of_any_earlier_token() {
        let claims = Signer::new(KEY).mint(ann(), at(100)).claims;
        assert_eq!(claims.earlier_until_if_renewed(at(150), Duration::from_mins(1)), 7_300);
        assert_eq!(claims.earlier_until_if_renewed(at(150), LIFE), 7_350);
        let long = Claims { earlier_until: Some(80_000), ..claims };
        assert_eq!(long.earlier_until_if_renewed(at(150), LIFE), 80_000);
    }

    #[test]
    fn debug_shows_neither_key_nor_token() {
        let signer = Signer::new(b"a very secret key of 32 bytes!!!");
        let minted = signer.mint(ann(), at(100));
        let signature = minted.token.rsplit('.').next().unwrap();
        let shown = format!("{signer:?} {minted:?}");
        assert!(!shown.contains("secret") && !shown.contains("97, 32, 118"), "{shown}");
        assert!(!shown.contains(signature), "{shown}");
    }
}
