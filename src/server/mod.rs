//! The server: listeners, TLS, limits, CORS, drain; and the place where all parts are put together.
//!
//! Concrete engines and stores are named here and nowhere else. A connection is a task until its
//! request is answered; a WebSocket then leaves for its worker.

mod activity;
pub(crate) mod address;
mod admin;
mod alarm;
mod arriving;
mod banner;
mod bare;
mod chatter;
mod cors;
mod frames;
mod front;
mod goaway;
mod head;
mod http2;
mod io;
mod lengths;
mod limits;
mod listen;
mod memory;
mod panics;
mod past;
mod serve;
mod streams;
mod tls;
mod trace;
mod upkeep;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use admin::Admin;
pub use banner::banner;
pub use memory::{be_frugal, give_back_if_asked};
pub use panics::report_panics;
pub use trace::start_logging;

use crate::channel::{Bounds, DeliveryPolicy, Kind, NameError, Pattern, Policies, Policy};
use crate::config::{self, Config};
use crate::engine::Memory;
use crate::gate::{
    AddressCounts, Archive, Board, Drain, Gate, Idempotency, Rates, Tallies, router,
};
use crate::hooks::UsersPush;
use crate::hub::Hub;
use crate::identity::{ApiKeys, ClientId, Ended, LiveTokens, Signer, TokenClock};
use crate::presence::{Presence, Rules};
use crate::store::{DataDir, Database, EndedLog, Lock, Postgres, Sqlite, StoreError};
use crate::worker::{Limits, Workers};

/// How long open requests are given to end after all streams have.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long the disk is given to take what it did not before.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// How long the receiver of hooks is given to hear that everyone has gone.
const LAST_EVENTS: Duration = Duration::from_secs(5);
/// Connections that are closed in a second at the least, however long the drain may take.
const CLOSED_A_SECOND: f64 = 100.0;
/// How many pings or pongs a client may send for each message of its rate.
const CONTROLS_A_MESSAGE: u32 = 10;

/// A gateway that serves. Dropped, it ends at once; [`drain`](Self::drain) ends it well.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    gate: Arc<Gate>,
    workers: Arc<Workers>,
    accepting: JoinHandle<()>,
    admin: Option<Admin>,
    upkeep: Vec<JoinHandle<()>>,
    directory: Option<DataDir>,
    /// Held to the end.
    _lock: Option<Arc<Lock>>,
    /// Tells connections that speak HTTP to end; each of them holds a receiver.
    draining: watch::Sender<bool>,
}

/// Why a gateway cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, or not ours.
    Listen(SocketAddr, std::io::Error),
    /// The same of `admin.bind`.
    Admin(SocketAddr, std::io::Error),
    /// Something in the data directory cannot be used.
    Store(StoreError),
    /// A file named in `[tls]` cannot be used.
    Tls(PathBuf, String),
    /// A channel pattern that configuration let pass.
    Pattern(String, NameError),
    /// No threads or descriptors are left.
    Workers(std::io::Error),
    /// No threads are left for the webhook.
    Webhook(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Admin(address, error) => {
                write!(f, "cannot listen on {address}, the admin.bind: {error}")
            }
            Self::Store(error) => write!(f, "{error}"),
            Self::Tls(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Pattern(pattern, error) => write!(f, "channels.\"{pattern}\": {error}"),
            Self::Workers(error) => write!(f, "cannot start a worker: {error}"),
            Self::Webhook(error) => write!(f, "cannot start the webhook: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Server {
    /// Opens the data directory, starts the workers and listens.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let address = SocketAddr::new(config.bind, config.port);
        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let mut kept = Kept::open(&config)?;
        let listener = listen::open(address).map_err(|error| StartError::Listen(address, error))?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(address, error))?;
        let admin = match config.admin.bind {
            Some(address) => Some(admin::Bound::bind(address).await?),
            None => None,
        };
        listen::prepare(&listener, config.heartbeat.interval + config.heartbeat.timeout);
        let workers = start_workers(&config)?;
        let (directory, lock) = (kept.directory.clone(), kept.lock.take().map(Arc::new));
        let heralds = past::Heralds::start(&config, kept.left.take())?;
        let gate = Arc::new(build_gate(config, Arc::clone(&workers), kept, heralds)?);
        // Before anybody posts, where the database is there already.
        gate.begin_anew().await;
        let upkeep = upkeep::start(&gate, directory.clone(), lock.clone());
        let (draining, is_draining) = watch::channel(false);
        let front = Arc::new(front::Front::new(Arc::clone(&gate), router(Arc::clone(&gate))));
        let accepting = listen::accept(front, listener, acceptor, is_draining);
        let accepting = tokio::spawn(panics::vital("accepting", accepting));
        let admin = admin.map(|bound| bound.serve(&gate));
        Ok(Self {
            address,
            gate,
            workers,
            accepting,
            admin,
            upkeep,
            directory,
            _lock: lock,
            draining,
        })
    }

    /// The address that is listened on, with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the admin listener, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// Stops accepting, answers what waits, tells every connection, and waits until all is done.
    ///
    /// New requests on open connections get 503; posts under way are finished and delivered;
    /// waiting polls are answered; streams are closed with 1001, spread over `server.drain`; the
    /// receiver of hooks hears that everyone has gone. The admin listener goes on to the end.
    pub async fn drain(self) {
        // In this order: who finds the port shut can rely on no post being taken any more, and who still
        // gets in is told.
        self.gate.drain.close().await;
        self.accepting.abort();
        let connections = u32::try_from(self.workers.connections()).unwrap_or(u32::MAX);
        let least = Duration::from_secs_f64(f64::from(connections) / CLOSED_A_SECOND);
        let spread = self.gate.config.server.drain.min(least);
        let workers = Arc::clone(&self.workers);
        if tokio::task::spawn_blocking(move || workers.drain(spread)).await.is_err() {
            tracing::error!("draining the workers panicked");
        }
        for task in &self.upkeep {
            task.abort();
        }
        self.draining.send_replace(true);
        // What has not ended by then never will.
        let wait = LAST_REQUESTS.min(self.gate.config.server.drain.max(Duration::from_secs(1)));
        let _ = tokio::time::timeout(wait, self.draining.closed()).await;
        self.tell_the_end().await;
        // A disk that hangs is not waited for.
        let _ = tokio::time::timeout(LAST_WRITES, self.gate.mend_ended_at_the_end()).await;
        upkeep::write_time(&self.gate, self.directory).await;
    }
}

