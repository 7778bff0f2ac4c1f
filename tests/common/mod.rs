//! The harness: a real gateway on a free port, and clients that speak to it through real sockets.
//!
//! [`node::TestNode`] is the gateway, [`client::TestClient`] one subscription with the same verbs
//! over every transport, [`http`] a small HTTP/1.1 client that can also say what is malformed,
//! [`ws`] frames byte by byte, [`clock`] a clock that jumps, [`preload`] what a disk does at its worst, [`jwt`] tokens forged by hand,
//! [`scrape`] what `/metrics` tells.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::format_push_string,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    dead_code,
    reason = "a harness fails loudly, and no test file uses all of it"
)]

pub mod client;
pub mod clock;
pub mod http;
pub mod jwt;
pub mod node;
pub mod preload;
pub mod process;
pub mod program;
pub mod scrape;
pub mod ws;

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// How long anything may take before a test gives up: a guard against hanging, no measure.
pub const GUARD: Duration = Duration::from_secs(10);

/// How long absence is watched where nothing else can show it.
pub const QUIET: Duration = Duration::from_millis(300);

/// The address every test speaks from unless it says otherwise.
pub const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// What `future` gives, or a failure that says what was waited for.
pub async fn guarded<F: Future>(what: &str, future: F) -> F::Output {
    let Ok(output) = tokio::time::timeout(GUARD, future).await else {
        panic!("{what}: nothing within {GUARD:?}");
    };
    output
}

/// Asks again and again until the answer pleases; the last answer is told when none did.
pub async fn until<T, F, Fut>(what: &str, mut ask: F, pleases: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
    F: FnMut() -> Fut,
    Fut: Future<Output = T>,
{
    let start = Instant::now();
    loop {
        let answer = ask().await;
        if pleases(&answer) {
            return answer;
        }
        assert!(start.elapsed() < GUARD, "{what}: still {answer:?} after {GUARD:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The `value` of a message.
pub fn value_of(message: &Value) -> &str {
    message["message"]["value"].as_str().unwrap_or_else(|| panic!("no message: {message}"))
}

/// The `id` of a message.
pub fn id_of(message: &Value) -> &str {
    message["message"]["id"].as_str().unwrap_or_else(|| panic!("no id: {message}"))
}

/// The offset in an id.
pub fn offset_of(id: &str) -> u64 {
    let (_, offset) = id.rsplit_once('-').unwrap_or_else(|| panic!("no offset in {id:?}"));
    offset.parse().unwrap_or_else(|_| panic!("no number in {id:?}"))
}

/// An id of the same epoch with another offset.
pub fn at_offset(id: &str, offset: u64) -> String {
    let (epoch, _) = id.rsplit_once('-').unwrap_or_else(|| panic!("no offset in {id:?}"));
    format!("{epoch}-{offset}")
}

/// The client ids on a users list, sorted.
pub fn ids_on(list: &Value) -> Vec<String> {
    let users = list["users"].as_array().unwrap_or_else(|| panic!("no users list: {list}"));
    let mut ids: Vec<String> =
        users.iter().map(|user| user["client_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Whether a client is on a users list.
pub fn is_on(list: &Value, client_id: &str) -> bool {
    ids_on(list).iter().any(|id| id == client_id)
}

/// One test a transport for a clause that is an `async fn clause(transport: Transport)`.
#[macro_export]
macro_rules! on_every_transport {
    ($($clause:ident),+ $(,)?) => {$(
        mod $clause {
            use $crate::common::client::Transport;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_ws() {
                super::$clause(Transport::Ws).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sse() {
                super::$clause(Transport::Sse).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_stream() {
                super::$clause(Transport::Stream).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_poll() {
                super::$clause(Transport::Poll).await;
            }
        }
    )+};
}
