//! What the server is told of a session, so that it ends by itself what nobody will go on with.
//!
//! A connection can be lost without the server hearing of it: a firewall forgets it, a machine in
//! between loses its power. What such a session has locked stays locked as long as the server keeps it,
//! which by its own settings is for ever. Source: PostgreSQL, "Client Connection Defaults" and
//! "Connections and Authentication".

use futures_util::future::{join, join_all};
use tokio_postgres::{Client, Error, IsolationLevel, Transaction};

/// Said once of a session, where the server knows it: a far end that is gone is found within seconds,
/// also while the server works for it. Behind a pool it may come to a session of somebody else, and does
/// no harm there.
const GONE: [&str; 5] = [
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = '10s'",
    "SET client_connection_check_interval = '2s'",
];
/// Said in each transaction, where the server knows it, and gone with it: longer than we wait for an
/// answer, so that it ends only what we have given up.
const GIVEN_UP: [(&str, &str); 2] =
    [("idle_in_transaction_session_timeout", "6s"), ("statement_timeout", "6s")];
/// Held by whoever writes: nodes take turns, other programs need not wait. "topics" in ASCII.
const WRITING: i64 = 0x746f_7069_6373;

/// How long a transaction waits for what another has locked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// For another program, no longer than who reads may wait.
    Short,
    /// For the end of an own session that was lost.
    Long,
}

/// What the server is told at the beginning of each transaction.
#[derive(Debug)]
pub(super) struct Terms(String);

impl Terms {
    /// Tells the server of this session, and asks what it may be told of each transaction. What it
    /// refuses is left out.
    pub(super) async fn settle(client: &Client) -> Result<Self, Error> {
        let ask = async |name: &str| client.batch_execute(&format!("SHOW {name}")).await;
        // All at once: one round trip.
        let told = join_all(GONE.iter().map(|setting| client.batch_execute(setting)));
        let known = join_all(GIVEN_UP.iter().map(|(name, _)| ask(name)));
        let (told, known) = join(told, known).await;
        for answer in told {
            is_taken(answer)?;
        }
        let mut terms = String::new();
        for (answer, (name, value)) in known.into_iter().zip(GIVEN_UP) {
            if is_taken(answer)? {
                terms = format!("{terms}SET LOCAL {name} = '{value}';");
            }
        }
        Ok(Self(terms))
    }

    /// The statements that say it, at the beginning of a transaction.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Begins a transaction that writes, once no other node does.
    pub(super) async fn begin<'a>(
        &self,
        client: &'a mut Client,
        wait: Wait,
    ) -> Result<Transaction<'a>, Error> {
        // What is read under the lock is what the one before has written.
        let begin = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let transaction = begin.start().await?;
        let (terms, wait) = (&self.0, wait.as_str());
        let lock = format!(
            "{terms}SET LOCAL lock_timeout = '{wait}';SELECT pg_advisory_xact_lock({WRITING})"
        );
        transaction.batch_execute(&lock).await?;
        Ok(transaction)
    }
}

impl Wait {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "900ms",
            Self::Long => "4s",
        }
    }
}

/// Whether the server took it. Another than PostgreSQL, an old one or a pool need not.
fn is_taken(answer: Result<(), Error>) -> Result<bool, Error> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.as_db_error().is_some() => {
            tracing::debug!(%error, "the database does not know a setting");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
