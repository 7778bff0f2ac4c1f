//! The connection of a camera: a WebSocket that speaks and listens.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::command::follow::ws::{ANSWER, LARGEST, SILENCE, lost, not_upgraded, request};
use crate::command::follow::{Ending, Plan};
use crate::command::gateway::CONNECT;

/// How long the gateway may leave a position in our hands before the connection counts as lost.
const WRITE: Duration = Duration::from_secs(10);
/// How long the answer to our close frame may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// What is read at once: positions are short, and a thousand cameras have a buffer each.
const READ_BUFFER: usize = 8 * 1024;

/// A connection that stands. Dropping it breaks it; [`Self::close`] ends it in good order.
pub(crate) struct Link {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: Instant,
    pinged: bool,
}

impl Link {
    /// Connects as `plan` says. Waits: at most 10 seconds for each of dialling and handshake, and
    /// for a refusal to be told.
    pub(crate) async fn open(plan: Plan) -> Result<Self, Ending> {
        let failed = |error| Ending::Failed(plan.gateway.unreachable(ureq::Error::Io(error)));
        let request = request(&plan).map_err(|error| failed(io::Error::other(error)))?;
        let stream = in_time(CONNECT, dial(plan.gateway.address().peer())).await.map_err(failed)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let handshake = client_async_tls_with_config(request, stream, Some(config), None);
        match timeout(CONNECT, handshake).await {
            Ok(Ok((socket, _))) => Ok(Self { socket, heard: Instant::now(), pinged: false }),
            Ok(Err(error)) => Err(told(plan, error).await),
            Err(_) => Err(failed(ErrorKind::TimedOut.into())),
        }
    }

    /// The next message. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Utf8Bytes, Ending> {
        loop {
            let Some(message) = self.socket.next().await else {
                return Err(Ending::Lost("the connection ended".to_owned()));
            };
            let message = message.map_err(|error| lost(&error))?;
            (self.heard, self.pinged) = (Instant::now(), false);
            match message {
                Message::Text(text) => return Ok(text),
                Message::Close(frame) => {
                    let _ = timeout(FAREWELL, self.socket.flush()).await;
                    return Err(Ending::Closed(frame.map_or(1005, |frame| frame.code.into())));
                }
                // The pong goes out with the next read.
                Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Sends `text`, and sees to it that somebody is still there.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), Ending> {
        let silence = self.heard.elapsed();
        if silence > SILENCE + ANSWER {
            return Err(Ending::Lost("the gateway fell silent".to_owned()));
        }
        if silence > SILENCE && !self.pinged {
            self.pinged = true;
            self.write(Message::Ping(Bytes::new())).await?;
        }
        self.write(Message::text(text)).await
    }

    /// Closes with 1000, which ends the presence at once, and waits a moment for the answer.
    pub(crate) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let farewell = async {
            if self.socket.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    async fn write(&mut self, message: Message) -> Result<(), Ending> {
        match timeout(WRITE, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| lost(&error)),
            Err(_) => Err(Ending::Lost("the gateway takes nothing".to_owned())),
        }
    }
}

async fn dial(peer: (&str, u16)) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(peer).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn in_time<T>(
    limit: Duration,
    attempt: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(limit, attempt).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// What `error` means; that may take a request, which blocks.
async fn told(plan: Plan, error: Error) -> Ending {
    let ending = tokio::task::spawn_blocking(move || not_upgraded(&plan, error)).await;
    ending.unwrap_or_else(|error| Ending::Lost(error.to_string()))
}
