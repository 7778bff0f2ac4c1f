//! A network in between that can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A relay of TCP. Dropping it cuts everything.
pub struct Wire {
    pub address: SocketAddr,
    cuts: watch::Sender<u32>,
    task: JoinHandle<()>,
}

impl Wire {
    pub async fn to(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, gateway, cut.clone()));
            }
        });
        Self { address, cuts, task }
    }

    /// `http://ADDR:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection there is, without a word.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr, mut cut: watch::Receiver<u32>) {
    cut.mark_unchanged();
    let Ok(mut gateway) = TcpStream::connect(to).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut gateway) => {}
        _ = cut.changed() => {}
    }
}
