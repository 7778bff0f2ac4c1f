//! A network in between that breaks when it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A relay of TCP.
pub struct Wire {
    pub address: SocketAddr,
    connections: Arc<Mutex<JoinSet<()>>>,
    task: JoinHandle<()>,
}

impl Wire {
    /// A wire that leads there.
    pub async fn to(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let task = tokio::spawn(accept(listener, gateway, Arc::clone(&connections)));
        Self { address, connections, task }
    }

    /// Breaks every connection there is.
    pub fn cut(&self) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, gateway: SocketAddr, connections: Arc<Mutex<JoinSet<()>>>) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let carry = async move {
            if let Ok(mut gateway) = TcpStream::connect(gateway).await {
                let _ = copy_bidirectional(&mut client, &mut gateway).await;
            }
        };
        connections.lock().unwrap_or_else(PoisonError::into_inner).spawn(carry);
    }
}
