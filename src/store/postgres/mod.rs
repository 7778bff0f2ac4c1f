//! The database as tables of PostgreSQL, which other nodes and other programs may share.
//!
//! One task speaks to it over one connection, which is opened anew whenever it is lost. Until then
//! who wants a change is told at once that it cannot be made, and the topics stay as they were read.

mod append;
mod commit;
mod messages;
mod open;
mod page;
mod read;
mod renew;
mod session;
mod tls;
mod topics;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::commit::{commit, portions};
use self::open::{LOOK, Opened, open};
use self::read::read_for;
use self::session::{Terms, Wait};
use super::asked::{self, Asked, Queue, Reads, Written};
use super::database::{Database, DatabaseError, TopicsTold};
use super::error::StoreError;
use super::tally::Tally;
use crate::channel::Topics;

/// How long the server may take for anything: to connect, to change, to read.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits before it connects again, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The database as tables of PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    queue: Queue,
    topics: TopicsTold,
    is_reached: Arc<AtomicBool>,
    tally: Arc<Tally>,
    task: JoinHandle<()>,
}

/// Who speaks to the server.
struct Speaker {
    config: Config,
    tls: MakeRustlsConnect,
    waiting: mpsc::Receiver<Asked>,
    /// Of this connection: they fail with it.
    reads: Reads,
    topics: watch::Sender<Option<Arc<Topics>>>,
    is_reached: Arc<AtomicBool>,
    tally: Arc<Tally>,
    /// The newest offset of each channel before a commit of which it is not known whether it was made.
    doubts: HashMap<String, u64>,
}

/// Why a connection is over.
enum Over {
    /// Nobody can ask any more.
    Asked,
    /// The server is gone, or does not answer.
    Lost(String),
}

