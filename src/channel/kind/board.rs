//! `board`: the list of topics, as a whole. What is on it comes from the store and never from a post,
//! so it accepts nothing.
//!
//! Source: wire.md sections 4 and 7.

use super::{Accepted, Inbound, Rejection};

pub(super) const fn accept(_: Inbound<'_>) -> Result<Accepted, Rejection> {
    Err(Rejection::NotPostable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_becomes_a_topic() {
        let topic = r#"{"comment":"a"}"#;
        for said in [Inbound::Spoken(topic), Inbound::Text("a"), Inbound::Json(topic)] {
            assert_eq!(accept(said), Err(Rejection::NotPostable));
        }
        assert_eq!(accept(Inbound::Binary(b"a")), Err(Rejection::NotPostable));
    }
}
