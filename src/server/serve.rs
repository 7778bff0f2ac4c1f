//! One connection that speaks HTTP, from its first byte to its end or to its worker.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Request, header};
use http_body::{Frame, SizeHint};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};

use super::activity::{Activity, Underway};
use super::address::is_trusted;
use super::alarm::Alarm;
use super::arriving::Arriving;
use super::bare;
use super::front::Front;
use super::head::{self, closing, whole};
use super::http2;
use super::io::{Guarded, Stream, Version};
use super::panics;
use super::streams::{Pieces, Progress, Unread, Waiting};
use crate::code::{Limit, Problem};
use crate::config::Limits;
use crate::gate::{Detachable, Entered, Failure, Gate, Leaving, Route, TooManyHere};
use crate::metrics::Tally as _;
use crate::worker::{Handed, Keeper, Socket};

/// What hyper may buffer of a connection, each way; more where a head may be longer.
pub(super) const HTTP_BUFFER: usize = 64 * 1024;
/// What a head has beside its target and its fields, and by how much it may exceed their limits so
/// that we are the ones who say so.
const HEAD_MARGIN: usize = 8 * 1024;

/// How long a peer that is refused, or floods us, may go on so that it reads what we told it.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection while it speaks HTTP.
pub(super) struct Serving {
    front: Arc<Front>,
    peer: SocketAddr,
    is_tls: bool,
    draining: watch::Receiver<bool>,
    place: Place,
}

/// The place of a connection among those of its address.
enum Place {
    /// It has one; none is counted behind a trusted proxy.
    Taken(Option<Entered>),
    /// There is none: its first request is told so, by leave of this permit.
    None { _permit: OwnedSemaphorePermit },
}

/// A socket that does not come back: its place goes with it.
struct Leased {
    _entered: Option<Entered>,
}

impl Keeper for Leased {
    fn take_back(self: Box<Self>, _: Socket, _: Bytes) {}
}

impl Keeper for Serving {
    fn take_back(self: Box<Self>, socket: Socket, read: Bytes) {
        let Socket::Plain(tcp) = socket else { return };
        let runtime = self.front.runtime.clone();
        runtime.spawn(async move {
            let tcp = std::net::TcpStream::from(tcp);
            if let Ok(tcp) = tokio::net::TcpStream::from_std(tcp) {
                self.serve_again(Stream::Plain(tcp), read).await;
            }
        });
    }
}

impl Serving {
    /// A connection from `peer`. If its address has as many as it may have, it is only served to be
    /// told so; `None` if too many are being told already.
    pub(super) fn new(
        front: Arc<Front>,
        peer: SocketAddr,
        is_tls: bool,
        draining: watch::Receiver<bool>,
    ) -> Option<Self> {
        let Gate { addresses, config, .. } = &*front.gate;
        let is_proxy = is_trusted(peer.ip().to_canonical(), &config.trusted_proxies);
        let place = if is_proxy {
            Place::Taken(None)
        } else if let Ok(entered) = addresses.enter(peer.ip()) {
            Place::Taken(Some(entered))
        } else {
            Place::None { _permit: Arc::clone(&front.refusals).try_acquire_owned().ok()? }
        };
        Some(Self { front, peer, is_tls, draining, place })
    }

    /// How long a head may take, and the connection be idle.
    fn patience(&self) -> (Duration, Duration) {
        let limits = &self.front.gate.config.limits;
        match self.place {
            Place::Taken(_) => (limits.header_seconds, limits.keep_alive_seconds),
            Place::None { .. } => (limits.header_seconds.min(FAREWELL), FAREWELL),
        }
    }

    /// What is over when its first request has not come in time.
    const fn late(&self) -> Limit {
        match self.place {
            Place::Taken(_) => Limit::HeaderSeconds,
            Place::None { .. } => Limit::ConnectionsPerAddress,
        }
    }

