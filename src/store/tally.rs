//! What is counted of the database.

use super::asked::Written;
use crate::metrics::{Count, Tally as _};

/// The counts of a database.
#[derive(Debug, Default)]
pub struct Tally {
    /// Posts to durable channels that are on disk.
    pub posts: Count,
    /// Commits that they shared.
    pub commits: Count,
}

impl Tally {
    /// Counts what one commit has brought to the disk.
    pub(super) fn committed(&self, written: &[Written]) {
        let posts = written.iter().filter(|done| matches!(done, Written::Appended(_))).count();
        self.posts.add(posts);
        self.commits.add(usize::from(posts > 0));
    }
}
