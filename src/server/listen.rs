//! Accepting connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::front::Front;
use super::io::Stream;
use super::serve::Serving;
use crate::code::Limit;
use crate::gate::TooManyHere;

/// How long to wait when there are no descriptors or no memory left: accepting again at once would
/// spin, since the connection stays where it is.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// How much of an answer the kernel takes beyond what the peer's window allows. Left alone it takes
/// megabytes, which no limit of ours counts: a thousand who do not read would use up its memory.
const UNSENT_IN_KERNEL: u32 = 128 * 1024;

/// How many connections may wait to be accepted, if the system allows as many: a crowd that comes
/// back at once. Who finds no place there tries again after a second, and later and later.
const WAITING: u32 = 4096;

/// Listens on `address`.
///
/// # Errors
/// What the operating system says.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Sets what every connection inherits from the listener: Linux copies these at `accept`.
///
/// A peer that is silently gone is found even where only we speak, and nothing waits for more to
/// say. Best effort: without them the kernel's own patience holds.
pub(super) fn prepare(listener: &TcpListener, heartbeat: Duration) {
    let socket = SockRef::from(listener);
    let _ = socket.set_tcp_user_timeout(Some(heartbeat));
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_notsent_lowat(UNSENT_IN_KERNEL);
}

/// Accepts until it is aborted. Connections end gracefully once `draining` says so, and each holds
/// a receiver as long as it lives.
pub(super) async fn accept(
    front: Arc<Front>,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    draining: watch::Receiver<bool>,
) {
    let mut is_short = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if std::mem::take(&mut is_short) {
                    tracing::info!("connections are accepted again");
                }
                if !serve(&front, (stream, peer), acceptor.as_ref(), &draining) {
                    front.gate.refused(&TooManyHere.into());
                }
            }
            Err(error) if is_over_already(&error) => {
                tracing::debug!(%error, "a connection ended before it was accepted");
            }
            Err(error) => {
                // Told once: what waits for a descriptor may wait for long.
                if !std::mem::replace(&mut is_short, true) {
                    tracing::warn!(%error, "no connection can be accepted");
                }
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

/// Starts to serve a connection; `false` if there is no place for it, not even to be told so.
fn serve(
    front: &Arc<Front>,
    (stream, peer): (TcpStream, SocketAddr),
    acceptor: Option<&TlsAcceptor>,
    draining: &watch::Receiver<bool>,
) -> bool {
    let (front, is_tls) = (Arc::clone(front), acceptor.is_some());
    let Some(serving) = Serving::new(Arc::clone(&front), peer, is_tls, draining.clone()) else {
        return false;
    };
    let begun = begin(front, stream, acceptor.cloned());
    // Boxed: the runtime moves what it is given several times, and this has some kilobytes.
    tokio::spawn(Box::pin(async move {
        if let Some(stream) = begun.await {
            serving.serve(stream).await;
        }
    }));
    true
}

/// Whether an error of accepting speaks of the one connection that it took off the queue with it:
/// the next one may come at once.
fn is_over_already(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}

/// Agrees on TLS where that is wanted. `None` if the peer does not, or not in time.
async fn begin(
    front: Arc<Front>,
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
) -> Option<Stream> {
    let Some(acceptor) = acceptor else { return Some(Stream::Plain(stream)) };
    let time = front.gate.config.limits.header_seconds;
    let Ok(tls) = tokio::time::timeout(time, acceptor.accept(stream)).await else {
        front.gate.tallies.mine().ended_by(Limit::HeaderSeconds);
        return None;
    };
    let tls = tls.ok()?;
    Some(Stream::Tls(Box::new(tls)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepting_pauses_where_the_next_connection_would_fare_no_better() {
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS, libc::EPERM] {
            assert!(!is_over_already(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in [libc::ECONNABORTED, libc::ENETDOWN, libc::EHOSTUNREACH] {
            assert!(is_over_already(&io::Error::from_raw_os_error(code)), "{code}");
        }
    }
}
