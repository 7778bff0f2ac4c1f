//! Counts and rates: how much one address or one client may ask for.
//!
//! A *rate* is a token bucket per key ([`Rate`](rate::Rate)): so many at a stroke, and so many a
//! second in the long run. [`Rates`] has all of the gate; the verbs ask it before they do their
//! work. A *count* is what is open at once ([`AddressCounts`]): whoever enters holds a place until
//! it leaves.
//!
//! Both are kept for a [`Source`](source::Source), an IPv4 address or an IPv6 /64, or for a client
//! id. Neither counts the networks in `limits.exempt`. What says the same as nothing is dropped: a
//! bucket that is full again by [`Rates::sweep`], a count at once when it is down to zero.

mod counts;
mod rate;
mod rates;
mod source;

pub use counts::{AddressCounts, Entered, TooManyHere};
pub(super) use rate::TooFast;
pub use rates::Rates;
pub(super) use rates::Refusal;
pub use source::Whom;
