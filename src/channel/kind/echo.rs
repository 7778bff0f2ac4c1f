//! `echo`: whatever is spoken, text or bytes, goes back to its sender and to nobody else.

use super::{Accepted, Inbound, Rejection};

pub(super) fn accept(inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
    match inbound {
        Inbound::Spoken(_) | Inbound::Binary(_) => Ok(Accepted::Echo),
        Inbound::Text(_) | Inbound::Json(_) => Err(Rejection::NotPostable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoken_goes_back_and_posts_are_refused() {
        assert_eq!(accept(Inbound::Spoken("")), Ok(Accepted::Echo));
        assert_eq!(accept(Inbound::Binary(&[0, 255])), Ok(Accepted::Echo));
        assert_eq!(accept(Inbound::Text("a")), Err(Rejection::NotPostable));
    }
}
