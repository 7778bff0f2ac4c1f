//! `echo`: each WebSocket message, text or binary, goes back to its sender and to nobody else.

use super::{Accepted, Inbound, Rejection};

pub(super) fn accept(inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
    match inbound {
        Inbound::Frame(_) | Inbound::Binary(_) => Ok(Accepted::Echo),
        Inbound::Text(_) | Inbound::Json(_) => Err(Rejection::NotPostable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_over_a_socket_goes_back_and_posts_are_refused() {
        assert_eq!(accept(Inbound::Frame("")), Ok(Accepted::Echo));
        assert_eq!(accept(Inbound::Binary(&[0, 255])), Ok(Accepted::Echo));
        assert_eq!(accept(Inbound::Text("a")), Err(Rejection::NotPostable));
    }
}
