//! What waits to be written down.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::identity::ClientId;
use crate::presence::{Edge, Stay};

/// How many changes may wait.
const CAPACITY: usize = 100_000;

/// Where presence lays down what is to be written, and the webhook which event is done.
///
/// Writers: presence, the threads of the webhook. Reader: the pen, which takes all at once. Bound:
/// [`CAPACITY`] changes; what comes then is lost and counted, and all is written anew later. What is
/// done is bounded by what is due. Locks: its own, for a few steps; nobody waits but the pen and those
/// who ask for room.
#[derive(Debug)]
pub(in crate::hooks) struct Desk {
    pile: Mutex<Pile>,
    /// There is something to take.
    work: Condvar,
    /// There may be room again.
    room: Condvar,
    capacity: usize,
}

/// A change of one client.
#[derive(Debug)]
pub(super) struct News {
    pub(super) client: ClientId,
    pub(super) edge: Option<Edge>,
    pub(super) stay: Option<Stay>,
}

/// What the pen does, in this order.
#[derive(Debug)]
pub(super) enum Item {
    News(News),
    /// Everyone who is here is told from now on, for a new journal; the answer is whether one began.
    Anew(oneshot::Sender<bool>),
    /// Everyone was.
    AllTold,
    /// Somebody waits until all that came before is written.
    Asked(oneshot::Sender<()>),
}

/// What was taken at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: VecDeque<Item>,
    /// The numbers of events that are over.
    pub(super) done: Vec<u64>,
    /// How many changes behind the last of them found no room, and how many of these were events.
    pub(super) lost: Lost,
}

impl Batch {
    /// How many of the items are events.
    pub(super) fn events(&self) -> usize {
        let is_event = |item: &&Item| matches!(item, Item::News(News { edge: Some(_), .. }));
        self.items.iter().filter(is_event).count()
    }
}

/// What found no room.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Lost {
    pub(super) changes: u64,
    pub(super) events: u64,
}

#[derive(Debug, Default)]
struct Pile {
    batch: Batch,
    /// Events among the items, and in what the pen has taken and not passed on.
    events: usize,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Open,
    /// Everyone leaves: nobody is noted as being here any more.
    Ending,
    /// Takes nothing more.
    Closed,
}

/// There is no room.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Full;

impl Desk {
    pub(in crate::hooks) fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    pub(super) fn with_capacity(capacity: usize) -> Self {
        let (work, room) = (Condvar::new(), Condvar::new());
        Self { pile: Mutex::default(), work, room, capacity }
    }

    /// Lays a change down. Waits: no.
    ///
    /// # Errors
    /// [`Full`]: it is lost, and will be known to be.
    pub(super) fn lay(&self, news: News) -> Result<(), Full> {
        if self.lock().lay(news, self.capacity)? {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Lays down what is to be done behind the changes so far; it is dropped where there is no room,
    /// or nobody to do it.
    pub(super) fn ask(&self, item: Item) {
        if self.lock().ask(item, self.capacity) {
            self.work.notify_one();
        }
    }

    /// The event of this number is over and done with.
    pub(in crate::hooks) fn done(&self, number: u64) {
        if self.lock().done(number) {
            self.work.notify_one();
        }
    }

    /// How many events are not passed on yet.
    pub(in crate::hooks) fn events(&self) -> usize {
        self.lock().events
    }

    /// So many events were passed on.
    pub(super) fn passed_on(&self, events: usize) {
        let mut pile = self.lock();
        pile.events = pile.events.saturating_sub(events);
    }

    /// Takes all there is; `None` once it is closed and empty. Waits until there is something.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut pile = self.lock();
        while pile.is_empty() {
            if pile.phase == Phase::Closed {
                return None;
            }
            pile = self.work.wait(pile).unwrap_or_else(PoisonError::into_inner);
        }
        let batch = std::mem::take(&mut pile.batch);
        drop(pile);
        self.room.notify_all();
        Some(batch)
    }

    /// Waits until there is room for many, or nobody needs it any more.
    pub(super) fn wait_for_room(&self) {
        let is_full = |pile: &mut Pile| {
            pile.batch.items.len() > self.capacity / 2 && pile.phase != Phase::Closed
        };
        drop(self.room.wait_while(self.lock(), is_full));
    }

    /// From now on only those who leave are noted.
    pub(super) fn end(&self) {
        self.lock().phase = Phase::Ending;
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.lock().phase = Phase::Closed;
        self.work.notify_all();
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Pile> {
        // The pile is valid between any two statements.
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pile {
    /// Whether the pen is to be rung.
    fn lay(&mut self, news: News, capacity: usize) -> Result<bool, Full> {
        let is_over = match self.phase {
            Phase::Open => false,
            Phase::Ending => news.stay.is_some(),
            Phase::Closed => true,
        };
        if is_over {
            return Ok(false);
        }
        let is_event = news.edge.is_some();
        if self.batch.items.len() >= capacity {
            self.batch.lost.changes += 1;
            self.batch.lost.events += u64::from(is_event);
            return Err(Full);
        }
        self.events += usize::from(is_event);
        let was_empty = self.is_empty();
        self.batch.items.push_back(Item::News(news));
        Ok(was_empty)
    }

    fn ask(&mut self, item: Item, capacity: usize) -> bool {
        let was_empty = self.is_empty();
        if self.phase == Phase::Closed || self.batch.items.len() >= capacity {
            return false;
        }
        self.batch.items.push_back(item);
        was_empty
    }

    fn done(&mut self, number: u64) -> bool {
        let was_empty = self.is_empty();
        self.batch.done.push(number);
        was_empty
    }

    /// What was lost alone is told with the next that is taken: there was no room, so there is one.
    fn is_empty(&self) -> bool {
        self.batch.items.is_empty() && self.batch.done.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(client: &str, edge: Option<Edge>) -> News {
        News { client: ClientId::parse(client).unwrap(), edge, stay: None }
    }

    #[test]
    fn a_full_desk_loses_the_newest_and_tells_how_many() {
        let desk = Desk::with_capacity(2);
        desk.lay(news("ann", Some(Edge::Connected))).unwrap();
        desk.lay(news("bob", None)).unwrap();
        assert_eq!(desk.lay(news("cid", Some(Edge::Connected))), Err(Full));
        assert_eq!(desk.lay(news("dot", None)), Err(Full));
        assert_eq!(desk.events(), 1);
        let batch = desk.take().unwrap();
        assert_eq!(batch.items.len(), 2);
        assert_eq!(batch.lost, Lost { changes: 2, events: 1 });
        desk.passed_on(1);
        desk.lay(news("cid", None)).unwrap();
        assert_eq!(desk.take().unwrap().lost, Lost::default());
        assert_eq!(desk.events(), 0);
    }

    #[test]
    fn a_closed_desk_is_emptied_and_takes_nothing_more() {
        let desk = Desk::new();
        desk.lay(news("ann", None)).unwrap();
        desk.end();
        desk.lay(news("bob", None)).unwrap();
        desk.done(4);
        desk.close();
        desk.lay(news("cid", None)).unwrap();
        desk.wait_for_room();
        let batch = desk.take().unwrap();
        assert_eq!((batch.items.len(), batch.done), (2, vec![4]));
        assert!(desk.take().is_none());
    }
}
