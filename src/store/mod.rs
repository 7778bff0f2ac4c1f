//! What outlives the process.
//!
//! - the data directory ([`DataDir`]): a few small files, each written so that a crash or a power cut
//!   at any moment leaves the old content or the new one, and that are refused by name when they
//!   hold something else;
//! - the database ([`Database`]), which other programs may read and write too: a file of SQLite in
//!   that directory ([`Sqlite`]), or PostgreSQL ([`Postgres`]). Here is the only SQL.

mod asked;
mod backup;
mod database;
mod directory;
mod ended;
mod error;
mod files;
mod journal;
mod lock;
mod postgres;
#[cfg(test)]
mod scratch;
mod section;
mod sqlite;
mod tally;
mod teller;

pub use backup::{Extent, backup, restore};
pub use database::{
    Answer, Append, Change, Changed, Database, DatabaseError, Entry, Erasure, Keys, Loaded,
    Retried, TopicsTold, Window,
};
pub use directory::DataDir;
pub use ended::{EndedLog, EndedRecord};
pub use error::StoreError;
pub use journal::{
    EdgeRecord, EventRecord, GoneRecord, HereRecord, Journal, JournalDraft, JournalRecord,
    Journaled, LifeRecord,
};
pub use lock::Lock;
pub use postgres::Postgres;
pub use section::{Found, Section, Side};
pub use sqlite::Sqlite;
pub use tally::Tally;