    /// Serves a connection that has just opened.
    pub(super) async fn serve(self, mut stream: Stream) {
        let limits = &self.front.gate.config.limits;
        let (header, keep_alive) = self.patience();
        let activity = Activity::new(header, keep_alive, Instant::now());
        let version = timeout(header, stream.version(Bytes::new())).await;
        let tallies = Arc::clone(&self.front.gate.tallies);
        let (version, read) = match version {
            Ok(Ok(known)) => known,
            Ok(Err(_)) => return,
            Err(_) => return tallies.mine().ended_by(self.late()),
        };
        tallies.mine().received.add(read.len());
        let counted = (Arc::clone(&activity), tallies);
        let io = Guarded::new(stream, (version, read), counted, limits.write_seconds);
        match version {
            Version::Http1 => self.serve_http1(io, activity).await,
            Version::Http2 => self.serve_http2(io, activity).await,
        }
    }

    /// Serves a connection that a worker had for a while.
    async fn serve_again(self, stream: Stream, read: Bytes) {
        let limits = &self.front.gate.config.limits;
        let activity =
            Activity::resumed(limits.header_seconds, limits.keep_alive_seconds, Instant::now());
        let read = (Version::Http1, read);
        let counted = (Arc::clone(&activity), Arc::clone(&self.front.gate.tallies));
        let io = Guarded::new(stream, read, counted, limits.write_seconds);
        self.serve_http1(io, activity).await;
    }

    async fn serve_http1(self, io: Guarded, activity: Arc<Activity>) {
        let caller = Caller::new(&self, &activity);
        let service = hyper::service::service_fn(move |request| caller.clone().call(request));
        let mut builder = http1::Builder::new();
        let limits = &self.front.gate.config.limits;
        builder.max_buf_size(HTTP_BUFFER.max(largest_head(limits))).header_read_timeout(None);
        let mut connection = builder.serve_connection(TokioIo::new(io), service);
        let mut draining = self.draining.clone();
        let mut draining = pin!(draining.wait_for(|draining| *draining));
        let mut is_closing = false;
        let mut alarm = Alarm::default();
        let ended = std::future::poll_fn(|context| {
            if !is_closing && draining.as_mut().poll(context).is_ready() {
                is_closing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(Ended::Closed(result));
            }
            if let Some((head, leaving)) = activity.take_leaving() {
                return Poll::Ready(Ended::Leaves(head, leaving));
            }
            alarm.poll(activity.due(), context).map(|()| Ended::TooLate)
        });
        match ended.await {
            Ended::Closed(Ok(())) if activity.lingers() => {
                // Unread bytes would have the kernel reset the stream, and the answer be lost.
                let (mut stream, _) = connection.into_parts().io.into_inner().into_parts();
                let _ = timeout(FAREWELL, stream.discard()).await;
            }
            Ended::Closed(Err(error)) => {
                tracing::debug!(%error, "a connection ended");
                let io = connection.into_parts().io.into_inner();
                if let Some(failure) = io.bare().map(|status| bare::failure(limits, status)) {
                    let (mut stream, _) = io.into_parts();
                    let _ = timeout(FAREWELL, stream.say(&self.last_words(&failure))).await;
                    let _ = timeout(FAREWELL, stream.discard()).await;
                }
            }
            Ended::TooLate if activity.is_in_head() => {
                let (stream, _) = connection.into_parts().io.into_inner().into_parts();
                stream.say_and_forget(&self.last_words(&too_late()));
            }
            Ended::Closed(Ok(())) | Ended::TooLate => {}
            Ended::Leaves(head, leaving) => {
                let parts = connection.into_parts();
                let (stream, unread) = parts.io.into_inner().into_parts();
                // A copy: an empty rest of hyper's buffer would keep the whole of it.
                let read = Bytes::from([&*parts.read_buf, &*unread].concat());
                if let Err(error) = self.hand_over((stream, read), &head, &leaving) {
                    tracing::debug!(%error, "a connection could not be handed over");
                }
            }
        }
    }

    /// The answer to a head that is not there, so that nobody knows which page has sent it.
    fn last_words(&self, failure: &Failure) -> Bytes {
        self.front.gate.refused(failure);
        whole(failure, self.front.tell(None, failure.clone()))
    }

    /// Gives the connection to the worker that awaits it.
    fn hand_over(
        self,
        (stream, read): (Stream, Bytes),
        head: &Response,
        leaving: &Leaving,
    ) -> io::Result<()> {
        let socket = stream.into_socket()?;
        let head = head::render(head, leaving.is_poll(), leaving.opening());
        let keeper: Box<dyn Keeper> = if leaving.is_poll() {
            Box::new(self)
        } else {
            let Place::Taken(entered) = self.place else { return Ok(()) };
            Box::new(Leased { _entered: entered })
        };
        leaving.hand_over(Handed { socket, read, head, keeper });
        Ok(())
    }