impl Server {
    /// Presence ends with the process: whoever comes back is announced anew.
    async fn tell_the_end(&self) {
        let (scribe, presence) = (&self.gate.scribe, &self.gate.presence);
        match scribe {
            // A disk that hangs is not waited for.
            Some(scribe) => _ = tokio::time::timeout(LAST_EVENTS, scribe.end(presence)).await,
            None => presence.announce_the_end(|| {}),
        }
        if let Some(webhook) = &self.gate.webhook {
            webhook.finish(LAST_EVENTS).await;
        }
        if let Some(scribe) = scribe {
            let _ = tokio::time::timeout(LAST_EVENTS, scribe.written()).await;
            scribe.close();
        }
    }
}

/// What outlives the process: the signing key, the ended tokens, the latest time, the topics.
struct Kept {
    directory: Option<DataDir>,
    lock: Option<Lock>,
    database: Arc<dyn Database>,
    key: Vec<u8>,
    ended: Option<EndedLog>,
    latest_time: Option<u64>,
    left: past::Left,
}

impl Kept {
    /// Opens the data directory. Where none was asked for and none can be made, the gateway runs
    /// without: its tokens then end with it.
    fn open(config: &Config) -> Result<Self, StartError> {
        let directory = match DataDir::open(&config.data_dir) {
            Ok(directory) => directory,
            Err(error) if config.data_dir_given => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "there is no data directory: tokens and topics end with this process");
                let secret = config.secret.as_ref().map(|secret| secret.expose().as_bytes());
                let key = secret.map_or_else(random_key, <[u8]>::to_vec);
                let database = open_database(config, None)?;
                return Ok(Self {
                    directory: None,
                    lock: None,
                    database,
                    key,
                    ended: None,
                    latest_time: None,
                    left: None,
                });
            }
        };
        let lock = Some(directory.lock()?);
        let key = match &config.secret {
            Some(secret) => secret.expose().as_bytes().to_vec(),
            None => directory.signing_key()?,
        };
        let ended = directory.ended_tokens()?;
        if ended.bytes_cut() > 0 {
            tracing::warn!(bytes = ended.bytes_cut(), "cut a torn record off the ended tokens");
        }
        let latest_time = directory.latest_time()?;
        let left = past::open(config, &directory)?;
        let database = open_database(config, Some(&directory))?;
        let (directory, ended) = (Some(directory), Some(ended));
        Ok(Self { directory, lock, database, key, ended, latest_time, left })
    }
}

/// PostgreSQL where its address is configured, else a file in the data directory.
fn open_database(
    config: &Config,
    directory: Option<&DataDir>,
) -> Result<Arc<dyn Database>, StoreError> {
    Ok(match (&config.database.url, directory) {
        (Some(url), _) => Arc::new(Postgres::start(url.expose(), config.database.ca.as_deref())?),
        (None, Some(directory)) => Arc::new(Sqlite::open(&directory.database())?),
        (None, None) => Arc::new(Sqlite::in_memory()?),
    })
}

