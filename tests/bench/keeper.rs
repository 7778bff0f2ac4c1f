//! Posts that a floor keeps: the least that a server can do for a post that is on disk when it is
//! answered.
//!
//! A thread commits what waits, with the bare loop's own commit (`commits.rs`), while posts for the next
//! commit come in.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use mio::Waker;

use crate::commits::Commits;

/// A connection, and what it posted.
type Post = (usize, String);

/// Posts that wait, and the way to the thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    waiting: Vec<Post>,
    /// A commit is being made.
    is_busy: bool,
    commits: SyncSender<Vec<Post>>,
    kept: Receiver<Vec<(usize, i64)>>,
}

impl Keeper {
    /// Keeps posts in `folder`, and wakes the server by `waker` when some are kept.
    pub(crate) fn start(folder: &Path, waker: Waker) -> io::Result<Self> {
        let mut file = Commits::open(folder)?;
        let (commits, due) = mpsc::sync_channel::<Vec<Post>>(1);
        let (done, kept) = mpsc::sync_channel(1);
        thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            let mut next = 1;
            while let Ok(batch) = due.recv() {
                let messages = batch.iter().map(|(_, message)| message.as_str());
                file.commit(next, messages).expect("the floor's disk takes what it is given");
                let kept: Vec<_> = batch.into_iter().map(|(key, _)| key).zip(next..).collect();
                next = kept.last().map_or(next, |(_, offset)| offset + 1);
                // A server that is gone needs no answer.
                let _ = done.send(kept);
                drop(waker.wake());
            }
        })?;
        Ok(Self { waiting: Vec::new(), is_busy: false, commits, kept })
    }

    /// A post came over this connection.
    pub(crate) fn take(&mut self, key: usize, message: String) {
        self.waiting.push((key, message));
    }

    /// The connections whose posts are on disk, and where they are in their order.
    pub(crate) fn kept(&mut self) -> Vec<(usize, i64)> {
        let kept: Vec<_> = self.kept.try_iter().flatten().collect();
        if !kept.is_empty() {
            self.is_busy = false;
            self.go_on();
        }
        kept
    }

    /// Has the next commit made if none is, and something waits.
    pub(crate) fn go_on(&mut self) {
        if !self.is_busy && !self.waiting.is_empty() {
            self.is_busy = self.commits.send(std::mem::take(&mut self.waiting)).is_ok();
        }
    }
}