    async fn serve_http2(self, io: Guarded, activity: Arc<Activity>) {
        let (header, _) = self.patience();
        let caller = Caller::new(&self, &activity);
        let service = hyper::service::service_fn(move |request| caller.clone().call(request));
        let builder = http2::builder(&self.front.gate);
        let mut connection = builder.serve_connection(TokioIo::new(io), service);
        let mut draining = self.draining.clone();
        let mut draining = pin!(draining.wait_for(|draining| *draining));
        let mut is_closing = false;
        let mut alarm = Alarm::default();
        let mut last_call = None;
        let ended = std::future::poll_fn(|context| {
            if !is_closing && draining.as_mut().poll(context).is_ready() {
                is_closing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(result);
            }
            let is_flooded = activity.is_flooded();
            let due = match last_call {
                Some(_) if is_flooded => last_call,
                _ => activity.due().map(|due| last_call.unwrap_or(due)),
            };
            let has_to_begin = is_flooded && last_call.is_none();
            if !has_to_begin && alarm.poll(due, context).is_pending() {
                return Poll::Pending;
            }
            if last_call.is_some() {
                return Poll::Ready(Ok(()));
            }
            // Idle for too long, or not to be borne: GOAWAY, and some time to hear of it. A request
            // may have been on its way from whoever had one answered before, and from no one else.
            let time = if is_flooded {
                FAREWELL
            } else if activity.is_in_head() {
                self.front.gate.tallies.mine().ended_by(self.late());
                header.min(FAREWELL)
            } else {
                header
            };
            last_call = Some(Instant::now() + time);
            Pin::new(&mut connection).graceful_shutdown();
            context.waker().wake_by_ref();
            Poll::Pending
        });
        let ended = ended.await;
        let is_flood = activity.is_flooded() || ended.as_ref().is_err_and(http2::is_flood);
        self.front.gate.tallies.mine().floods.add(usize::from(is_flood));
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}

/// The largest head that is read: of one that is larger nobody is told from whom it was.
pub(super) const fn largest_head(limits: &Limits) -> usize {
    limits.target_bytes + limits.header_bytes + HEAD_MARGIN
}

/// How HTTP/1.1 on a connection came to its end.
enum Ended {
    /// By the peer, or as HTTP ends a connection.
    Closed(hyper::Result<()>),
    /// To a worker, behind the head of this answer.
    Leaves(Response, Leaving),
    /// Idle, or sending a head, for too long.
    TooLate,
}

/// Why a head that did not come in time is not waited for.
fn too_late() -> Failure {
    let detail = "limits.header_seconds are over, and the head of the request is not whole";
    Failure::of_limit(Limit::HeaderSeconds, detail)
}

/// Calls the gateway for each request of a connection.
#[derive(Clone)]
struct Caller {
    front: Arc<Front>,
    activity: Arc<Activity>,
    /// What waits on the streams of HTTP/2.
    unread: Arc<Unread>,
    peer: SocketAddr,
    is_tls: bool,
    has_place: bool,
    draining: watch::Receiver<bool>,
}

impl Caller {
    fn new(serving: &Serving, activity: &Arc<Activity>) -> Self {
        Self {
            front: Arc::clone(&serving.front),
            activity: Arc::clone(activity),
            unread: Arc::default(),
            peer: serving.peer,
            is_tls: serving.is_tls,
            has_place: matches!(serving.place, Place::Taken(_)),
            draining: serving.draining.clone(),
        }
    }

    /// The answer that `request` gets without being looked into, if it is to get one.
    fn refusal(&self, request: &Request<Incoming>) -> Option<Response> {
        if !self.has_place {
            return Some(self.front.refuse(request.headers(), &TooManyHere.into()));
        }
        self.activity.take_says_length_twice().then(|| {
            let failure = Failure::field("Content-Length", "says again how long the body is");
            self.front.refuse(request.headers(), &failure)
        })
    }