fn random_key() -> Vec<u8> {
    let mut key = vec![0; 32];
    // Without the operating system's generator no client id could be made either.
    getrandom::fill(&mut key).expect("the operating system gives random numbers");
    key
}

fn start_workers(config: &Config) -> Result<Arc<Workers>, StartError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = if config.server.workers == 0 { cores } else { config.server.workers };
    let limits = Limits {
        message_bytes: config.limits.message_bytes,
        outbox_bytes: config.limits.outbox_bytes,
        write: config.limits.write_seconds,
        ping: config.heartbeat.interval,
        pong: config.heartbeat.timeout,
        controls_a_second: config.limits.messages_per_second.saturating_mul(CONTROLS_A_MESSAGE),
        keep_warm: config.heartbeat.stream,
        queue: config.limits.worker_queue,
        idle: give_back_if_asked,
        died: panics::die,
    };
    Workers::start(count, limits).map(Arc::new).map_err(StartError::Workers)
}

fn build_gate(
    config: Config,
    workers: Arc<Workers>,
    kept: Kept,
    heralds: past::Heralds,
) -> Result<Gate, StartError> {
    let hub = Arc::new(Hub::new(workers, Box::new(Memory)));
    let tell = Arc::new(UsersPush::new(Arc::clone(&hub)));
    let presence = Presence::new(rules(&config), tell, Instant::now());
    let presence = presence.announcing(heralds.announce());
    let signer = Signer::new(&kept.key);
    let live = LiveTokens::new(signer.orders().clone());
    let mut ended_log = kept.ended;
    if let Some(log) = &mut ended_log {
        let records = log.take_loaded().into_iter();
        live.restore(records.filter_map(|record| {
            let client = ClientId::parse(&record.client).ok()?;
            Some(Ended { client, floor: record.floor, until: record.until })
        }));
    }
    let keys = config.api.keys.iter().map(|key| key.expose().to_owned()).collect();
    let gate = Gate {
        policies: policies(&config)?,
        signer,
        live,
        ended_log: ended_log.map(Arc::new),
        api_keys: ApiKeys::new(keys),
        clock: TokenClock::start(SystemTime::now(), kept.latest_time),
        presence: Arc::new(presence),
        webhook: heralds.webhook,
        scribe: heralds.scribe,
        hub,
        board: Board::new(Arc::clone(&kept.database)),
        archive: Archive::new(kept.database),
        addresses: Arc::new(AddressCounts::new(&config.limits)),
        idempotency: Idempotency::default(),
        rates: Rates::new(&config.limits),
        drain: Drain::default(),
        tallies: Tallies::default(),
        started: SystemTime::now(),
        config,
    };
    past::restore(&gate, heralds.here);
    Ok(gate)
}

fn rules(config: &Config) -> Rules {
    Rules {
        timeout: config.presence.timeout,
        linger: config.presence.linger,
        restart: config.presence.restart,
        coalesce: config.presence.coalesce,
        max_list: config.presence.max_list,
        max_diff: config.presence.max_diff,
        connections_per_client: config.limits.connections_per_client,
        clients: config.limits.clients,
        inbox_bytes: config.limits.inbox_bytes,
        inbox_bytes_per_address: config.limits.inbox_bytes_per_address,
    }
}

/// The configured channels as policies.
fn policies(config: &Config) -> Result<Policies, StartError> {
    let mut rules = Vec::new();
    for rule in &config.channels.rules {
        let pattern = Pattern::parse(&rule.pattern)
            .map_err(|error| StartError::Pattern(rule.pattern.clone(), error))?;
        let policy = Policy {
            durable: rule.durable,
            kind: match rule.kind {
                config::Kind::Message => Kind::Message,
                config::Kind::Camera => Kind::Camera,
                config::Kind::Chat => Kind::Chat,
                config::Kind::Board => Kind::Board,
                config::Kind::Json => Kind::Json,
                config::Kind::Echo => Kind::Echo,
                config::Kind::Off => Kind::Off,
            },
            anonymous: rule.anonymous,
            prefix: rule.prefix.clone(),
            delivery: match rule.delivery {
                config::Delivery::Every => DeliveryPolicy::Every,
                config::Delivery::Latest => DeliveryPolicy::Latest,
            },
            history: Bounds {
                messages: rule.history.messages,
                age: rule.history.seconds,
                bytes: rule.history.bytes,
            },
        };
        rules.push((pattern, policy));
    }
    Ok(Policies::new(rules))
}
