//! `json`: any JSON value, delivered compact, with its digits and the order of its keys.

use super::{Accepted, Content, Inbound, Rejection, publish};
use crate::channel::json::compact;

pub(super) fn accept(inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
    match inbound {
        Inbound::Text(text) | Inbound::Json(text) | Inbound::Spoken(text) => {
            let json = compact(text).map_err(|why| Rejection::Field("value", why))?;
            Ok(publish(Content::Json(json)))
        }
        Inbound::Binary(_) => Err(Rejection::Binary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_is_delivered_compact() {
        let cases =
            [("1.50", "1.50"), (" null ", "null"), ("{\"b\":1, \"a\":[ ]}", "{\"b\":1,\"a\":[]}")];
        for (given, delivered) in cases {
            let expected = Ok(publish(Content::Json(delivered.to_owned())));
            assert_eq!(accept(Inbound::Spoken(given)), expected);
        }
    }

    #[test]
    fn a_text_that_is_no_json_is_refused() {
        assert!(matches!(accept(Inbound::Text("abc")), Err(Rejection::Field("value", _))));
    }
}
