//! A network in between that breaks once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::common::http::find;

/// A relay of TCP that cuts its first connection once so many bytes came down it.
pub struct Relay {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Relay {
    pub async fn start(to: SocketAddr, cut_after: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, to, cut_after, Arc::clone(&heads)));
        Self { address, heads, task }
    }

    /// The head of each request so far, in lower case; one a connection.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The connections go with the task that owns them.
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    cut_after: u64,
    heads: Arc<Mutex<Vec<String>>>,
) {
    let mut connections = JoinSet::new();
    let mut limit = cut_after;
    loop {
        let (client, _) = listener.accept().await.unwrap();
        connections.spawn(carry(client, to, limit, Arc::clone(&heads)));
        limit = u64::MAX;
    }
}

async fn carry(
    mut client: TcpStream,
    to: SocketAddr,
    limit: u64,
    heads: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while find(&head, b"\r\n\r\n").is_none() {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let mut gateway = TcpStream::connect(to).await?;
    gateway.write_all(&head).await?;
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(text);

    let (mut from_client, mut to_client) = client.split();
    let (from_gateway, mut to_gateway) = gateway.split();
    let mut from_gateway = from_gateway.take(limit);
    tokio::select! {
        _ = tokio::io::copy(&mut from_gateway, &mut to_client) => {}
        _ = tokio::io::copy(&mut from_client, &mut to_gateway) => {}
    }
    Ok(())
}
