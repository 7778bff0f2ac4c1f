//! A gateway that does as it is told: what a real one does only once in two hours, or in bad times.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::accept_async;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

/// What happens to one WebSocket.
#[derive(Clone, Copy, Debug)]
pub enum Scene {
    /// It is closed with this code after its first position has come back.
    Closes(u16),
    /// It breaks after its first position has come back.
    Breaks,
    /// It is 503 and asks to wait for so many seconds.
    Refuses(u64),
}

/// Listens until it is dropped.
pub struct Stage {
    address: SocketAddr,
    play: Arc<Mutex<Play>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Play {
    scenes: VecDeque<Scene>,
    logins: u32,
    tokens: Vec<String>,
    times: Vec<Instant>,
}

impl Stage {
    /// A gateway that plays these scenes, a connection each.
    pub async fn open(scenes: Vec<Scene>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let play = Arc::new(Mutex::new(Play { scenes: scenes.into(), ..Play::default() }));
        let shared = Arc::clone(&play);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, play, task }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token of each WebSocket, in their order.
    pub fn tokens(&self) -> Vec<String> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner).tokens.clone()
    }

    /// The time from the first WebSocket to the second.
    pub fn pause(&self) -> Duration {
        let play = self.play.lock().unwrap_or_else(PoisonError::into_inner);
        play.times[1] - play.times[0]
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection: a login, a logout, or a WebSocket and its scene.
async fn serve(mut stream: TcpStream, play: Arc<Mutex<Play>>) {
    let head = peeked(&stream).await;
    if !head.starts_with("GET /ws/camera?") {
        let number = {
            let mut play = play.lock().unwrap_or_else(PoisonError::into_inner);
            play.logins += u32::from(head.starts_with("POST /login"));
            play.logins
        };
        let body = format!(r#"{{"client_id":"c","token":"token-{number}","expires_in":7200}}"#);
        answer(&mut stream, "200 OK", "", &body).await;
        return;
    }
    let token = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
    let scene = {
        let mut play = play.lock().unwrap_or_else(PoisonError::into_inner);
        play.tokens.push(token.unwrap_or_default().to_owned());
        play.times.push(Instant::now());
        play.scenes.pop_front()
    };
    let Some(scene) = scene else { return };
    if let Scene::Refuses(seconds) = scene {
        let body = r#"{"code":"over-capacity","title":"Over capacity","detail":"later"}"#;
        let headers =
            format!("Retry-After: {seconds}\r\nContent-Type: application/problem+json\r\n");
        answer(&mut stream, "503 Service Unavailable", &headers, body).await;
        return;
    }
    let mut socket = accept_async(stream).await.unwrap();
    let Some(Ok(Message::Text(place))) = socket.next().await else {
        return;
    };
    assert!(place.starts_with(r#"{"x":"#), "{place}");
    let _ = socket.send(Message::Text(place)).await;
    if let Scene::Closes(code) = scene {
        let _ = socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await;
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// The head of a request, left where it is.
async fn peeked(stream: &TcpStream) -> String {
    let mut bytes = [0; 4096];
    loop {
        let read = stream.peek(&mut bytes).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
        if read == 0 || text.contains("\r\n\r\n") {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    // Whatever was not read would have the kernel reset the connection before its answer is seen.
    let mut rest = [0; 4096];
    while let Ok(1..) = stream.read(&mut rest).await {}
}
