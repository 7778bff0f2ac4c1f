//! WebSocket: a message a text frame.
//!
//! The socket is read blocking, on the thread that every transport has, a quarter of a second at a
//! time: that is how soon a wish to stop is seen. tungstenite keeps its state across such reads.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{
    Bytes, Error, HandshakeError, Message, WebSocket, client_tls_with_config, protocol::CloseFrame,
};

use super::connection::{Event, Plan, Port};
use super::ending::{Ending, Read};
use super::lines::unopened;
use crate::command::gateway::{CONNECT, Timing, told};

/// How soon a wish to stop is seen.
const TICK: Duration = Duration::from_millis(250);
/// A gateway pings every 25 seconds unless it is told otherwise; after this long we ping it.
pub(crate) const SILENCE: Duration = Duration::from_secs(45);
/// How long the answer to our ping may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(15);
/// The largest message, and the largest frame.
pub(crate) const LARGEST: usize = 64 * 1024 * 1024;

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

/// Reads until the connection ends.
pub(crate) fn read(plan: &Plan, port: &Port) -> Read {
    let mut socket = connect(plan)?;
    port.tell(Event::Open)?;
    let ending = match receive(&mut socket, port) {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    if matches!(ending, Ending::Stopped) {
        say_goodbye(&mut socket);
    }
    Err(ending)
}

fn receive(socket: &mut Socket, port: &Port) -> Read {
    let mut heard = Instant::now();
    let mut pinged = false;
    loop {
        port.pause(Duration::ZERO)?;
        match socket.read() {
            Ok(message) => {
                (heard, pinged) = (Instant::now(), false);
                take(socket, message, port)?;
            }
            Err(Error::Io(error)) if is_pause(&error) => {
                let silence = heard.elapsed();
                if silence > SILENCE + ANSWER {
                    return Err(Ending::Lost("the gateway fell silent".to_owned()));
                }
                if silence > SILENCE && !pinged {
                    pinged = true;
                    socket.send(Message::Ping(Bytes::new())).map_err(|error| lost(&error))?;
                }
            }
            Err(error) => return Err(lost(&error)),
        }
    }
}

fn take(socket: &mut Socket, message: Message, port: &Port) -> Result<(), Ending> {
    match message {
        Message::Text(text) => port.text(text.as_str().to_owned()),
        Message::Binary(bytes) => port.text(String::from_utf8_lossy(&bytes).into_owned()),
        Message::Close(frame) => {
            let _ = socket.flush();
            Err(Ending::Closed(frame.map_or(1005, |frame| frame.code.into())))
        }
        // The pong is queued already and goes out now rather than with the next read.
        Message::Ping(_) => socket.flush().map_err(|error| lost(&error)),
        Message::Pong(_) | Message::Frame(_) => Ok(()),
    }
}

/// Closes with 1000, which ends our presence at once, and waits a moment for the answer.
fn say_goodbye(socket: &mut Socket) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let begun = Instant::now();
    let mut closing = socket.close(Some(frame));
    while closing.is_ok() && begun.elapsed() < TICK * 3 {
        closing = match socket.read() {
            Err(Error::Io(error)) if is_pause(&error) => Ok(()),
            read => read.map(|_| ()),
        };
    }
}

fn connect(plan: &Plan) -> Result<Socket, Ending> {
    let failed = |error| Ending::Failed(plan.gateway.unreachable(ureq::Error::Io(error)));
    let request = request(plan).map_err(|error| failed(io::Error::other(error)))?;
    let stream = dial(plan.gateway.address().peer()).map_err(failed)?;
    let clock = stream.try_clone().map_err(failed)?;
    let config =
        WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    match client_tls_with_config(request, stream, Some(config), None) {
        Ok((socket, _)) => {
            clock.set_read_timeout(Some(TICK)).map_err(failed)?;
            Ok(socket)
        }
        Err(HandshakeError::Interrupted(_)) => Err(failed(ErrorKind::TimedOut.into())),
        Err(HandshakeError::Failure(error)) => Err(not_upgraded(plan, error)),
    }
}

/// What `error` in place of a WebSocket means. Waits: maybe for an answer of the gateway.
pub(crate) fn not_upgraded(plan: &Plan, error: Error) -> Ending {
    let unreachable = |error| plan.gateway.unreachable(ureq::Error::Io(error));
    if let Error::Http(response) = error {
        refused(plan, &response)
    } else if let Error::Io(error) = error {
        Ending::Failed(unreachable(error))
    } else {
        // Something answered that does not speak WebSocket.
        Ending::Blocked(unreachable(io::Error::other(error)))
    }
}

/// The handshake; the token goes into a header here too.
pub(crate) fn request(plan: &Plan) -> Result<Request, Error> {
    let url = plan.url("ws", &[]).replacen("http", "ws", 1);
    let mut request = url.into_client_request()?;
    if let Some(secret) = &plan.bearer {
        let mut value = HeaderValue::try_from(secret.bearer())?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

fn dial(peer: (&str, u16)) -> io::Result<TcpStream> {
    let mut error = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in peer.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(CONNECT))?;
                stream.set_write_timeout(Some(CONNECT))?;
                return Ok(stream);
            }
            Err(failure) => error = failure,
        }
    }
    Err(error)
}

/// What an HTTP answer in place of the upgrade means.
///
/// tungstenite keeps as much of its body as came along with the head. Where that is not the whole
/// of a problem document, a poll that does not wait gets the same refusal, told in full.
fn refused(plan: &Plan, response: &Response) -> Ending {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let body = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default());
    let error = told(response.status().as_u16(), &body, text(header::RETRY_AFTER), None);
    let is_problem = text(header::CONTENT_TYPE).is_some_and(|kind| kind.contains("problem+json"));
    if is_problem && error.problem().is_none() {
        let url = plan.url("poll", &[("wait", "0")]);
        let answer = plan.gateway.open(&url, plan.bearer.as_ref(), Timing::ordinary());
        if let Err(error) = plan.gateway.text(answer) {
            return unopened(error);
        }
    }
    unopened(error)
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// The end of a connection that stood.
pub(crate) fn lost(error: &Error) -> Ending {
    Ending::Lost(error.to_string())
}
