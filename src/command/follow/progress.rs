//! How far a follower has come.

use std::collections::{HashSet, VecDeque};

use super::Start;

/// How many ids are remembered to know a repetition by.
const REMEMBERED: usize = 1024;

/// The position to resume from, and the ids of what came last.
///
/// A gateway delivers what was missed once, so repetitions are not to be expected; but a channel of
/// kind `latest` shows newcomers its last state again, and transports may change in between.
#[derive(Debug)]
pub(crate) struct Progress {
    start: Start,
    position: Option<String>,
    order: VecDeque<String>,
    known: HashSet<String>,
}

impl Progress {
    /// Before the first connection.
    pub(crate) fn new(start: Start) -> Self {
        Self { start, position: None, order: VecDeque::new(), known: HashSet::new() }
    }

    /// What the next connection asks for.
    pub(crate) fn query(&self) -> Option<(&'static str, String)> {
        match (&self.position, &self.start) {
            (Some(position), _) | (None, Start::Since(position)) => {
                Some(("since", position.clone()))
            }
            (None, Start::Newest(count)) => Some(("history", count.to_string())),
            (None, Start::Now) => None,
        }
    }

    /// Everything up to `position` has been told. The one that a connection begins with is never
    /// ahead of what was missed (wire.md, section 4), so a wish for history is not lost by it.
    pub(crate) fn reached(&mut self, position: String) {
        self.position = Some(position);
    }

    /// Whether `id` is new; it is the position from now on.
    pub(crate) fn advance(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.position = Some(id.to_owned());
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_connection_asks_for_what_the_user_asked() {
        assert_eq!(Progress::new(Start::Now).query(), None);
        assert_eq!(Progress::new(Start::Newest(5)).query(), Some(("history", "5".to_owned())));
        let since = Progress::new(Start::Since("0".to_owned()));
        assert_eq!(since.query(), Some(("since", "0".to_owned())));
    }

    #[test]
    fn a_later_one_resumes_after_the_last_id() {
        let mut progress = Progress::new(Start::Newest(5));
        assert!(progress.advance("k-8"));
        assert!(progress.advance("k-9"));
        assert!(!progress.advance("k-8"));
        assert_eq!(progress.query(), Some(("since", "k-9".to_owned())));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut progress = Progress::new(Start::Now);
        for offset in 0..3 * REMEMBERED {
            assert!(progress.advance(&format!("k-{offset}")));
        }
        assert_eq!(progress.known.len(), REMEMBERED);
        assert_eq!(progress.order.len(), REMEMBERED);
    }
}
