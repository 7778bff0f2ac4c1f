//! Accepting connections, and answering their requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Request, Version};
use hyper::body::Incoming;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::io::Stream;
use super::serve::{Serving, closing};
use super::trace::cut;
use super::{address, cors, limits};
use crate::gate::{Detachable, Failure, Gate, TooManyHere, refuse};

/// How long to wait when there are no descriptors or no memory left: accepting again at once would
/// spin, since the connection stays where it is.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// How much of an answer the kernel takes beyond what the peer's window allows. Left alone it takes
/// megabytes, which no limit of ours counts: a thousand who do not read would use up its memory.
const UNSENT_IN_KERNEL: u32 = 128 * 1024;

/// How many connections that their address has no place for are told so at once; more are closed
/// without a word.
const REFUSALS: usize = 256;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) gate: Arc<Gate>,
    /// Where connections are served that workers give back.
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) refusals: Arc<Semaphore>,
    router: Router,
    cors: cors::Cors,
}

impl Front {
    /// # Panics
    /// Outside a runtime of tokio.
    pub(super) fn new(gate: Arc<Gate>, router: Router) -> Self {
        let cors = cors::Cors::new(&gate.config.cors.origins);
        let refusals = Arc::new(Semaphore::new(REFUSALS));
        Self { gate, runtime: tokio::runtime::Handle::current(), refusals, router, cors }
    }

    /// What the connections of the admin listener share: pages of other sites are not let in.
    pub(super) fn admin(gate: Arc<Gate>, router: Router) -> Self {
        Self { cors: cors::Cors::new(&[]), ..Self::new(gate, router) }
    }

    /// The answer to a request that is not looked into.
    pub(super) fn refuse(&self, headers: &HeaderMap, failure: &Failure) -> Response {
        let mut response = refuse(headers, failure);
        self.cors.allow(headers.get(http::header::ORIGIN), response.headers_mut());
        response
    }

    /// Answers one request.
    pub(super) async fn answer(
        &self,
        (peer, tls): (SocketAddr, bool),
        detachable: Detachable,
        request: Request<Incoming>,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        let log = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| (cut(parts.method.as_str()), cut(parts.uri.path())));
        let response = if let Err(failure) = limits::check(&self.gate.config.limits, &parts) {
            let response = failure.into_response();
            // A head that is wrong may hide where the next one begins.
            if parts.version < Version::HTTP_2 { closing(response) } else { response }
        } else if let Some(response) = self.cors.preflight(&parts) {
            response
        } else {
            let proxies = &self.gate.config.trusted_proxies;
            let remote = address::remote(peer.ip(), &parts.headers, proxies, tls);
            parts.extensions.insert(remote);
            parts.extensions.insert(detachable);
            let origin = parts.headers.get(http::header::ORIGIN).cloned();
            let request = Request::from_parts(parts, Body::new(body));
            let mut router = self.router.clone();
            let Ok(mut response) = Service::call(&mut router, request).await;
            self.cors.allow(origin.as_ref(), response.headers_mut());
            response
        };
        if let Some((method, path)) = log {
            tracing::debug!(%method, ?path, status = response.status().as_u16());
        }
        response
    }
}

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
    tokio::spawn(async move {
        if let Some(stream) = begun.await {
            serving.serve(stream).await;
        }
    });
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
    let tls = tokio::time::timeout(time, acceptor.accept(stream)).await.ok()?.ok()?;
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
