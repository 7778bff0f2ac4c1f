//! The byte stream beneath HTTP: TCP or TLS, with a write deadline.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::activity::Activity;
use super::bare;
use super::chatter::Chatter;
use super::goaway::Outgoing;
use crate::code::Limit;
use crate::gate::Tallies;
use crate::metrics::Tally as _;
use crate::worker::Socket;

/// TCP as it is, or TLS over it.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Which HTTP a peer speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// What begins HTTP/2 by prior knowledge, RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How much is read at once before the version is known: a whole head, mostly.
const FIRST_READ: usize = 1024;

impl Stream {
    /// Reads until the version is known: that, and what was read.
    ///
    /// # Errors
    /// What reading says; `UnexpectedEof` if the peer ends before that.
    pub(super) async fn version(&mut self, read: Bytes) -> io::Result<(Version, Bytes)> {
        let mut read = Vec::from(read);
        loop {
            let seen = PREFACE.len().min(read.len());
            if !read.is_empty() && read.get(..seen) != PREFACE.get(..seen) {
                return Ok((Version::Http1, Bytes::from(read)));
            }
            if seen == PREFACE.len() {
                return Ok((Version::Http2, Bytes::from(read)));
            }
            read.reserve(FIRST_READ);
            if self.read_buf(&mut read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
    }

    /// Reads and drops what comes, until the peer ends the stream. Cancel safe.
    pub(super) async fn discard(&mut self) {
        let mut scratch = vec![0; 16 * 1024];
        while matches!(self.read(&mut scratch).await, Ok(1..)) {}
    }

    /// Writes `bytes`, and that nothing follows.
    ///
    /// # Errors
    /// What writing says.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.shutdown().await
    }

    /// Writes without waiting; what does not fit is lost.
    pub(super) fn say_and_forget(&self, bytes: &[u8]) {
        if let Self::Plain(tcp) = self {
            let _ = tcp.try_write(bytes);
        }
    }

    /// Takes the stream apart: nothing of tokio stays with it.
    ///
    /// # Errors
    /// What tokio says when it cannot let the socket go.
    pub(super) fn into_socket(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Plain(tcp) => Socket::Plain(to_mio(tcp)?),
            Self::Tls(tls) => {
                let (tcp, session) = tls.into_inner();
                Socket::tls(to_mio(tcp)?, session)
            }
        })
    }
}

fn to_mio(tcp: TcpStream) -> io::Result<mio::net::TcpStream> {
    // Stays non-blocking: tokio made it so.
    Ok(mio::net::TcpStream::from_std(tcp.into_std()?))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

/// A stream that fails when the peer takes nothing for as long as the write deadline.
///
/// hyper does not ask a body for more while a write waits: so nobody else would notice. The timer
/// exists only while there is something to judge.
pub(super) struct Guarded {
    stream: Stream,
    /// What was read before.
    read: Bytes,
    /// Of HTTP/2. In HTTP/1.1, what is read between two requests begins a head instead.
    frames: Option<Box<(Chatter, Outgoing)>>,
    activity: Arc<Activity>,
    tallies: Tallies,
    deadline: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    /// The deadline was over once.
    is_given_up: bool,
    /// The status that hyper wanted to say of its own: nothing was written of it.
    bare: Option<u16>,
}

impl Guarded {
    pub(super) fn new(
        stream: Stream,
        (version, read): (Version, Bytes),
        (activity, tallies): (Arc<Activity>, Tallies),
        deadline: Duration,
    ) -> Self {
        let is_http2 = version == Version::Http2;
        let frames = is_http2.then(|| Box::new((Chatter::new(Instant::now()), Outgoing::new())));
        Self {
            stream,
            read,
            frames,
            activity,
            tallies,
            deadline,
            waiting: None,
            is_given_up: false,
            bare: None,
        }
    }

    /// The status of an answer that hyper has given of its own, and that was not written: it has no
    /// more to it than that.
    pub(super) const fn bare(&self) -> Option<u16> {
        self.bare
    }

    /// Whether `bytes` are such an answer, which is kept back.
    fn keeps(&mut self, bytes: &[u8]) -> bool {
        if self.frames.is_some() || self.activity.is_answering() {
            return false;
        }
        self.bare = self.bare.or_else(|| bare::status(bytes));
        self.bare.is_some()
    }

    /// Counts what the socket took of `slices`.
    fn on_written(&mut self, slices: &[IoSlice<'_>], written: &Poll<io::Result<usize>>) {
        let Poll::Ready(Ok(count)) = written else { return };
        self.tallies.mine().sent.add(*count);
        let Some((_, outgoing)) = self.frames.as_deref_mut() else { return };
        let mut left = *count;
        for slice in slices {
            let taken = left.min(slice.len());
            outgoing.on_written(slice.get(..taken).unwrap_or_default());
            left -= taken;
        }
    }

    /// What a flood is to get instead of `bytes`.
    fn calming(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (_, outgoing) = self.frames.as_deref().filter(|_| self.activity.is_flooded())?;
        Some(outgoing.calming(bytes))
    }

    /// The stream, and what was read from it and not asked for.
    pub(super) fn into_parts(self) -> (Stream, Bytes) {
        (self.stream, self.read)
    }

    fn on_read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Some((chatter, _)) = self.frames.as_deref_mut() else {
            self.activity.on_read(bytes);
            return;
        };
        if !chatter.allows(bytes, Instant::now()) {
            self.activity.set_flooded();
        }
    }

    /// Judges a write that made progress, or starts or checks the timer of one that did not.
    fn judge<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        self.activity.set_blocked(written.is_pending());
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let deadline = self.deadline;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + deadline)));
        ready!(waiting.as_mut().poll(context));
        if !std::mem::replace(&mut self.is_given_up, true) {
            self.tallies.mine().ended_by(Limit::WriteSeconds);
        }
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
        if self.activity.is_flooded() {
            // The driver ends the connection.
            return Poll::Pending;
        }
        if !self.read.is_empty() {
            let count = self.read.len().min(buffer.remaining());
            let first = self.read.split_to(count);
            buffer.put_slice(&first);
            self.on_read(&first);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let came = buffer.filled().get(before..).unwrap_or_default();
        self.tallies.mine().received.add(came.len());
        self.on_read(came);
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.keeps(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let calming = self.calming(bytes);
        let told = calming.as_deref().unwrap_or(bytes);
        let written = Pin::new(&mut self.stream).poll_write(context, told);
        self.on_written(&[IoSlice::new(bytes)], &written);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first: &[u8] = slices.iter().find(|slice| !slice.is_empty()).map_or(&[], |slice| slice);
        if self.keeps(first) || (self.frames.is_some() && self.activity.is_flooded()) {
            return self.poll_write(context, first);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.on_written(slices, &written);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.bare.is_some() {
            // The answer is still to be written.
            return Poll::Ready(Ok(()));
        }
        let ended = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(ended, context)
    }
}
