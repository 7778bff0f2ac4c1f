//! One subscription, with the same verbs over every transport.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role};

use super::guarded;
use super::http::{Connection, Incoming, Request, Response, find};
use super::node::{TestNode, address};
use super::ws::upgrade;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Ws,
    Sse,
    Stream,
    Poll,
}

impl Transport {
    pub const ALL: [Self; 4] = [Self::Ws, Self::Sse, Self::Stream, Self::Poll];

    /// The verb in the address.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Sse => "sse",
            Self::Stream => "stream",
            Self::Poll => "poll",
        }
    }

    /// The request that opens a subscription.
    pub fn request(self, channel: &str, query: &str) -> Request {
        let target = format!("{}?{query}", address(self.verb(), channel));
        match self {
            Self::Ws => upgrade(&target),
            Self::Sse => Request::get(&target).header("Accept", "text/event-stream"),
            Self::Stream => Request::get(&target),
            Self::Poll => Request::get(&format!("{target}&wait=0")),
        }
    }
}

/// What a subscription brings.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A message, as it came.
    Text(String),
    /// Binary, on `echo` alone.
    Binary(Vec<u8>),
    /// The server told that it ends, with this code.
    Closed(Option<u16>),
    /// A poll was answered with a problem of this status.
    Refused(u16),
    /// The connection ended and nothing was told.
    Ended,
}

pub struct TestClient {
    wire: Wire,
    /// The id of the last message that had one, else the position it began at.
    since: Option<String>,
}

enum Wire {
    Ws(Box<WebSocketStream<TcpStream>>),
    Sse(Lines),
    Stream(Lines),
    Poll(Box<Poll>),
}

