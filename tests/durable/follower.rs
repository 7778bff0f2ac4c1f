//! Somebody who listens, and comes back after each crash.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::common::client::{Event, PollAnswer, TestClient, Transport};
use super::common::http::{Connection, Request, encode};
use super::common::id_of;
use super::common::node::Login;
use futures_util::StreamExt as _;

/// How long it waits before it comes back.
const PAUSE: Duration = Duration::from_millis(10);
/// How long nothing comes over a stream before it does so.
const STILL: Duration = Duration::from_secs(5);

/// Listens to the root until the message that says `last`; what it heard, in its order.
pub(crate) async fn follow(
    address: SocketAddr,
    login: Login,
    transport: Transport,
    last: &str,
) -> Vec<Value> {
    let mut heard = Heard { messages: Vec::new(), since: "0".to_owned(), ids: HashSet::new() };
    while heard.messages.last().is_none_or(|message| !is(message, last)) {
        let query = login.query(&format!("users=none&since={}", encode(&heard.since)));
        match transport {
            Transport::Ws => heard.ws(address, &query, last).await,
            Transport::Poll => heard.poll(address, &query).await,
            Transport::Sse | Transport::Stream => {
                heard.stream(address, transport, &query, last).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    heard.messages
}

fn is(message: &Value, value: &str) -> bool {
    message["message"]["value"] == value
}

struct Heard {
    messages: Vec<Value>,
    since: String,
    ids: HashSet<String>,
}

impl Heard {
    /// Adds a message; whether it is the last.
    fn add(&mut self, text: &str, last: &str) -> bool {
        let message: Value = serde_json::from_str(text).unwrap();
        id_of(&message).clone_into(&mut self.since);
        assert!(self.ids.insert(self.since.clone()), "twice: {message}");
        let is_last = is(&message, last);
        self.messages.push(message);
        is_last
    }

    async fn ws(&mut self, address: SocketAddr, query: &str, last: &str) {
        let Ok(stream) = TcpStream::connect(address).await else { return };
        let url = format!("ws://{address}/ws?{query}");
        let Ok((mut socket, _)) = tokio_tungstenite::client_async(url, stream).await else {
            return;
        };
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message
                && self.add(&text, last)
            {
                return;
            }
        }
    }

    async fn stream(&mut self, address: SocketAddr, transport: Transport, query: &str, last: &str) {
        let Ok(mut connection) = Connection::try_open(address, None).await else { return };
        connection.write(&transport.request("", query).bytes(address, false)).await;
        let Some(head) = connection.head().await else { return };
        if head.status != 200 {
            return;
        }
        let mut client = TestClient::of_stream(transport, connection, &head);
        while let Ok(Event::Text(text)) = timeout(STILL, client.event()).await {
            if self.add(&text, last) {
                return;
            }
        }
    }

    async fn poll(&mut self, address: SocketAddr, query: &str) {
        let Ok(mut connection) = Connection::try_open(address, None).await else { return };
        let request = Request::get(&format!("/poll?{query}&wait=1"));
        connection.write(&request.bytes(address, false)).await;
        let Some(answer) = connection.try_response().await else { return };
        if answer.status != 200 {
            return;
        }
        let answer = PollAnswer::of(&answer);
        for message in &answer.messages {
            self.add(message.get(), "");
        }
        self.since = answer.since;
    }
}
