//! What all connections of a listener share, and the answer to a request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Request, Version};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tower::Service;

use super::arriving::{Arriving, Fate};
use super::head::closing;
use super::trace::cut;
use super::{address, cors, limits};
use crate::gate::{Detachable, Failure, Gate, refuse};

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

    /// `failure`, told to a page of `origin`, or of one that is not known.
    pub(super) fn tell(&self, origin: Option<&HeaderValue>, failure: Failure) -> Response {
        let mut response = failure.into_response();
        self.cors.allow(origin, response.headers_mut());
        response
    }

    /// Answers one request. Of one whose body was cut, the verb has the failure, but not the cause.
    pub(super) async fn answer(
        &self,
        (peer, tls): (SocketAddr, bool),
        detachable: Detachable,
        request: Request<Arriving<Incoming>>,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        let fate = body.fate();
        let log = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| (cut(parts.method.as_str()), cut(parts.uri.path())));
        let proxies = &self.gate.config.trusted_proxies;
        let response = if let Err(failure) = limits::check(&self.gate.config.limits, &parts) {
            let response = self.refuse(&parts.headers, &failure);
            // A head that is wrong may hide where the next one begins.
            if parts.version < Version::HTTP_2 { closing(response) } else { response }
        } else if let Some(response) = self.cors.preflight(&parts) {
            response
        } else {
            match address::remote(peer.ip(), &parts.headers, proxies, tls) {
                Err(disputed) => self.refuse(&parts.headers, &disputed.into()),
                Ok(remote) => {
                    parts.extensions.insert(remote);
                    parts.extensions.insert(detachable);
                    self.routed(Request::from_parts(parts, Body::new(body)), &fate).await
                }
            }
        };
        if let Some((method, path)) = log {
            tracing::debug!(%method, ?path, status = response.status().as_u16());
        }
        response
    }

    /// The answer of a verb.
    async fn routed(&self, request: Request<Body>, fate: &Fate) -> Response {
        let origin = request.headers().get(http::header::ORIGIN).cloned();
        let mut router = self.router.clone();
        let Ok(mut response) = Service::call(&mut router, request).await;
        if fate.is_cut() {
            response = Failure::draining().into_response();
        }
        self.cors.allow(origin.as_ref(), response.headers_mut());
        response
    }
}
