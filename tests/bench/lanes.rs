//! Requests over keep-alive connections, one in flight on each: logins, posts, logouts.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Poll, Token};
use tokio::time::Instant;

use crate::http::{self, Answer};
use crate::link::Link;

/// What is asked on the lanes, and what is done with the answers.
pub(crate) trait Exchange {
    /// The next request for `lane`; `None` when there is nothing more to ask.
    fn next(&mut self, lane: usize) -> Option<Vec<u8>>;

    /// The answer to the last request of `lane`. An error ends the run.
    fn answered(&mut self, lane: usize, answer: &Answer<'_>) -> io::Result<()>;
}

/// Keep-alive connections to one server.
#[derive(Debug)]
pub(crate) struct Lanes {
    poll: Poll,
    links: Vec<Link>,
    scratch: Vec<u8>,
}

impl Lanes {
    /// Opens `count` connections.
    pub(crate) fn open(address: SocketAddr, count: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut links = Vec::with_capacity(count);
        for lane in 0..count {
            let mut link = Link::connect(address, None)?;
            link.register(poll.registry(), Token(lane))?;
            links.push(link);
        }
        Ok(Self { poll, links, scratch: vec![0; 64 << 10] })
    }

    /// Asks and answers until `exchange` has nothing more to ask and everything is answered.
    ///
    /// # Errors
    /// Those of `exchange`, a connection that ends, and `TimedOut` after `limit`.
    pub(crate) fn run(&mut self, exchange: &mut impl Exchange, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        let mut events = Events::with_capacity(256);
        let mut busy = 0;
        for lane in 0..self.links.len() {
            busy += usize::from(self.ask(lane, exchange)?);
        }
        while busy > 0 {
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "requests left unanswered"));
            }
            self.poll.poll(&mut events, Some(Duration::from_millis(200)))?;
            for event in &events {
                busy -= usize::from(self.on_ready(event, exchange)?);
            }
        }
        Ok(())
    }

    /// Sends the next request of a lane; `false` when there is none.
    fn ask(&mut self, lane: usize, exchange: &mut impl Exchange) -> io::Result<bool> {
        let Some(request) = exchange.next(lane) else {
            return Ok(false);
        };
        self.links[lane].queue(&request);
        self.links[lane].flush()?;
        Ok(true)
    }

    /// Asks at a pace for `time`, on whichever lanes have nothing under way: `burst` at once, on average,
    /// so often that there are `per_second`. Returns once everything is answered.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn run_paced(
        &mut self,
        exchange: &mut impl Exchange,
        (burst, per_second): (f64, f64),
        time: Duration,
        limit: Duration,
    ) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut idle: Vec<usize> = (0..self.links.len()).collect();
        let (start, mut asked) = (Instant::now(), 0.0);
        loop {
            let bursts = (start.elapsed().as_secs_f64() * per_second / burst).floor() + 1.0;
            let is_over = start.elapsed() >= time;
            while !is_over
                && asked < (bursts * burst).floor()
                && let Some(lane) = idle.pop()
            {
                asked += f64::from(u8::from(self.ask(lane, exchange)?));
            }
            if is_over && idle.len() == self.links.len() {
                return Ok(());
            }
            if start.elapsed() > limit {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "requests left unanswered"));
            }
            let next = start + Duration::from_secs_f64(bursts * burst / per_second);
            self.poll.poll(&mut events, Some(next.saturating_duration_since(Instant::now())))?;
            for event in &events {
                if self.is_answered(event, exchange)? {
                    idle.push(event.token().0);
                }
            }
        }
    }

    /// Reads what came on a lane and asks on; `true` when the lane has fallen idle by that.
    fn on_ready(
        &mut self,
        event: &mio::event::Event,
        exchange: &mut impl Exchange,
    ) -> io::Result<bool> {
        Ok(self.is_answered(event, exchange)? && !self.ask(event.token().0, exchange)?)
    }

    /// Reads what came on a lane; `true` when that was its answer.
    fn is_answered(
        &mut self,
        event: &mio::event::Event,
        exchange: &mut impl Exchange,
    ) -> io::Result<bool> {
        let lane = event.token().0;
        let link = &mut self.links[lane];
        link.flush()?;
        let mut answered = false;
        let open = link.read(&mut self.scratch, event.is_read_closed(), |bytes| {
            let Some(answer) = http::answer(bytes)? else {
                return Ok(0);
            };
            exchange.answered(lane, &answer)?;
            answered = true;
            Ok(answer.used)
        })?;
        if !open {
            return Err(io::Error::other("the server ended a keep-alive connection"));
        }
        Ok(answered)
    }
}
