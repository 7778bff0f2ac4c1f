//! The byte stream beneath HTTP: TCP or TLS, with a write deadline.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use crate::gate::Tallies;
use crate::metrics::Tally as _;
use crate::worker::Socket;

/// TCP as it is, or TLS over it.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A stream that fails when the peer takes nothing for as long as the write deadline, or does not
/// say within the deadline of a head which HTTP it speaks.
///
/// hyper does not ask a body for more while a write waits, and has no deadline before it knows the
/// version: so nobody else would notice. The timers exist only while there is something to judge.
pub(super) struct Guarded {
    stream: Stream,
    tallies: Tallies,
    deadline: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    opening: Option<Opening>,
}

/// A connection of which too little is known yet.
struct Opening {
    until: Pin<Box<Sleep>>,
    read: usize,
}

/// How many bytes tell the version: the length of the HTTP/2 preface, RFC 9113 section 3.4.
const PREFACE: usize = 24;

impl Guarded {
    pub(super) fn new(stream: Stream, tallies: Tallies, write: Duration, head: Duration) -> Self {
        let until = Box::pin(tokio::time::sleep_until(Instant::now() + head));
        let opening = Some(Opening { until, read: 0 });
        Self { stream, tallies, deadline: write, waiting: None, opening }
    }

    fn count_sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = written {
            self.tallies.mine().sent.add(*count);
        }
    }

    /// Counts what was read until the version is known; fails if that takes too long.
    fn judge_opening(&mut self, read: usize, context: &mut Context<'_>) -> io::Result<()> {
        let Some(opening) = &mut self.opening else { return Ok(()) };
        opening.read += read;
        if opening.read >= PREFACE {
            self.opening = None;
        } else if opening.until.as_mut().poll(context).is_ready() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        Ok(())
    }

    /// Judges a write that made progress, or starts or checks the timer of one that did not.
    fn judge<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            // Whoever is answered has said enough.
            self.opening = None;
            return written;
        }
        let deadline = self.deadline;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + deadline)));
        ready!(waiting.as_mut().poll(context));
        if let Stream::Plain(tcp) = &self.stream {
            // The kernel must not go on offering the backlog after we are done.
            let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
        Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        };
        let count = buffer.filled().len() - before;
        self.tallies.mine().received.add(count);
        self.judge_opening(count, context)?;
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        };
        self.count_sent(&written);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(context, slices),
        };
        self.count_sent(&written);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(context),
        };
        self.judge(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        };
        self.judge(ended, context)
    }
}

/// Takes an upgraded connection apart: nothing of hyper or tokio stays with it.
pub(super) fn take_apart(upgraded: Upgraded) -> Option<(Socket, Bytes)> {
    let parts = auto::upgrade::downcast::<TokioIo<Guarded>>(upgraded).ok()?;
    let socket = match parts.io.into_inner().stream {
        Stream::Plain(tcp) => Socket::Plain(to_mio(tcp)?),
        Stream::Tls(tls) => {
            let (tcp, session) = tls.into_inner();
            Socket::tls(to_mio(tcp)?, session)
        }
    };
    Some((socket, parts.read_buf))
}

fn to_mio(tcp: TcpStream) -> Option<mio::net::TcpStream> {
    // Stays non-blocking: tokio made it so.
    Some(mio::net::TcpStream::from_std(tcp.into_std().ok()?))
}
