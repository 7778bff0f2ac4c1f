//! HTTP/1.1 by hand: requests may be as malformed as a test wants, bodies are read as they come.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::guarded;
use super::node::TestNode;

/// A TCP connection and what was read from it beyond what was asked for.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    ended: bool,
}

impl Connection {
    /// Opens a connection from 127.0.0.1.
    pub async fn open(to: SocketAddr) -> Self {
        Self::open_from(to, None).await
    }

    /// Opens a connection from a given local address (127.0.0.2 is another client's address).
    pub async fn open_from(to: SocketAddr, from: Option<IpAddr>) -> Self {
        Self::try_open(to, from).await.unwrap_or_else(|error| panic!("connecting to {to}: {error}"))
    }

    /// As [`Self::open_from`]; a refused connection is the caller's to judge.
    pub async fn try_open(to: SocketAddr, from: Option<IpAddr>) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        Self::over(socket, to).await
    }

    /// Opens a connection whose receive buffer is small, for readers that mean to stall.
    pub async fn open_narrow(to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket, to).await.unwrap()
    }

    async fn over(socket: TcpSocket, to: SocketAddr) -> std::io::Result<Self> {
        let stream = guarded("connecting", socket.connect(to)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new(), ended: false })
    }

    /// Writes; an end by the other side is told by the reading that follows.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = guarded("writing", self.stream.write_all(bytes)).await;
    }

    /// Reads what there is; `false` at the end of the stream. Cancel safe.
    pub async fn fill(&mut self) -> bool {
        if !self.ended {
            let read = self.stream.read_buf(&mut self.buffer).await;
            self.ended = !matches!(read, Ok(1..));
        }
        !self.ended
    }

    /// Exactly so many bytes, or `None` if the stream ends before. Cancel safe.
    pub async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Whether the other side ended the stream; what it still sends until then is dropped.
    pub async fn ends(&mut self) -> bool {
        guarded("the end of a connection", async { while self.fill().await {} }).await;
        true
    }

    /// The head of an answer. `None` if the connection ends before it is whole. Cancel safe.
    pub async fn head(&mut self) -> Option<Response> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Some(Response::of_head(&head));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// A whole answer. `None` if the connection ends before it is whole. Cancel safe.
    pub async fn try_response(&mut self) -> Option<Response> {
        loop {
            if let Some((response, used)) = Response::parse(&self.buffer, self.ended) {
                self.buffer.drain(..used);
                return Some(response);
            }
            if self.ended {
                return None;
            }
            self.fill().await;
        }
    }

    /// A whole answer, within the guard's time.
    pub async fn response(&mut self) -> Response {
        let Some(response) = guarded("an answer", self.try_response()).await else {
            let got = String::from_utf8_lossy(&self.buffer);
            panic!("the connection ended before an answer was whole; it gave {got:?}");
        };
        response
    }

    /// The socket and what was read ahead of it.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }
}

/// An answer that goes on: its body in the pieces it comes in.
pub struct Incoming {
    connection: Connection,
    chunked: bool,
    done: bool,
}

impl Incoming {
    /// The body that follows `head` on `connection`.
    pub fn new(connection: Connection, head: &Response) -> Self {
        let chunked =
            head.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        Self { connection, chunked, done: false }
    }

    /// Appends what came to `into`; `false` at the end of the body. Cancel safe.
    pub async fn more(&mut self, into: &mut Vec<u8>) -> bool {
        while !self.done {
            if self.chunked {
                match take_chunk(&mut self.connection.buffer) {
                    Some(chunk) if chunk.is_empty() => self.done = true,
                    Some(chunk) => {
                        into.extend_from_slice(&chunk);
                        return true;
                    }
                    None => self.done = !self.connection.fill().await,
                }
            } else if self.connection.buffer.is_empty() {
                self.done = !self.connection.fill().await;
            } else {
                into.append(&mut self.connection.buffer);
                return true;
            }
        }
        false
    }
}

