//! A connection to PostgreSQL, and the tables brought to this version.

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::session::Terms;
use super::{in_time, told};

/// How often the topics are read where nothing is heard: so a connection that is silently gone is found.
pub(super) const LOOK: Duration = Duration::from_secs(15);
/// The same on a server that tells of nothing: a standby.
const LOOK_OFTEN: Duration = Duration::from_millis(500);
/// What brings the tables from each version to the next; `pushgate_migrations` says which were done.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/postgres-1.sql"), include_str!("../migrations/postgres-2.sql")];
/// Held by whoever migrates: "pushgate" in ASCII. Source: PostgreSQL, advisory locks.
const MIGRATING: i64 = 0x7075_7368_6761_7465;

/// The task that moves what a connection says; it ends with this.
pub(super) struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that is ready.
pub(super) struct Opened {
    pub(super) client: Client,
    /// What the server is told of each transaction.
    pub(super) terms: Terms,
    /// Hears of changes. Its sender is gone once the connection is lost.
    pub(super) heard: mpsc::Receiver<()>,
    /// How often the topics are read where nothing is heard.
    pub(super) look: Duration,
    pub(super) driver: Driver,
}

/// Connects, and asks to be told of changes.
pub(super) async fn open(config: &Config, tls: &MakeRustlsConnect) -> Result<Opened, String> {
    let (mut client, mut connection) = in_time(config.connect(tls.clone())).await?;
    let (changed, heard) = mpsc::channel(1);
    let driver = Driver(tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                // One that waits tells as much as two.
                Ok(AsyncMessage::Notification(_)) => drop(changed.try_send(())),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(error = %told(&error), "the connection to the database broke");
                    return;
                }
            }
        }
    }));
    let terms = in_time(Terms::settle(&client)).await?;
    migrate(&mut client, &terms).await?;
    let listens = in_time(client.batch_execute("LISTEN pushgate_topics")).await;
    if let Err(why) = &listens {
        tracing::info!(%why, "the database tells of no changes: it is asked for them");
    }
    let look = if listens.is_ok() { LOOK } else { LOOK_OFTEN };
    Ok(Opened { client, terms, heard, look, driver })
}

/// Does the migrations that were not done yet, all or none of them.
async fn migrate(client: &mut Client, terms: &Terms) -> Result<(), String> {
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    // Who may not make tables, or nobody may write, can still use those that are there.
    if in_time(version(client)).await? == Some(known) {
        return Ok(());
    }
    let done = in_time(async {
        let transaction = client.transaction().await?;
        transaction.batch_execute(terms.as_str()).await?;
        // Several nodes may start at once.
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING]).await?;
        let make = "CREATE TABLE IF NOT EXISTS pushgate_migrations (version integer PRIMARY KEY)";
        transaction.batch_execute(make).await?;
        let newest = "SELECT coalesce(max(version), 0) FROM pushgate_migrations";
        let done: i32 = transaction.query_one(newest, &[]).await?.try_get(0)?;
        for (version, migration) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > done) {
            transaction.batch_execute(migration).await?;
            let note = "INSERT INTO pushgate_migrations (version) VALUES ($1)";
            transaction.execute(note, &[&version]).await?;
        }
        transaction.commit().await?;
        Ok(done)
    });
    let (done, known) = (done.await?, MIGRATIONS.len());
    if usize::try_from(done).is_ok_and(|done| done <= known) {
        return Ok(());
    }
    Err(format!("its tables have version {done}, and this build knows {known}"))
}

/// How many migrations were done; none where no table is there.
async fn version(client: &Client) -> Result<Option<i32>, Error> {
    let there = "SELECT to_regclass('pushgate_migrations') IS NOT NULL";
    if !client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let newest = "SELECT max(version) FROM pushgate_migrations";
    client.query_one(newest, &[]).await?.try_get(0)
}
