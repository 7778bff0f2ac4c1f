//! What outlives the process.
//!
//! For now the data directory: a few small files, each written so that a crash or a power cut at
//! any moment leaves the old content or the new one, and that are refused by name when they hold
//! something else.

mod directory;
mod ended;
mod error;
mod files;
#[cfg(test)]
mod scratch;

pub use directory::DataDir;
pub use ended::{EndedLog, EndedRecord};
pub use error::StoreError;