/// One request; `send` opens a connection of its own for it.
#[derive(Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    from: Option<IpAddr>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: None,
            from: None,
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// The request comes from this address of the loopback network.
    pub fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("Content-Type", content_type)
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        self.body("application/x-www-form-urlencoded", pairs.join("&"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn multipart(self, fields: &[(&str, &str)]) -> Self {
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str("--edge\r\nContent-Disposition: form-data; name=\"");
            body.push_str(name);
            body.push_str("\"\r\n\r\n");
            body.push_str(value);
            body.push_str("\r\n");
        }
        body.push_str("--edge--\r\n");
        self.body("multipart/form-data; boundary=edge", body)
    }

    /// The request as bytes.
    pub fn bytes(&self, host: SocketAddr, keep: bool) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.has("host") {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        if !keep && !self.has("connection") {
            head.push_str("Connection: close\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.has("content-length") && (self.body.is_some() || self.method == "POST") {
            let length = self.body.as_ref().map_or(0, Vec::len);
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Sends, and gives the connection to read the answer from.
    pub async fn begin(&self, node: &TestNode) -> Connection {
        let mut connection = Connection::open_from(node.address(), self.from).await;
        connection.write(&self.bytes(node.address(), false)).await;
        connection
    }

    /// As [`Self::send`], to another listener than the node's public one.
    pub async fn send_to(&self, address: SocketAddr) -> Response {
        let mut connection = Connection::open_from(address, self.from).await;
        connection.write(&self.bytes(address, false)).await;
        connection.response().await
    }

    /// Sends, and waits for the whole answer.
    pub async fn send(&self, node: &TestNode) -> Response {
        self.begin(node).await.response().await
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    /// How long the head was.
    pub head_bytes: usize,
    pub body: Vec<u8>,
}

impl Response {
    fn of_head(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let mut status_line = lines.next().unwrap_or_default().splitn(3, ' ');
        let version = status_line.next().unwrap_or_default();
        assert!(version.starts_with("HTTP/1."), "not an answer: {text:?}");
        let status = status_line.next().and_then(|code| code.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self {
            status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
            reason: status_line.next().unwrap_or_default().to_owned(),
            headers,
            head_bytes: head.len(),
            body: Vec::new(),
        }
    }

    /// A whole answer at the start of `bytes`, and how many of them it takes.
    fn parse(bytes: &[u8], ended: bool) -> Option<(Self, usize)> {
        let head_end = find(bytes, b"\r\n\r\n")? + 4;
        let mut response = Self::of_head(&bytes[..head_end]);
        let rest = &bytes[head_end..];
        let used = if response.status < 200 || matches!(response.status, 204 | 304) {
            0
        } else if response.header("transfer-encoding").is_some() {
            let mut left = rest.to_vec();
            loop {
                let chunk = take_chunk(&mut left)?;
                if chunk.is_empty() {
                    break rest.len() - left.len();
                }
                response.body.extend_from_slice(&chunk);
            }
        } else if let Some(length) = response.header("content-length") {
            let length: usize = length.parse().unwrap();
            response.body.extend_from_slice(rest.get(..length)?);
            length
        } else if ended {
            response.body.extend_from_slice(rest);
            rest.len()
        } else {
            return None;
        };
        Some((response, head_end + used))
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The values of all headers of this name, split at commas, in lower case.
    pub fn listed(&self, name: &str) -> Vec<String> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| value.split(','))
            .map(|part| part.trim().to_ascii_lowercase())
            .collect()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{} with no JSON ({error}): {:?}",
                self.status,
                String::from_utf8_lossy(&self.body)
            )
        })
    }

    /// The JSON of an answer that must be 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The problem document of an answer that must be this problem (wire.md §8).
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.any_problem(status);
        assert_eq!(problem["code"], code, "{problem}");
        let kind = problem["type"].as_str().unwrap_or_default();
        assert!(kind.ends_with(&format!("#{code}")), "{problem}");
        problem
    }

    /// The problem document of an answer that must have this status, whatever its code.
    #[track_caller]
    pub fn any_problem(&self, status: u16) -> Value {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{body}");
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "{status} with {kind:?}: {body}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail", "code"] {
            assert!(problem[member].is_string(), "no {member}: {problem}");
        }
        problem
    }

    /// As [`Self::problem`] for `bad-request`, whose text must name the field.
    #[track_caller]
    pub fn names_field(&self, field: &str) {
        let problem = self.problem(400, "bad-request");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(field), "{field:?} is not named: {problem}");
    }
}

/// Percent-encoding of everything but the unreserved characters.
pub fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Where `needle` begins in `hay`.
pub fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// The first chunk of a chunked body, once it is whole; an empty one is the last.
fn take_chunk(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let line_end = find(buffer, b"\r\n")?;
    let line = std::str::from_utf8(&buffer[..line_end]).unwrap();
    let size = line.split(';').next().unwrap_or_default().trim();
    let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("chunk of {size:?}"));
    let end = line_end + 2 + size + 2;
    if buffer.len() < end {
        return None;
    }
    let chunk = buffer[line_end + 2..line_end + 2 + size].to_vec();
    buffer.drain(..end);
    Some(chunk)
}
