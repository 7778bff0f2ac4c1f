//! Accepting connections, and serving HTTP on them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::caught::caught;
use super::io::{Guarded, Stream, take_apart};
use super::{address, cors, limits};
use crate::gate::{Gate, Route, TakeApart};

/// How long to wait when there are no descriptors left: accepting again at once would spin.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);
/// What hyper may buffer of a connection, each way.
const HTTP_BUFFER: usize = 64 * 1024;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Front {
    gate: Arc<Gate>,
    router: Router,
    cors: cors::Cors,
}

impl Front {
    pub(super) fn new(gate: Arc<Gate>, router: Router) -> Self {
        let cors = cors::Cors::new(&gate.config.cors.origins);
        Self { gate, router, cors }
    }

    /// What the connections of the admin listener share: pages of other sites are not let in.
    pub(super) fn admin(gate: Arc<Gate>, router: Router) -> Self {
        Self { gate, router, cors: cors::Cors::new(&[]) }
    }

    /// Answers one request.
    async fn answer(&self, peer: SocketAddr, tls: bool, request: Request<Incoming>) -> Response {
        let (mut parts, body) = request.into_parts();
        let route = Route::of(parts.uri.path());
        let log = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| (parts.method.clone(), parts.uri.path().to_owned()));
        let response = if let Err(failure) = limits::check(&self.gate.config.limits, &parts) {
            let mut response = failure.into_response();
            if parts.version < Version::HTTP_2 {
                // A head that is wrong may hide where the next one begins.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(http::header::CONNECTION, close);
            }
            response
        } else if let Some(response) = self.cors.preflight(&parts) {
            response
        } else {
            let proxies = &self.gate.config.trusted_proxies;
            let remote = address::remote(peer.ip(), &parts.headers, proxies, tls);
            parts.extensions.insert(remote);
            parts.extensions.insert::<TakeApart>(take_apart);
            let origin = parts.headers.get(http::header::ORIGIN).cloned();
            let request = Request::from_parts(parts, Body::new(body));
            let mut router = self.router.clone();
            let mut response = caught(Service::call(&mut router, request), &self.gate).await;
            self.cors.allow(origin.as_ref(), response.headers_mut());
            response
        };
        self.gate.answered(route, &response);
        if let Some((method, path)) = log {
            tracing::debug!(%method, ?path, status = response.status().as_u16());
        }
        response
    }
}

/// Sets what every connection inherits from the listener: Linux copies these at `accept`.
///
/// A peer that is silently gone is found even where only we speak, and nothing waits for more to
/// say. Best effort: without them the kernel's own patience holds.
pub(super) fn prepare(listener: &TcpListener, heartbeat: Duration) {
    let socket = SockRef::from(listener);
    let _ = socket.set_tcp_user_timeout(Some(heartbeat));
    let _ = socket.set_tcp_nodelay(true);
}

/// Accepts until it is aborted.
pub(super) async fn accept(
    front: Arc<Front>,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    graceful: Arc<GracefulShutdown>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let watcher = graceful.watcher();
                let front = Arc::clone(&front);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Some(stream) = begin(&front, stream, acceptor).await {
                        serve(front, stream, peer, watcher).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

/// Agrees on TLS where that is wanted. `None` if the peer does not, or not in time.
async fn begin(front: &Front, stream: TcpStream, acceptor: Option<TlsAcceptor>) -> Option<Stream> {
    let Some(acceptor) = acceptor else { return Some(Stream::Plain(stream)) };
    let time = front.gate.config.limits.header_seconds;
    let tls = tokio::time::timeout(time, acceptor.accept(stream)).await.ok()?.ok()?;
    Some(Stream::Tls(Box::new(tls)))
}

async fn serve(
    front: Arc<Front>,
    stream: Stream,
    peer: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let limits = &front.gate.config.limits;
    let heartbeat = front.gate.config.heartbeat.clone();
    let (headers, write) = (limits.header_seconds, limits.write_seconds);
    let tls = matches!(stream, Stream::Tls(_));
    let io = TokioIo::new(Guarded::new(stream, Arc::clone(&front.gate.tallies), write, headers));
    let service = hyper::service::service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(peer, tls, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(headers).max_buf_size(HTTP_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(heartbeat.interval))
        .keep_alive_timeout(heartbeat.timeout)
        .max_send_buf_size(HTTP_BUFFER);
    let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
    // What a peer can cause is no error of ours.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}
