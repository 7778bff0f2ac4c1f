//! Posters to one channel over keep-alive connections, each waiting for its answer, and what the
//! history has of their posts: every answered one, once, in its place and its poster's order.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::http::{self, Answer};
use crate::lanes::{Exchange, Lanes};
use crate::ledger::{self, Faults, Latency, VALUE};
use crate::login;

/// How long answers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The posters, and what they were answered.
#[derive(Debug)]
pub(crate) struct Posters {
    address: SocketAddr,
    lanes: Lanes,
    book: Book,
}

/// What was posted.
#[derive(Debug)]
struct Book {
    channel: String,
    tokens: Vec<String>,
    /// Posts of each poster.
    sent: Vec<u32>,
    /// When each poster sent its last.
    at: Vec<Instant>,
    /// Poster, number of its post, and the offset that it was answered with.
    answered: Vec<(usize, u32, u64)>,
    latencies: Vec<u32>,
}

/// What the history has of a channel.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) faults: Faults,
    /// Bytes of a message, on average.
    pub(crate) length: usize,
}

impl Posters {
    /// Logs `count` posters in.
    pub(crate) fn open(address: SocketAddr, channel: &str, count: usize) -> io::Result<Self> {
        let tokens = login::tokens(address, count)?;
        let book = Book {
            channel: channel.to_owned(),
            sent: vec![0; count],
            at: vec![Instant::now(); count],
            tokens,
            answered: Vec::new(),
            latencies: Vec::new(),
        };
        Ok(Self { address, lanes: Lanes::open(address, count)?, book })
    }

    /// Each posts again as soon as it is answered; how many were.
    pub(crate) fn run(&mut self, time: Duration) -> io::Result<u64> {
        let before = self.book.answered.len();
        let end = Instant::now() + time;
        let mut posts = Posts { book: &mut self.book, goes_on: || Instant::now() < end };
        self.lanes.run(&mut posts, time + PATIENCE)?;
        Ok((self.book.answered.len() - before) as u64)
    }

    /// On average `burst` post at once, so often that there are `per_second`; how many were.
    pub(crate) fn run_paced(
        &mut self,
        (burst, per_second): (f64, f64),
        time: Duration,
    ) -> io::Result<u64> {
        let before = self.book.answered.len();
        let mut posts = Posts { book: &mut self.book, goes_on: || true };
        self.lanes.run_paced(&mut posts, (burst, per_second), time, time + PATIENCE)?;
        Ok((self.book.answered.len() - before) as u64)
    }

    /// Forgets the latencies of a warm-up.
    pub(crate) fn forget_latencies(&mut self) {
        self.book.latencies.clear();
    }

    /// The latencies of answers.
    pub(crate) fn latency(&mut self) -> Option<Latency> {
        ledger::latency(&mut self.book.latencies)
    }

    /// Reads the whole history of the channel, and logs everybody out.
    pub(crate) fn leave(self) -> io::Result<Kept> {
        let Self { address, lanes, book } = self;
        drop(lanes);
        let mut lanes = Lanes::open(address, 1)?;
        let mut pages = Pages::of(&book);
        lanes.run(&mut pages, Duration::from_mins(1))?;
        let kept = Kept { faults: pages.faults(&book), length: pages.length() };
        login::leave(&mut lanes, book.tokens)?;
        Ok(kept)
    }
}

/// Posts of a lane as long as it `goes_on`.
struct Posts<'a, F> {
    book: &'a mut Book,
    goes_on: F,
}

impl<F: FnMut() -> bool> Exchange for Posts<'_, F> {
    fn next(&mut self, lane: usize) -> Option<Vec<u8>> {
        (self.goes_on)().then(|| self.book.post(lane))
    }

    fn answered(&mut self, lane: usize, answer: &Answer<'_>) -> io::Result<()> {
        self.book.answered(lane, &answer.accepted("post")?.body)
    }
}

