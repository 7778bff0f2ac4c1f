//! One nonblocking TCP connection of the load.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// A connection with what the socket would not take yet and what has come in but is not whole yet.
///
/// Both buffers are empty most of the time: reads go through the caller's scratch buffer.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    unsent: Vec<u8>,
    held: Vec<u8>,
}

impl Link {
    /// Begins to connect; bytes may be queued at once.
    ///
    /// `source` is an address of the loopback to come from, for scenarios that would run out of
    /// ports on one.
    pub(crate) fn connect(address: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<Self> {
        let stream = if let Some(source) = source {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::from((source, 0)).into())?;
            socket.set_nonblocking(true)?;
            match socket.connect(&address.into()) {
                Err(problem) if problem.raw_os_error() != Some(EINPROGRESS) => return Err(problem),
                Ok(()) | Err(_) => TcpStream::from_std(socket.into()),
            }
        } else {
            TcpStream::connect(address)?
        };
        Ok(Self { stream, unsent: Vec::new(), held: Vec::new() })
    }

    /// Asks for the readiness of this connection, edge-triggered.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Appends `bytes` to what is to be sent; `flush` sends it.
    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Sends what is queued as far as the socket takes it. Called again when it is writable.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(problem) if is_not_yet(&problem) => return Ok(()),
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// Says that nothing more will be sent (FIN).
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            Err(problem) if problem.kind() != ErrorKind::NotConnected => Err(problem),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads what there is and gives it to `take`, which answers how many bytes it used; the rest is
    /// held until more has come. `false`: the far end has finished.
    ///
    /// `to_the_end` is whether the far end's FIN was announced, in which case a short read is not
    /// yet the last.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        to_the_end: bool,
        mut take: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.feed(&scratch[..count], &mut take)?;
                    if count < scratch.len() && !to_the_end {
                        return Ok(true);
                    }
                }
                Err(problem) if is_not_yet(&problem) => return Ok(true),
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(problem) => return Err(problem),
            }
        }
    }

    fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        if self.held.is_empty() {
            let used = take(bytes)?;
            self.held.extend_from_slice(&bytes[used..]);
        } else {
            self.held.extend_from_slice(bytes);
            let used = take(&self.held)?;
            self.held.drain(..used);
        }
        Ok(())
    }
}

/// `connect` of a nonblocking socket has begun (Linux).
const EINPROGRESS: i32 = 115;

/// Neither an error nor progress: the socket is still connecting, or full, or empty.
fn is_not_yet(problem: &io::Error) -> bool {
    matches!(problem.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}
