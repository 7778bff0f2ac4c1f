//! A backend that takes events, or has its ways of not taking them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::common::http::find;
use crate::common::node::Login;
use crate::common::until;

/// How an attempt is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Taken.
    Ok,
    /// With this status, and a body.
    Status(u16),
    /// With this status and a `Location`.
    Redirect(u16, String),
    /// Taken, with a body of so many bytes.
    Long(usize),
    /// Never, until [`Receiver::let_go`] ends the connection.
    Hang,
    /// With 200 and the head alone of an answer that has a body.
    Half,
    /// With the end of the connection, by RST.
    Reset,
    /// Taken, after so long.
    Slow(Duration),
}

/// An attempt to tell us of an event.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether it was answered 2xx.
    pub is_taken: bool,
}

impl Attempt {
    pub fn header(&self, name: &str) -> &str {
        let named = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let mut found = self.headers.iter().filter(named);
        let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}: {self:?}"));
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        value
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// `connected` or `disconnected`, and of whom.
    pub fn event(&self) -> (&str, &str) {
        let (_, edge) = self.path.trim_end_matches('/').rsplit_once('/').unwrap();
        let text = self.text();
        let client = match text.strip_prefix("from=") {
            Some(client) => client,
            None => text.split("\r\n").nth(3).unwrap(),
        };
        (edge, client)
    }
}

#[derive(Debug, Default)]
struct State {
    attempts: Vec<Attempt>,
    /// What the next attempts are answered with; then they are taken.
    script: VecDeque<Answer>,
    /// What every attempt is answered with, whatever the script says.
    always: Option<Answer>,
    /// Answers to attempts about one client, whatever the script says.
    about: Option<(String, Answer)>,
    let_go: Arc<Notify>,
    open: usize,
    most: usize,
}

/// A server of HTTP/1.1 on a free port of loopback.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Receiver {
    pub async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = script.into_iter().collect();
        let state = Arc::new(Mutex::new(State { script, ..State::default() }));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, accepting }
    }

    /// Everything about this client is answered in this way from now on.
    pub fn answer_about(&self, client: &str, answer: Answer) {
        self.locked().about = Some((client.to_owned(), answer));
    }

    /// Everything is answered in this way from now on; `None`: as the script says.
    #[allow(dead_code, reason = "not every test file needs it")]
    pub fn answer_all(&self, answer: Option<Answer>) {
        self.locked().always = answer;
    }

    /// Ends the connections of all attempts that hang.
    pub fn let_go(&self) {
        self.locked().let_go.notify_waiters();
    }

    /// `http://ADDRESS:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every attempt so far.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.locked().attempts.clone()
    }

    /// How many attempts were under way at once, at the most.
    pub fn most_at_once(&self) -> usize {
        self.locked().most
    }

    /// The edges of a client that were taken, in the order in which they came.
    pub fn edges(&self, login: &Login) -> Vec<String> {
        let attempts = self.attempts();
        let taken = attempts.iter().filter(|attempt| attempt.is_taken).map(Attempt::event);
        let of_client = taken.filter(|(_, client)| *client == login.client_id);
        of_client.map(|(edge, _)| edge.to_owned()).collect()
    }

    /// Waits until these edges of a client were taken, in this order and no others.
    pub async fn hears(&self, login: &Login, edges: &[&str]) {
        let ask = || async { self.edges(login) };
        let heard = until("events", ask, |heard: &Vec<String>| heard.len() >= edges.len()).await;
        assert_eq!(heard, edges);
    }

    /// Waits for so many attempts.
    pub async fn is_tried(&self, times: usize) -> Vec<Attempt> {
        let ask = || async { self.attempts() };
        until("attempts", ask, |attempts: &Vec<Attempt>| attempts.len() >= times).await
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    while let Some(attempt) = read(&mut stream, &mut buffer).await {
        let (answer, let_go) = {
            let mut state = state.lock().unwrap();
            let mine = |(client, _): &&(String, Answer)| client == attempt.event().1;
            let about = state.about.as_ref().filter(mine).map(|(_, answer)| answer.clone());
            let about = about.or_else(|| state.always.clone());
            let answer = about.or_else(|| state.script.pop_front()).unwrap_or(Answer::Ok);
            let is_taken = matches!(answer, Answer::Ok | Answer::Long(_) | Answer::Slow(_));
            state.attempts.push(Attempt { is_taken, ..attempt });
            state.open += 1;
            state.most = state.most.max(state.open);
            (answer, Arc::clone(&state.let_go))
        };
        let goes_on = give(&mut stream, answer, &let_go).await;
        state.lock().unwrap().open -= 1;
        if !goes_on {
            return;
        }
    }
}

/// Answers; `false` at the end of the connection.
async fn give(stream: &mut TcpStream, answer: Answer, let_go: &Notify) -> bool {
    let (status, more, body) = match answer {
        Answer::Ok => (204, String::new(), 0),
        Answer::Slow(time) => {
            tokio::time::sleep(time).await;
            (204, String::new(), 0)
        }
        Answer::Status(status) => (status, String::new(), 5),
        Answer::Redirect(status, to) => (status, format!("Location: {to}\r\n"), 0),
        Answer::Long(bytes) => (200, String::new(), bytes),
        Answer::Half => {
            let head = b"HTTP/1.1 200 Told\r\nContent-Length: 5\r\n\r\n";
            return stream.write_all(head).await.is_ok();
        }
        Answer::Reset => {
            stream.set_zero_linger().unwrap();
            return false;
        }
        Answer::Hang => {
            // Or until the other side has enough.
            let mut byte = [0];
            tokio::select! {
                () = let_go.notified() => {}
                _ = stream.read(&mut byte) => {}
            }
            return false;
        }
    };
    let length = if status == 204 { String::new() } else { format!("Content-Length: {body}\r\n") };
    let head = format!("HTTP/1.1 {status} Told\r\n{length}{more}\r\n");
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + body, b'x');
    stream.write_all(&bytes).await.is_ok()
}

/// The next request; `None` at the end of the connection.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Attempt> {
    let head = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break buffer.drain(..end + 4).collect::<Vec<u8>>();
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap().split(' ');
    assert_eq!(request.next(), Some("POST"), "{head}");
    let path = request.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut attempt = Attempt { path, headers, body: Vec::new(), is_taken: false };
    let length: usize = attempt.header("content-length").parse().unwrap();
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    attempt.body = buffer.drain(..length).collect();
    Some(attempt)
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    matches!(stream.read_buf(buffer).await, Ok(1..)).then_some(())
}