impl Book {
    fn post(&mut self, poster: usize) -> Vec<u8> {
        let form = format!("value={}", value(poster, self.sent[poster]));
        self.sent[poster] += 1;
        self.at[poster] = Instant::now();
        let target = format!("/post/{}", self.channel);
        http::post(&target, &self.tokens[poster], &form)
    }

    fn answered(&mut self, poster: usize, body: &[u8]) -> io::Result<()> {
        self.latencies.push(self.at[poster].elapsed().as_micros() as u32);
        let body = std::str::from_utf8(body).map_err(io::Error::other)?;
        let id = body.rsplit_once("\"id\":\"").and_then(|(_, rest)| rest.split('"').next());
        let offset = id.and_then(offset).ok_or_else(|| io::Error::other("no id in an answer"))?;
        self.answered.push((poster, self.sent[poster] - 1, offset));
        Ok(())
    }
}

/// A value of as many characters as those of the other scenarios.
fn value(poster: usize, number: u32) -> String {
    let start = format!("{poster:04}-{number:010}-");
    format!("{start:v<VALUE$}")
}

fn offset(id: &str) -> Option<u64> {
    id.rsplit_once('-')?.1.parse().ok()
}

/// The history of a channel, page by page.
struct Pages<'a> {
    book: &'a Book,
    /// Where the next page starts; none behind the last.
    since: Option<String>,
    bytes: usize,
    /// Offset and value of each message, as they came.
    messages: Vec<(u64, String)>,
}

impl<'a> Pages<'a> {
    fn of(book: &'a Book) -> Self {
        Self { book, since: Some("0".to_owned()), bytes: 0, messages: Vec::new() }
    }

    fn length(&self) -> usize {
        self.bytes / self.messages.len().max(1)
    }

    /// What was answered and is not there, or elsewhere; what is there twice, or was never posted.
    fn faults(&self, book: &Book) -> Faults {
        let mut faults = Faults::default();
        let places: HashMap<&str, u64> =
            self.messages.iter().map(|(offset, value)| (value.as_str(), *offset)).collect();
        faults.repeated = (self.messages.len() - places.len()) as u64;
        let posted: HashSet<String> = (book.sent.iter().enumerate())
            .flat_map(|(poster, count)| (0..*count).map(move |number| value(poster, number)))
            .collect();
        let foreign = self.messages.iter().filter(|(_, value)| !posted.contains(value));
        faults.altered = foreign.count() as u64;
        let mut newest = vec![0; book.tokens.len()];
        for &(poster, number, offset) in &book.answered {
            match places.get(value(poster, number).as_str()) {
                None => faults.lost += 1,
                Some(place) if *place != offset || offset <= newest[poster] => {
                    faults.reordered += 1;
                }
                Some(_) => {}
            }
            newest[poster] = offset;
        }
        // Offsets rise by one, from the first to the last.
        let offsets = self.messages.iter().zip(1..);
        faults.reordered += offsets.filter(|((offset, _), place)| offset != place).count() as u64;
        faults
    }
}

impl Exchange for Pages<'_> {
    fn next(&mut self, _lane: usize) -> Option<Vec<u8>> {
        let since = self.since.take()?;
        let target = format!("/history/{}?limit=1000&since={since}", self.book.channel);
        Some(http::get(&target, &self.book.tokens[0]))
    }

    fn answered(&mut self, _lane: usize, answer: &Answer<'_>) -> io::Result<()> {
        let wrong = || io::Error::other("a page of history that is none");
        let page: Value = serde_json::from_slice(&answer.accepted("history")?.body)?;
        for message in page["messages"].as_array().ok_or_else(wrong)? {
            self.bytes += message.to_string().len();
            let message = &message["message"];
            let found = message["id"].as_str().and_then(offset).zip(message["value"].as_str());
            let (offset, value) = found.ok_or_else(wrong)?;
            self.messages.push((offset, value.to_owned()));
        }
        if page["more"].as_bool().ok_or_else(wrong)? {
            self.since = Some(page["since"].as_str().ok_or_else(wrong)?.to_owned());
        }
        Ok(())
    }
}