    /// What a worker may take of this request: HTTP/1.1 without a body; a poll only where the
    /// connection can go on behind it. rustls gives its connection away, but takes none back.
    fn detachable(&self, request: &Request<Incoming>) -> Detachable {
        let streams = request.version() == http::Version::HTTP_11 && request.body().is_end_stream();
        let connection = request.headers().get_all(header::CONNECTION).iter();
        let mut options =
            connection.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        let goes_on = !options.any(|option| option.trim().eq_ignore_ascii_case("close"));
        Detachable { streams, polls: streams && goes_on && !self.is_tls }
    }

    async fn call(self, request: Request<Incoming>) -> Result<Response<Tracked>, Infallible> {
        let underway = self.activity.begin();
        let route = Route::of(request.uri().path());
        let has_body = !request.body().is_end_stream();
        if let Some(response) = self.refusal(&request) {
            let is_http1 = request.version() < http::Version::HTTP_2;
            let response = if is_http1 { closing(response) } else { response };
            self.activity.set_lingers(has_body);
            self.front.gate.answered(route, &response);
            return Ok(response.map(|body| Tracked {
                body,
                pieces: None,
                _waiting: None,
                _underway: underway,
            }));
        }
        let pieces = Progress::of_this_stream().map(Pieces::new);
        if pieces.is_some() {
            // What a history answers with is shared with the history until it leaves.
            self.unread.below(self.front.gate.config.limits.outbox_bytes).await;
        }
        let detachable = self.detachable(&request);
        let request = request.map(|body| Arriving::new(body, self.draining.clone()));
        let origin = request.headers().get(header::ORIGIN).cloned();
        // Pinned here: whoever took it by value would have it, with all that it holds, once more.
        let answer = pin!(self.front.answer((self.peer, self.is_tls), detachable, request));
        let answer = answered(answer, || self.front.gate.tallies.mine().panics.add(1)).await;
        let mut response = answer.unwrap_or_else(|bug| self.front.tell(origin.as_ref(), bug));
        self.front.gate.answered(route, &response);
        self.activity.set_lingers(has_body && response.status().as_u16() >= 400);
        if let Some(leaving) = response.extensions_mut().remove::<Leaving>() {
            self.activity.leave(response, leaving);
            // The driver sees it, and takes the connection apart.
            return std::future::pending().await;
        }
        Ok(response.map(|body| {
            let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
            let waiting = pieces.is_some().then(|| self.unread.add(length.unwrap_or(0)));
            Tracked { body, pieces, _waiting: waiting, _underway: underway }
        }))
    }
}

/// A bug in an answer ends this request, no other.
async fn answered(
    answer: impl Future<Output = Response>,
    count: impl FnOnce(),
) -> Result<Response, Failure> {
    panics::caught(answer).await.map_err(|_| {
        tracing::error!("a request panicked; it is answered 500");
        count();
        let detail = "this request met a bug; it is logged, and nothing else was touched";
        Failure::new(Problem::Internal, detail)
    })
}

/// The body of an answer; its request is under way until it is dropped.
struct Tracked {
    body: Body,
    /// Over HTTP/2 alone, as what waits of it.
    pieces: Option<Pieces>,
    _waiting: Option<Waiting>,
    _underway: Underway,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, pieces, .. } = &mut *self;
        let Some(pieces) = pieces else { return Pin::new(body).poll_frame(context) };
        if let Some(piece) = pieces.next() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let frame = Pin::new(body).poll_frame(context);
        frame.map_ok(|frame| frame.map_data(|bytes| pieces.first(bytes)))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.as_ref().is_none_or(Pieces::is_empty) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Asked before the first piece leaves: hyper announces it as the length.
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bug_in_an_answer_is_500_for_that_request() {
        let bug = async {
            tokio::task::yield_now().await;
            let answer: Option<Response> = std::hint::black_box(None);
            answer.expect("a bug in a handler")
        };
        let well = async { Response::new(Body::empty()) };
        let bugs = std::cell::Cell::new(0);
        let count = || bugs.set(bugs.get() + 1);
        let (bug, well) = tokio::join!(answered(bug, count), answered(well, count));
        assert_eq!(bugs.get(), 1);
        assert_eq!(bug.unwrap_err().problem, Problem::Internal);
        assert_eq!(well.unwrap().status().as_u16(), 200);
    }
}