impl TestClient {
    /// Subscribes, and fails the test where that is refused. `query` has the token.
    pub async fn connect(
        node: &TestNode,
        transport: Transport,
        channel: &str,
        query: &str,
    ) -> Self {
        match Self::try_connect(node, transport, channel, query).await {
            Ok(client) => client,
            Err(answer) => panic!(
                "{transport:?} on {channel:?}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ),
        }
    }

    /// Subscribes.
    pub async fn try_connect(
        node: &TestNode,
        transport: Transport,
        channel: &str,
        query: &str,
    ) -> Result<Self, Response> {
        let request = transport.request(channel, query);
        Self::of_request(node, transport, &request, (channel, query)).await
    }

    /// The status a subscription to the root is answered with; it is not kept open.
    pub async fn try_connect_status(node: &TestNode, transport: Transport, query: &str) -> u16 {
        match Self::try_connect(node, transport, "", query).await {
            Ok(_) if transport == Transport::Ws => 101,
            Ok(_) => 200,
            Err(answer) => answer.status,
        }
    }

    /// Subscribes with one more header.
    pub async fn connect_with(
        node: &TestNode,
        transport: Transport,
        query: &str,
        (name, value): (&str, &str),
    ) -> Self {
        let request = transport.request("", query).header(name, value);
        match Self::of_request(node, transport, &request, ("", query)).await {
            Ok(client) => client,
            Err(answer) => panic!("{transport:?} with {name}: {answer:?}"),
        }
    }

    /// Subscribes by a request of the test's own, which asks for `(channel, query)`.
    pub async fn of_request(
        node: &TestNode,
        transport: Transport,
        request: &Request,
        (channel, query): (&str, &str),
    ) -> Result<Self, Response> {
        let mut connection = request.begin(node).await;
        if transport == Transport::Poll {
            let answer = connection.response().await;
            if answer.status != 200 {
                return Err(answer);
            }
            let poll = Poll::new(node, channel, query, &answer);
            let since = Some(poll.since.clone());
            return Ok(Self { wire: Wire::Poll(Box::new(poll)), since });
        }
        let head = guarded("a head", connection.head()).await.expect("an answer");
        let expected = if transport == Transport::Ws { 101 } else { 200 };
        if head.status != expected {
            return Err(rest_of(connection, head).await);
        }
        if transport != Transport::Ws {
            return Ok(Self::of_stream(transport, connection, &head));
        }
        let (stream, part) = connection.into_parts();
        let socket = WebSocketStream::from_partially_read(stream, part, Role::Client, None).await;
        Ok(Self { wire: Wire::Ws(Box::new(socket)), since: None })
    }

    /// The subscription behind an answer whose head was read: sse or stream.
    pub fn of_stream(transport: Transport, connection: Connection, head: &Response) -> Self {
        let kind = head.header("content-type").unwrap_or_default();
        let lines = Lines::new(connection, head);
        let wire = if transport == Transport::Sse {
            assert!(kind.starts_with("text/event-stream"), "{kind:?}");
            Wire::Sse(lines)
        } else {
            Wire::Stream(lines)
        };
        Self { wire, since: None }
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        let text = self.next_text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
    }

    /// The next message as it came.
    pub async fn next_text(&mut self) -> String {
        match self.event().await {
            Event::Text(text) => text,
            other => panic!("a message was waited for, {other:?} came"),
        }
    }

    /// The next message that has a `message` or an `id`: users lists are passed over.
    pub async fn next_message(&mut self) -> Value {
        loop {
            let next = self.next().await;
            if next.get("users").is_none() && next.get("joined").is_none() {
                return next;
            }
        }
    }

    /// Whatever comes next, the end included. Cancel safe.
    pub async fn event(&mut self) -> Event {
        guarded("the next message", self.wait()).await
    }

    /// The end that must come; messages before it are passed over.
    pub async fn end(&mut self) -> Event {
        loop {
            match self.event().await {
                Event::Text(_) | Event::Binary(_) => {}
                end @ (Event::Closed(_) | Event::Refused(_) | Event::Ended) => return end,
            }
        }
    }

    /// Fails if anything comes within `time`. Only where no later event can show the absence.
    pub async fn is_quiet_for(&mut self, time: Duration) {
        if let Ok(event) = tokio::time::timeout(time, self.wait()).await {
            panic!("nothing was to come, {event:?} came");
        }
    }

    /// The id of the last message that had one, else the position the subscription began at
    /// (known on sse and poll).
    pub fn since(&self) -> &str {
        self.since.as_deref().expect("an id or a position was seen")
    }

    /// What the last answer of a poll gave as `since`.
    pub fn poll_since(&self) -> &str {
        match &self.wire {
            Wire::Poll(poll) => &poll.since,
            Wire::Ws(_) | Wire::Sse(_) | Wire::Stream(_) => panic!("not a poll"),
        }
    }

    /// Whether it can end with a close frame.
    pub fn is_ws(&self) -> bool {
        matches!(self.wire, Wire::Ws(_))
    }

    /// Says something; only a WebSocket can.
    pub async fn send(&mut self, text: &str) {
        self.send_message(Message::text(text.to_owned())).await;
    }

    pub async fn send_message(&mut self, message: Message) {
        match &mut self.wire {
            Wire::Ws(socket) => guarded("sending", socket.send(message)).await.unwrap(),
            Wire::Sse(_) | Wire::Stream(_) | Wire::Poll(_) => panic!("only ws can speak"),
        }
    }

    /// Ends the subscription in good order: a close frame of code 1000 where there are frames, and
    /// the wait for its echo; the end of the connection elsewhere.
    pub async fn close(self) {
        self.close_with(Some(1000)).await;
    }

    /// As [`Self::close`] with another code, or none.
    pub async fn close_with(mut self, code: Option<u16>) {
        if let Wire::Ws(socket) = &mut self.wire {
            let frame =
                code.map(|code| CloseFrame { code: CloseCode::from(code), reason: "".into() });
            guarded("a close", WebSocketStream::close(socket, frame)).await.unwrap();
            while !matches!(self.event().await, Event::Closed(_) | Event::Ended) {}
        }
    }

    /// Ends the connection without a word.
    pub fn cut(self) {
        drop(self);
    }

    async fn wait(&mut self) -> Event {
        let event = match &mut self.wire {
            Wire::Ws(socket) => ws_event(socket).await,
            Wire::Stream(lines) => stream_event(lines).await,
            Wire::Sse(lines) => {
                let block = sse_event(lines, &mut self.since).await;
                return self.seen(block);
            }
            Wire::Poll(poll) => poll.event().await,
        };
        self.seen(event)
    }

    fn seen(&mut self, event: Event) -> Event {
        if let Event::Text(text) = &event
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            let id = [&value["message"]["id"], &value["id"], &value["since"]]
                .into_iter()
                .find_map(Value::as_str);
            if let Some(id) = id {
                self.since = Some(id.to_owned());
            }
        }
        event
    }
}

/// The whole of an answer whose head was read.
async fn rest_of(connection: Connection, mut head: Response) -> Response {
    let length = head.header("content-length").map(|length| length.parse::<usize>().unwrap());
    let mut body = Incoming::new(connection, &head);
    let mut bytes = Vec::new();
    while length.is_none_or(|length| bytes.len() < length)
        && guarded("a body", body.more(&mut bytes)).await
    {}
    head.body = bytes;
    head
}

async fn ws_event(socket: &mut WebSocketStream<TcpStream>) -> Event {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Event::Text(text.to_string()),
            Some(Ok(Message::Binary(bytes))) => return Event::Binary(bytes.to_vec()),
            Some(Ok(Message::Close(frame))) => {
                return Event::Closed(frame.map(|frame| frame.code.into()));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Event::Ended,
        }
    }
}

