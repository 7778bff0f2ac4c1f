//! A network between a node and its database: it takes its time, and can lose a connection in silence.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::common::http::find;

/// How much is underway at once, in reads.
const PIECES: usize = 64;

/// A relay of TCP.
pub(crate) struct Proxy {
    port: u16,
    said: Arc<Said>,
    task: JoinHandle<()>,
}

/// What is done about what clients say.
#[derive(Default)]
struct Said {
    loss: Mutex<Option<Loss>>,
    garbled: Mutex<&'static [&'static str]>,
}

/// When a connection is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    /// Once the client says this.
    pub(crate) word: &'static str,
    /// Whether the server still hears it.
    pub(crate) is_heard: bool,
}

impl Proxy {
    /// Relays to a port of this machine; whatever is said arrives so much later.
    pub(crate) async fn start(to: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::default();
        let task = tokio::spawn(accept(listener, (to, delay), Arc::clone(&said)));
        Self { port, said, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Loses the next connection to which this happens. Neither end hears of it: nothing is carried any
    /// more, not even that one of them closes it. Others are carried as before.
    pub(crate) fn lose(&self, loss: Loss) {
        *self.said.loss.lock().unwrap() = Some(loss);
    }

    /// Whether that has happened.
    pub(crate) fn has_lost(&self) -> bool {
        self.said.loss.lock().unwrap().is_none()
    }

    /// Has the server hear another word in the place of each of these: it knows none of them.
    pub(crate) fn garble(&self, words: &'static [&'static str]) {
        *self.said.garbled.lock().unwrap() = words;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The connections go with the task that owns them.
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, (to, delay): (u16, Duration), said: Arc<Said>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let said = Arc::clone(&said);
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
            carry(client, server, delay, &said).await;
        });
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, delay: Duration, said: &Said) {
    for end in [&client, &server] {
        end.set_nodelay(true).unwrap();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let nothing = Said::default();
    let is_lost = tokio::select! {
        is_lost = pump(from_client, to_server, delay, said) => is_lost,
        is_lost = pump(from_server, to_client, delay, &nothing) => is_lost,
    };
    if is_lost {
        // Both are kept, and nobody reads them.
        pending::<()>().await;
    }
}

/// Carries one way until it ends; whether it was lost.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, delay: Duration, said: &Said) -> bool {
    let (underway, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let read = async move {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut piece).await.unwrap_or(0);
            if length == 0 {
                return false;
            }
            let lost = said.loss_at(&piece[..length]);
            if lost.is_none_or(|loss| loss.is_heard) {
                let heard = said.heard(&piece[..length]);
                drop(underway.send((Instant::now() + delay, heard)).await);
            }
            if lost.is_some() {
                return true;
            }
        }
    };
    let write = async move {
        while let Some((at, piece)) = arriving.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    // What was said before the end arrives.
    let (is_lost, ()) = tokio::join!(read, write);
    is_lost
}

impl Said {
    fn loss_at(&self, said: &[u8]) -> Option<Loss> {
        let mut loss = self.loss.lock().unwrap();
        loss.take_if(|loss| find(said, loss.word.as_bytes()).is_some())
    }

    fn heard(&self, said: &[u8]) -> Vec<u8> {
        let mut heard = said.to_vec();
        for word in *self.garbled.lock().unwrap() {
            while let Some(at) = find(&heard, word.as_bytes()) {
                heard[at] = b'x';
            }
        }
        heard
    }
}
