//! The board: what the database has of it, told to everyone who subscribes to one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Gate;
use crate::channel::{Content, Topics};
use crate::dialect::plain::{Author, Draft};
use crate::store::{Change, Changed, Database, DatabaseError};

/// How long until topics are told again that could not be.
const AGAIN: Duration = Duration::from_secs(1);

/// The topics of the node. Readers are served from memory, however many they are.
#[derive(Debug)]
pub struct Board {
    database: Arc<dyn Database>,
    /// What subscribers were told last.
    told: Mutex<Option<Arc<Topics>>>,
}

impl Board {
    /// The board that `database` keeps.
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database, told: Mutex::default() }
    }

    /// Whether the database could be reached when it was last tried.
    pub(super) fn is_reached(&self) -> bool {
        self.database.is_reached()
    }

    /// The topics as they stand; none until the database was read for the first time.
    pub(super) fn topics(&self) -> Option<Arc<Topics>> {
        self.database.topics().borrow().clone()
    }
}

impl Gate {
    /// Makes a change; whoever subscribes from now on has it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(super) async fn change_board(&self, change: Change) -> Result<Changed, DatabaseError> {
        let changed = self.board.database.change(change).await?;
        self.tell_topics().await;
        Ok(changed)
    }

    /// Tells all boards of the topics as they stand, where they were not told of these; whether it
    /// could.
    async fn tell_topics(&self) -> bool {
        // One at a time, so that what was told last is what stands.
        let mut told = self.board.told.lock().await;
        let Some(topics) = self.board.topics() else {
            return true;
        };
        if told.as_ref().is_some_and(|told| Arc::ptr_eq(told, &topics)) {
            return true;
        }
        for (name, policy) in self.hub.stand(topics.json()) {
            let Ok(reservation) = self.reserve().await else {
                return false;
            };
            let author = Author { client_id: "", datetime: "", ip: "" };
            let json = String::from_utf8_lossy(topics.json()).into_owned();
            let draft = Draft::new(&Content::Json(json), author);
            self.hub.publish((&name, &policy), &Arc::from(""), draft, reservation);
        }
        *told = Some(topics);
        true
    }

    /// Tells of each change of the topics, whoever made it. For ever.
    pub async fn keep_board(&self) {
        let mut topics = self.board.database.topics();
        loop {
            topics.mark_unchanged();
            if self.tell_topics().await {
                if topics.changed().await.is_err() {
                    // Nobody speaks to the database any more: what was told last stays.
                    return std::future::pending().await;
                }
            } else {
                tracing::warn!("the board was not told: the queue of the workers is full");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
