//! Receivers over HTTP that only wait: SSE streams and long polls.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token};
use tokio::time::Instant;

use crate::link::Link;
use crate::{http, login};

/// How many are opened at a time.
const OPENING: usize = 64;

/// What a receiver waits on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `GET /sse`: waits once the head of the answer has come.
    Sse,
    /// `GET /poll`: asks for the position of now, then waits for what comes after it.
    Poll,
}

#[derive(Debug)]
struct Receiver {
    link: Link,
    token: String,
    waits: bool,
}

/// Receivers of one kind, each logged in and present.
#[derive(Debug)]
pub(crate) struct Receivers {
    kind: Kind,
    poll: Poll,
    all: Vec<Receiver>,
    opening: usize,
    scratch: Vec<u8>,
}

impl Receivers {
    /// Logs `count` clients in and opens a connection for each.
    ///
    /// # Errors
    /// A refusal, and a minute without being done.
    pub(crate) fn open(address: SocketAddr, kind: Kind, count: usize) -> io::Result<Self> {
        let (poll, all) = (Poll::new()?, Vec::with_capacity(count));
        let mut receivers = Self { kind, poll, all, opening: 0, scratch: vec![0; 64 << 10] };
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut waiting = login::tokens(address, count)?.into_iter();
        while receivers.all.len() < count || receivers.opening > 0 {
            while receivers.opening < OPENING
                && let Some(token) = waiting.next()
            {
                receivers.add(address, token)?;
            }
            receivers.turn(Duration::from_millis(200))?;
            if Instant::now() > deadline {
                let left = receivers.opening;
                return Err(io::Error::other(format!("{left} receivers were not answered")));
            }
        }
        Ok(receivers)
    }

    fn add(&mut self, address: SocketAddr, token: String) -> io::Result<()> {
        let mut link = Link::connect(address, None)?;
        link.queue(&http::get(self.kind.first_request(), &token));
        link.register(self.poll.registry(), Token(self.all.len()))?;
        self.all.push(Receiver { link, token, waits: false });
        self.opening += 1;
        Ok(())
    }

    /// Takes in what comes for `time`.
    pub(crate) fn wait(&mut self, time: Duration) -> io::Result<()> {
        let due = Instant::now() + time;
        while let Some(left) = due.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            self.turn(left)?;
        }
        Ok(())
    }

    fn turn(&mut self, patience: Duration) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        self.poll.poll(&mut events, Some(patience))?;
        for event in &events {
            self.on_ready(event)?;
        }
        Ok(())
    }

    fn on_ready(&mut self, event: &Event) -> io::Result<()> {
        let kind = self.kind;
        let Receiver { link, token, waits } = &mut self.all[event.token().0];
        link.flush()?;
        let waited = *waits;
        let mut request = None;
        let open = link.read(&mut self.scratch, event.is_read_closed(), |bytes| {
            if waited || *waits {
                return Ok(bytes.len());
            }
            match kind {
                Kind::Sse => {
                    let Some(head) = http::head(bytes)? else {
                        return Ok(0);
                    };
                    *waits = head.status == 200;
                    Ok(bytes.len())
                }
                Kind::Poll => {
                    let Some(answer) = http::answer(bytes)? else {
                        return Ok(0);
                    };
                    let since = answer.accepted("poll")?.text("since")?;
                    let target = format!("/poll?users=none&wait=15&since={since}");
                    request = Some(http::get(&target, token));
                    *waits = true;
                    Ok(answer.used)
                }
            }
        })?;
        if !open {
            return Err(io::Error::other("the server ended a receiver's connection"));
        }
        if let Some(request) = request {
            link.queue(&request);
            link.flush()?;
        }
        self.opening -= usize::from(*waits && !waited);
        Ok(())
    }
}

impl Kind {
    fn first_request(self) -> &'static str {
        match self {
            Self::Sse => "/sse?users=none",
            Self::Poll => "/poll?users=none",
        }
    }
}