impl Postgres {
    /// Connects to the server at `url`, now and whenever the connection is lost. Does not wait for it.
    /// Runs in a runtime.
    ///
    /// `ca` is a file of certificates in PEM, one of which must have signed that of the server; without
    /// one an encrypted connection is not checked. Source: libpq, `sslmode` and `sslrootcert`.
    ///
    /// # Errors
    /// [`StoreError`] if `url` or `ca` cannot be used.
    pub fn start(url: &str, ca: Option<&std::path::Path>) -> Result<Self, StoreError> {
        let config = configured(url)?;
        let tls = tls::connector(ca)?;
        let (topics, told) = watch::channel(None);
        let (queue, waiting) = Queue::new();
        let is_reached = Arc::new(AtomicBool::new(false));
        let tally = Arc::<Tally>::default();
        let speaker = Speaker {
            config,
            tls,
            waiting,
            reads: Reads::default(),
            topics,
            is_reached: Arc::clone(&is_reached),
            tally: Arc::clone(&tally),
            doubts: HashMap::new(),
        };
        Ok(Self { queue, topics: told, is_reached, tally, task: tokio::spawn(speaker.speak()) })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Database for Postgres {
    fn queue(&self) -> &Queue {
        &self.queue
    }

    fn topics(&self) -> TopicsTold {
        self.topics.clone()
    }

    fn is_reached(&self) -> bool {
        self.is_reached.load(Ordering::Relaxed)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Speaker {
    async fn speak(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let connected = Instant::now();
            let why = match self.connect().await {
                Over::Asked => return,
                Over::Lost(why) => why,
            };
            self.is_reached.store(false, Ordering::Relaxed);
            self.reads.fail(&gone(&why));
            if connected.elapsed() > PAUSES.1 {
                pause = PAUSES.0;
            }
            tracing::warn!(%why, "no connection to the database of DATABASE_URL or database.url");
            if self.refuse(pause, &why).await.is_none() {
                return;
            }
            pause = (2 * pause).min(PAUSES.1);
        }
    }

    /// Tells who asks meanwhile that there is no database; `None` once nobody can ask any more.
    async fn refuse(&mut self, pause: Duration, why: &str) -> Option<()> {
        let until = Instant::now() + pause;
        while let Ok(batch) = tokio::time::timeout_at(until, asked::next(&mut self.waiting)).await {
            asked::answer(batch?, Err(gone(why)), &self.tally);
        }
        Some(())
    }

    /// Connects, and does what is asked for as long as the connection lives.
    async fn connect(&mut self) -> Over {
        match self.opened().await {
            Ok(opened) => self.serve(opened).await,
            Err(over) => over,
        }
    }

    async fn opened(&mut self) -> Result<Opened, Over> {
        // Who asks while this takes long is told so.
        let opening = open(&self.config, &self.tls);
        tokio::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return opened.map_err(Over::Lost),
                batch = asked::next(&mut self.waiting) => {
                    let Some(batch) = batch else { return Err(Over::Asked) };
                    let why = "the database is not there yet".to_owned();
                    asked::answer(batch, Err(DatabaseError::Unavailable(why)), &self.tally);
                }
            }
        }
    }

    async fn serve(&mut self, opened: Opened) -> Over {
        let Opened { mut client, terms, mut heard, look, driver: _driver } = opened;
        if let Err(why) = self.be_sure(&mut client, &terms).await {
            return Over::Lost(why);
        }
        if let Err(why) = self.read(&client).await {
            return Over::Lost(why);
        }
        self.is_reached.store(true, Ordering::Relaxed);
        tracing::info!("connected to the database");
        let mut looked = Instant::now();
        loop {
            // Each that is ready gets its turn, also where there is always something to do. Nothing is
            // waited for while reads wait, and what waits in the queue goes before them.
            let has_time = !self.reads.is_empty() && self.waiting.is_empty();
            let done = tokio::select! {
                batch = asked::next(&mut self.waiting) => match batch {
                    Some(batch) => self.take(&mut client, &terms, batch).await,
                    None if self.reads.is_empty() => return Over::Asked,
                    None => self.read_next(&client).await,
                },
                () = std::future::ready(()), if has_time => self.read_next(&client).await,
                change = heard.recv() => {
                    looked = Instant::now();
                    match change {
                        Some(()) => self.read(&client).await,
                        None => Err("the connection ended".to_owned()),
                    }
                }
                () = tokio::time::sleep_until(looked + look) => {
                    looked = Instant::now();
                    self.read(&client).await
                }
            };
            if let Err(why) = done {
                return Over::Lost(why);
            }
        }
    }

    /// Does what writes of `batch`, and the first of what waits to be read. An error ends the connection,
    /// and what is left fails with it.
    async fn take(
        &mut self,
        client: &mut Client,
        terms: &Terms,
        batch: Vec<Asked>,
    ) -> Result<(), String> {
        let mut alive = Ok(());
        for portion in portions(self.reads.take(batch)) {
            match &alive {
                Ok(()) => alive = self.write(client, terms, portion).await,
                Err(why) => asked::answer(portion, Err(gone(why)), &self.tally),
            }
        }
        alive?;
        self.read_next(client).await
    }

    /// Reads the first of what waits for it.
    async fn read_next(&mut self, client: &Client) -> Result<(), String> {
        let Some(asked) = self.reads.next() else { return Ok(()) };
        read_for(client, asked).await?;
        // A server that is gone is found by the next that speaks to it.
        if client.is_closed() { Err("the connection ended".to_owned()) } else { Ok(()) }
    }

    /// Does all of `writes` in one commit.
    async fn write(
        &mut self,
        client: &mut Client,
        terms: &Terms,
        mut writes: Vec<Asked>,
    ) -> Result<(), String> {
        let is_about_topics = writes.iter().any(|asked| matches!(asked, Asked::Change(..)));
        let start = Instant::now();
        match in_time(commit(client, terms, &mut writes, &mut self.doubts)).await {
            Ok(written) => {
                self.doubts.clear();
                self.is_reached.store(true, Ordering::Relaxed);
                let read = if is_about_topics { self.read(client).await } else { Ok(()) };
                asked::answer(writes, Ok(written), &self.tally);
                read
            }
            Err(why) => {
                self.is_reached.store(false, Ordering::Relaxed);
                let told = format!("the database did not take it: {why}");
                asked::answer(writes, Err(DatabaseError::Unavailable(told)), &self.tally);
                // What the server refuses, it refuses well: it is there. Who says nothing is not.
                if client.is_closed() || !self.doubts.is_empty() || start.elapsed() >= PATIENCE {
                    return Err(why);
                }
                in_time(client.batch_execute("ROLLBACK")).await
            }
        }
    }

    /// After a commit that got no answer nobody knows whether it was made: takes back what was told to
    /// have failed.
    async fn be_sure(&mut self, client: &mut Client, terms: &Terms) -> Result<(), String> {
        if self.doubts.is_empty() {
            return Ok(());
        }
        let doubts = &self.doubts;
        in_time(async {
            // Nobody else commits now: so the commit is over, if the server still knows it.
            let transaction = terms.begin(client, Wait::Long).await?;
            for (channel, offset) in doubts {
                messages::take_back(&transaction, channel, *offset).await?;
            }
            transaction.commit().await
        })
        .await?;
        self.doubts.clear();
        Ok(())
    }

    /// Reads the topics.
    async fn read(&mut self, client: &Client) -> Result<(), String> {
        let topics = Topics::new(in_time(topics::read(client)).await?);
        asked::tell(topics, &self.topics);
        Ok(())
    }
}

fn gone(why: &str) -> DatabaseError {
    DatabaseError::Unavailable(format!("the database is not there: {why}"))
}

fn late() -> String {
    format!("no answer within {PATIENCE:?}")
}

async fn write(savepoint: &Transaction<'_>, asked: &mut Asked) -> Result<Written, Error> {
    Ok(match asked {
        Asked::Change(change, _) => Written::Changed(topics::change(savepoint, change).await?),
        Asked::Trim(channel, window, _) => {
            Written::Trimmed(messages::trim(savepoint, channel, window).await?)
        }
        Asked::Forget(channel, _) => Written::Forgot(messages::forget(savepoint, channel).await?),
        Asked::Erase(channel, erasure, _) => {
            Written::Erased(messages::erase(savepoint, channel, erasure).await?)
        }
        Asked::BeginAnew(channels, _) => {
            messages::begin_anew(savepoint, channels).await?;
            Written::Begun
        }
        // Publications go together; the rest does not write.
        Asked::Append(_)
        | Asked::Load(..)
        | Asked::Page(..)
        | Asked::Retries(..)
        | Asked::Channels(_) => Written::Refused,
    })
}

/// How the server at `url` is spoken to.
fn configured(url: &str) -> Result<Config, StoreError> {
    // The words of the error name a part of the address, and no password.
    let config = url.parse::<Config>();
    let mut config = config.map_err(|error| StoreError::Address { why: error.to_string() })?;
    config.connect_timeout(PATIENCE).tcp_user_timeout(2 * PATIENCE).keepalives_idle(LOOK);
    if config.get_application_name().is_none() {
        config.application_name("pushgate");
    }
    Ok(config)
}

/// What `work` comes to, or why it does not.
async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| told(&error)),
        Err(_) => Err(late()),
    }
}

/// Whether a rule of the tables says no: a constraint, a trigger, a text that the encoding has not.
/// Source: PostgreSQL, appendix A: classes 22, 23 and P0.
fn is_refusal(error: &Error) -> bool {
    let code = error.code().map_or("", SqlState::code);
    ["22", "23", "P0"].iter().any(|class| code.starts_with(class))
}

/// What is told of `error`: never what was asked, and no password.
fn told(error: &Error) -> String {
    let Some(refusal) = error.as_db_error() else {
        return match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
    };
    match *refusal.code() {
        SqlState::LOCK_NOT_AVAILABLE => "another program holds it".to_owned(),
        SqlState::READ_ONLY_SQL_TRANSACTION => "it cannot be written".to_owned(),
        SqlState::DISK_FULL => "the disk is full".to_owned(),
        _ => refusal.message().to_owned(),
    }
}