async fn stream_event(lines: &mut Lines) -> Event {
    loop {
        let Some(line) = lines.take_until(b"\n").await else {
            return Event::Ended;
        };
        if line.is_empty() {
            continue;
        }
        if let Some(code) = close_code(&line) {
            return Event::Closed(Some(code));
        }
        return Event::Text(line);
    }
}

/// The code of `{"close":{"code":…}}`.
fn close_code(line: &str) -> Option<u16> {
    let value: Value = serde_json::from_str(line).ok()?;
    value["close"]["code"].as_u64()?.try_into().ok()
}

async fn sse_event(lines: &mut Lines, since: &mut Option<String>) -> Event {
    loop {
        let Some(text) = lines.take_until(b"\n\n").await else {
            return Event::Ended;
        };
        let block = Block::of(&text);
        if let Some(id) = block.id {
            assert!(!id.is_empty(), "an empty id resets a browser: {text:?}");
            *since = Some(id);
        }
        let Some(data) = block.data else { continue };
        if block.event.as_deref() == Some("close") {
            let value: Value = serde_json::from_str(&data).unwrap();
            return Event::Closed(value["code"].as_u64().and_then(|code| code.try_into().ok()));
        }
        return Event::Text(data);
    }
}

/// One block of an event stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<String>,
    pub retry: Option<String>,
}

impl Block {
    pub fn of(text: &str) -> Self {
        let mut block = Self::default();
        for line in text.split('\n') {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "id" => block.id = Some(value),
                "event" => block.event = Some(value),
                "retry" => block.retry = Some(value),
                "data" => {
                    block.data = Some(match block.data.take() {
                        Some(before) => format!("{before}\n{value}"),
                        None => value,
                    });
                }
                _ => assert!(name.is_empty(), "no field of an event stream: {line:?}"),
            }
        }
        block
    }
}

/// A body cut at its separators.
pub struct Lines {
    body: Incoming,
    text: Vec<u8>,
    searched: usize,
}

impl Lines {
    pub fn new(connection: Connection, head: &Response) -> Self {
        Self { body: Incoming::new(connection, head), text: Vec::new(), searched: 0 }
    }

    /// The text up to the separator, `None` at the end of the body. Cancel safe.
    pub async fn take_until(&mut self, separator: &[u8]) -> Option<String> {
        loop {
            if let Some(end) = find(&self.text[self.searched..], separator) {
                let end = self.searched + end;
                let text = String::from_utf8(self.text[..end].to_vec()).unwrap();
                self.text.drain(..end + separator.len());
                self.searched = 0;
                return Some(text);
            }
            self.searched = self.text.len().saturating_sub(separator.len() - 1);
            if !self.body.more(&mut self.text).await {
                return None;
            }
        }
    }
}

/// A chain of polls.
struct Poll {
    address: std::net::SocketAddr,
    target: String,
    since: String,
    messages: VecDeque<String>,
    pending: Option<Connection>,
}

/// The answer of a poll.
#[derive(Deserialize)]
pub struct PollAnswer {
    pub messages: Vec<Box<RawValue>>,
    pub since: String,
}

impl PollAnswer {
    pub fn of(answer: &Response) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| {
            panic!("{error} in {:?}", String::from_utf8_lossy(&answer.body))
        })
    }
}

impl Poll {
    fn new(node: &TestNode, channel: &str, query: &str, answer: &Response) -> Self {
        let kept: Vec<&str> = query
            .split('&')
            .filter(|part| !["since", "history", "wait"].contains(&part.split('=').next().unwrap()))
            .collect();
        let mut poll = Self {
            address: node.address(),
            target: format!("{}?{}", address("poll", channel), kept.join("&")),
            since: String::new(),
            messages: VecDeque::new(),
            pending: None,
        };
        poll.answered(answer);
        poll
    }

    fn answered(&mut self, answer: &Response) {
        let answer = PollAnswer::of(answer);
        self.messages.extend(answer.messages.iter().map(|message| message.get().to_owned()));
        self.since = answer.since;
    }

    async fn event(&mut self) -> Event {
        loop {
            if let Some(text) = self.messages.pop_front() {
                return Event::Text(text);
            }
            if self.pending.is_none() {
                let target =
                    format!("{}&wait=25&since={}", self.target, super::http::encode(&self.since));
                let Ok(mut connection) = Connection::try_open(self.address, None).await else {
                    return Event::Ended;
                };
                connection.write(&Request::get(&target).bytes(self.address, false)).await;
                self.pending = Some(connection);
            }
            let Some(pending) = &mut self.pending else {
                return Event::Ended;
            };
            let answer = pending.try_response().await;
            self.pending = None;
            match answer {
                Some(answer) if answer.status == 200 => self.answered(&answer),
                Some(answer) => return Event::Refused(answer.status),
                None => return Event::Ended,
            }
        }
    }
}
