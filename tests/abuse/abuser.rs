//! One abuser, from its connection to its end.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use crate::kind::{Manner, Opening};

/// How many connect at a time.
const OPENING: usize = 100;
/// Between two bytes of one that drips.
const DRIP: Duration = Duration::from_secs(1);

/// Those who wait to begin, and a count of those who have.
#[derive(Debug)]
pub(crate) struct Gate {
    opening: Semaphore,
    pub(crate) begun: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { opening: Semaphore::new(OPENING), begun: Semaphore::new(0) })
    }
}

/// Abuses until the gateway ends it. One that does not look stays until it is dropped.
///
/// # Errors
/// What connecting says: then there was no abuse.
pub(crate) async fn abuse(
    address: SocketAddr,
    (manner, token): (Manner, String),
    gate: Rc<Gate>,
) -> io::Result<()> {
    let permit = gate.opening.acquire().await.map_err(io::Error::other)?;
    match manner {
        Manner::Deaf(opening) => {
            let _socket = begin(address, opening, &token, true).await?;
            gate.begun.add_permits(1);
            drop(permit);
            std::future::pending().await
        }
        Manner::Mute(opening) | Manner::Drips(opening) => {
            let mut socket = begin(address, opening, &token, false).await?;
            gate.begun.add_permits(1);
            drop(permit);
            let drips = matches!(manner, Manner::Drips(_));
            let mut scratch = [0; 4096];
            let mut clock = tokio::time::interval(DRIP);
            loop {
                tokio::select! {
                    read = socket.read(&mut scratch) => {
                        // It has been told its end: another byte would be an answer to that.
                        if !matches!(read, Ok(1..)) {
                            return Ok(());
                        }
                    }
                    _ = clock.tick(), if drips => {
                        if socket.write_all(b"a").await.is_err() {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Manner::Shut(target, streams) => {
            let socket = connect(address, false).await?;
            shut(socket, (target, &token), streams, || {
                gate.begun.add_permits(1);
                drop(permit);
            })
            .await
            .map_err(io::Error::other)
        }
    }
}

async fn connect(address: SocketAddr, is_narrow: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if is_narrow {
        // What the kernel takes for a reader that stalls is not what is measured.
        socket.set_recv_buffer_size(4096)?;
    }
    socket.connect(address).await
}

async fn begin(
    address: SocketAddr,
    opening: Opening,
    token: &str,
    is_narrow: bool,
) -> io::Result<TcpStream> {
    let mut socket = connect(address, is_narrow).await?;
    socket.write_all(&opening.bytes(token)).await?;
    Ok(socket)
}

/// Asks for streams without a window until all of them are ended.
async fn shut(
    socket: TcpStream,
    (target, token): (&str, &str),
    streams: usize,
    begun: impl FnOnce(),
) -> Result<(), h2::Error> {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (mut sender, connection) = builder.handshake::<_, bytes::Bytes>(socket).await?;
    let asks = async {
        let mut answers = Vec::new();
        for _ in 0..streams {
            sender = sender.ready().await?;
            let request = http_request(target, token);
            answers.push(sender.send_request(request, true)?.0);
        }
        begun();
        for answer in answers {
            if let Ok(answer) = answer.await {
                let mut body = answer.into_body();
                while let Some(Ok(_)) = body.data().await {}
            }
        }
        Ok(())
    };
    // It goes on answering pings and settings until its streams are over, or it is ended itself.
    tokio::select! {
        _ = connection => Ok(()),
        done = asks => done,
    }
}

fn http_request(target: &str, token: &str) -> http::Request<()> {
    let mut request = http::Request::new(());
    *request.uri_mut() = http::Uri::builder()
        .scheme("http")
        .authority("localhost")
        .path_and_query(target)
        .build()
        .unwrap_or_default();
    if let Ok(value) = format!("Bearer {token}").parse() {
        request.headers_mut().insert("authorization", value);
    }
    request
}
