//! Who a client is: ids, tokens, which tokens still live, and the keys of backends.
//!
//! A login or a backend *mints* a token ([`Signer::mint`]); every request *verifies* the one it
//! brings ([`Signer::verify`]) and then asks whether it was ended meanwhile ([`LiveTokens::check`]).
//! A client has one live token: one that *connects* ([`LiveTokens::connect`]) ends those minted
//! before it, and a logout ([`LiveTokens::end`]) ends them all. What was ended is told as
//! [`Ended`], so that the caller can write it down and give it back after a restart.
//!
//! Three things make this hold: tokens carry an `order` from one rising sequence ([`Orders`]), a
//! client's ended tokens are those below a floor, and the time all is judged by ([`TokenClock`])
//! does not follow the wall clock and is never earlier than the latest one written down.
//!
//! Plain data and functions: nothing here reads a file, waits, or knows HTTP.
//! Source: wire.md section 2; robustness.md trap 8 and A1 to A4.

mod client;
mod clock;
mod hs256;
mod keys;
mod live;
mod order;
mod token;

pub use client::{ClientId, ClientIdError, DisplayName, NameError};
pub use clock::{TokenClock, TokenTime};
pub use keys::ApiKeys;
pub use live::{Ended, LiveTokens, TokenEnded};
pub use order::Orders;
pub use token::{
    Claims, Grant, GrantError, MAX_LIFE_SECONDS, MAX_TOKEN_BYTES, May, Mint, Minted, Signer,
    TokenError,
};
