//! The byte stream of an upgraded connection: plain TCP, or TLS driven by the worker.

use std::io::{self, IoSlice, Read, Write};

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ServerConnection;

/// A non-blocking stream that one worker owns.
#[derive(Debug)]
pub enum Socket {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS over TCP; rustls holds at most its own bounded buffers.
    Tls(Box<TlsSocket>),
}

/// A TCP stream and the TLS connection that was agreed on over it.
#[derive(Debug)]
pub struct TlsSocket {
    tcp: TcpStream,
    tls: ServerConnection,
}

/// What rustls may hold back of our bytes: one record and a little.
const TLS_BUFFER: usize = 32 * 1024;

impl Socket {
    /// A TLS stream taken apart by whoever made it.
    pub fn tls(tcp: TcpStream, mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(TLS_BUFFER));
        Self::Tls(Box::new(TlsSocket { tcp, tls }))
    }

    /// The TCP stream beneath.
    pub(super) const fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(socket) => &socket.tcp,
        }
    }

    const fn tcp_mut(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(socket) => &mut socket.tcp,
        }
    }

    /// Asks to be told, once each time, when the stream can be read or takes more.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.tcp_mut().register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Takes the stream out of the poll, so that another may have it.
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.tcp_mut().deregister(registry)
    }

    /// Reads what is there; 0 is the end of the stream.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(socket) => socket.read(buffer),
        }
    }

    /// Writes what the stream takes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(socket) => socket.write(bytes),
        }
    }

    /// Writes what the stream takes of several buffers.
    pub(super) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write_vectored(slices),
            Self::Tls(socket) => match slices.first() {
                None => Ok(0),
                Some(first) => socket.write(first),
            },
        }
    }

    /// Passes on what TLS holds back; `Ok` when nothing is left.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(socket) => socket.flush(),
        }
    }

    /// Whether TLS still holds bytes that were written to it.
    pub(super) fn holds_back(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(socket) => socket.tls.wants_write(),
        }
    }

    /// Says TLS's own goodbye, where there is TLS; the peer sees the end of the stream either way.
    pub(super) fn goodbye(&mut self) {
        if let Self::Tls(socket) = self {
            socket.tls.send_close_notify();
            let _ = socket.flush();
        }
    }

    /// Sends FIN, after TLS's own goodbye; what the peer still sends can be read.
    pub(super) fn finish(&mut self) {
        self.goodbye();
        let _ = self.tcp().shutdown(std::net::Shutdown::Write);
    }
}

impl TlsSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if self.tls.read_tls(&mut self.tcp)? == 0 {
                return Ok(0);
            }
            self.tls
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // A key update or an alert may have to go out at once.
            match self.flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    /// Takes all, or what fits until TCP takes no more: a short count means what it means of TCP,
    /// that the stream will be told of as writable.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            taken += self.tls.writer().write(rest)?;
            match self.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp)?;
        }
        Ok(())
    }
}
