//! What the log never says, whatever filter it was given.

use super::common::node::Setup;
use super::peer::{END_HEADERS, END_STREAM, HEADERS, PING, Peer, block, frame, get, pseudo};

#[tokio::test]
async fn no_filter_makes_a_library_write_down_a_token() {
    for format in ["text", "json"] {
        // The library repeats a path that is none, at a level that only its module is given.
        for level in ["info,h2::server=debug", "trace,h2::server=trace,h2=trace"] {
            let node = Setup::default().env("PUSHGATE_LOG__LEVEL", level);
            let mut node = node.env("PUSHGATE_LOG__FORMAT", format).start().await;
            let alice = node.login().await;
            let query = alice.query("");
            let fields =
                [&pseudo("GET", "/users")[..], &[("authorization", &alice.token)]].concat();
            let mut peer = Peer::open(&node).await;
            let requests = [
                get(1, &format!("/users?{query} b")),
                get(3, &format!("/users?{query}\u{1}")),
                get(5, &format!("/users?{query}")),
                frame(HEADERS, END_HEADERS | END_STREAM, 7, &block(&fields)),
                frame(PING, 0, 0, b"pingpong"),
            ];
            peer.write(&requests.concat()).await;
            // What was refused was, and so written down if it ever is.
            peer.next_of(PING).await.unwrap();
            peer.outcome(7).await;
            drop(peer);
            node.terminate().await;
            let log = node.output();
            let (_, signature) = alice.token.rsplit_once('.').unwrap();
            assert!(!log.contains(signature), "{level}: a token is in the log:\n{log}");
            assert!(log.contains("INFO"), "{level}: there is a log");
        }
    }
}
