//! The events that wait: those of one client in their order, those of others beside them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::event::Event;
use crate::identity::ClientId;

/// How many events may be tried again at once while others wait for their first attempt: a receiver that
/// hangs for some clients, for as long as it likes, leaves half of the threads to all others.
const AGAIN_AT_ONCE: usize = super::AT_ONCE / 2;

/// Waiting events, a lane for each client that has any.
///
/// Writers: presence at the end of a lane, the threads at its head. Bound: `capacity`, beyond which
/// an event is refused. Locks: its own, for a few steps and never while something is sent.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    lanes: Mutex<Lanes>,
    /// There is something to take, or another time to wait until.
    work: Condvar,
    emptied: Notify,
}

/// The queue is full, or takes no more.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Refused;

#[derive(Debug, Default)]
struct Lanes {
    /// The first of a lane is about to be sent, or is being sent.
    waiting: HashMap<ClientId, VecDeque<Event>>,
    /// Lanes whose first can be sent now.
    ready: VecDeque<ClientId>,
    /// Lanes whose first can be tried again now.
    again: VecDeque<ClientId>,
    /// Lanes whose first is tried again then.
    later: BinaryHeap<Reverse<(Instant, ClientId)>>,
    /// How many events are being tried again.
    trying_again: usize,
    length: usize,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Open,
    /// Takes no more, and sends what there is.
    Closed,
    /// Nothing is sent any more.
    Stopped,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let lanes = Mutex::default();
        Self { capacity, lanes, work: Condvar::new(), emptied: Notify::new() }
    }

    /// How many events wait or are being sent.
    pub(super) fn len(&self) -> usize {
        self.lock().length
    }

    /// Adds an event behind the others of its client. Waits: no.
    ///
    /// # Errors
    /// [`Refused`]; nothing was changed then.
    pub(super) fn push(&self, event: Event) -> Result<(), Refused> {
        let capacity = self.capacity;
        self.push_within(capacity, event)
    }

    /// As [`push`](Self::push), of an event that was promised a place.
    ///
    /// # Errors
    /// [`Refused`], only when the queue takes no more.
    pub(super) fn push_promised(&self, event: Event) -> Result<(), Refused> {
        self.push_within(usize::MAX, event)
    }

    /// Whether so many events more have a place.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.len().saturating_add(more) <= self.capacity
    }

    fn push_within(&self, capacity: usize, event: Event) -> Result<(), Refused> {
        let mut lanes = self.lock();
        if lanes.length >= capacity || lanes.phase != Phase::Open {
            return Err(Refused);
        }
        let is_ready = lanes.push(event);
        drop(lanes);
        if is_ready {
            self.work.notify_one();
        }
        Ok(())
    }

    /// The next event to be sent, which stays first in its lane until [`Self::done`] or
    /// [`Self::again`]; `None` once nothing is to be sent any more. Waits until there is one.
    pub(super) fn next(&self) -> Option<Event> {
        let mut lanes = self.lock();
        loop {
            if lanes.phase == Phase::Stopped {
                return None;
            }
            let now = Instant::now();
            if let Some(event) = lanes.take(now) {
                return Some(event);
            }
            lanes = match lanes.next_try() {
                None => self.work.wait(lanes).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let wait = at.saturating_duration_since(now);
                    let waited = self.work.wait_timeout(lanes, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The event that was taken for `client` is over and done with.
    pub(super) fn done(&self, client: &ClientId) {
        let mut lanes = self.lock();
        let is_ready = lanes.done(client);
        let is_empty = lanes.length == 0;
        drop(lanes);
        if is_ready {
            self.work.notify_one();
        }
        if is_empty {
            self.emptied.notify_one();
        }
    }

    /// The event that was taken for `client` failed, and is taken again `at` that time.
    pub(super) fn again(&self, client: &ClientId, at: Instant) {
        self.lock().again(client, at);
        // Whoever waits has a new time to wait until.
        self.work.notify_all();
    }

    /// Refuses more events, and waits until there are none or `within` is over. Answers what is
    /// left, which is sent no more. What waits to be tried again is, at once.
    pub(super) async fn finish(&self, within: Duration) -> Vec<Event> {
        self.lock().close();
        self.work.notify_all();
        let empty = async {
            while self.len() > 0 {
                self.emptied.notified().await;
            }
        };
        // What was not sent by then is told by the answer.
        let _ = tokio::time::timeout(within, empty).await;
        self.stop()
    }

    /// Has nothing sent any more; answers what is left.
    pub(super) fn stop(&self) -> Vec<Event> {
        let mut lanes = self.lock();
        let left = std::mem::take(&mut *lanes);
        lanes.phase = Phase::Stopped;
        drop(lanes);
        self.work.notify_all();
        left.waiting.into_values().flatten().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // The lanes are valid between any two statements.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// Whether the event can be taken at once.
    fn push(&mut self, event: Event) -> bool {
        self.length += 1;
        let client = event.client.clone();
        let lane = self.waiting.entry(client.clone()).or_default();
        lane.push_back(event);
        let is_first = lane.len() == 1;
        if is_first {
            self.ready.push_back(client);
        }
        is_first
    }

    fn take(&mut self, now: Instant) -> Option<Event> {
        while let Some(Reverse((at, _))) = self.later.peek()
            && *at <= now
            && let Some(Reverse((_, client))) = self.later.pop()
        {
            self.again.push_back(client);
        }
        let may_again = self.trying_again < AGAIN_AT_ONCE || self.ready.is_empty();
        let again = if may_again { self.again.pop_front() } else { None };
        let client = again.or_else(|| self.ready.pop_front())?;
        let first = self.waiting.get(&client)?.front().cloned()?;
        self.trying_again += usize::from(first.tries > 0);
        Some(first)
    }

    /// An attempt is over.
    fn tried(&mut self, tries: u32) {
        self.trying_again = self.trying_again.saturating_sub(usize::from(tries > 0));
    }

    fn next_try(&self) -> Option<Instant> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    /// Whether the next of the lane can be taken at once.
    fn done(&mut self, client: &ClientId) -> bool {
        let Some(lane) = self.waiting.get_mut(client) else { return false };
        let first = lane.pop_front();
        let is_over = lane.is_empty();
        self.length -= 1;
        self.tried(first.map_or(0, |first| first.tries));
        if !is_over {
            // Behind those of others: a client that comes and goes all the time has no more than its
            // turn.
            self.ready.push_back(client.clone());
            return true;
        }
        self.waiting.remove(client);
        if self.waiting.is_empty() {
            // The memory of a crowd goes with it.
            *self = Self { phase: self.phase, ..Self::default() };
        }
        false
    }

    fn again(&mut self, client: &ClientId, at: Instant) {
        if let Some(first) = self.waiting.get_mut(client).and_then(VecDeque::front_mut) {
            let tries = first.tries;
            first.tries = tries.saturating_add(1);
            self.tried(tries);
            self.later.push(Reverse((at, client.clone())));
        }
    }

    fn close(&mut self) {
        self.phase = Phase::Closed;
        let later = std::mem::take(&mut self.later).into_sorted_vec();
        // The one that is due next is the greatest, and so the last.
        self.again.extend(later.into_iter().rev().map(|Reverse((_, client))| client));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::Edge;

    fn event(client: &str, edge: Edge) -> Event {
        Event::new(ClientId::parse(client).unwrap(), edge)
    }

    /// A queue with a `connected` and a `disconnected` of each of these clients.
    fn queue(clients: &[&str]) -> Queue {
        let queue = Queue::new(10);
        for client in clients {
            queue.push(event(client, Edge::Connected)).unwrap();
            queue.push(event(client, Edge::Disconnected)).unwrap();
        }
        queue
    }

    fn taken(queue: &Queue, now: Instant) -> Option<(String, Edge, u32)> {
        let event = queue.lock().take(now)?;
        Some((event.client.to_string(), event.edge, event.tries))
    }

    fn id(client: &str) -> ClientId {
        ClientId::parse(client).unwrap()
    }

    #[test]
    fn the_next_event_of_a_client_waits_for_the_one_before_it() {
        let (queue, now) = (queue(&["ann", "bob"]), Instant::now());
        assert_eq!(taken(&queue, now), Some(("ann".into(), Edge::Connected, 0)));
        assert_eq!(taken(&queue, now), Some(("bob".into(), Edge::Connected, 0)));
        assert_eq!(taken(&queue, now), None, "both are being sent");
        queue.done(&id("bob"));
        assert_eq!(taken(&queue, now), Some(("bob".into(), Edge::Disconnected, 0)));
        queue.done(&id("bob"));
        assert_eq!(taken(&queue, now), None);
        queue.push(event("ann", Edge::Connected)).unwrap();
        queue.done(&id("ann"));
        assert_eq!(taken(&queue, now), Some(("ann".into(), Edge::Disconnected, 0)));
        queue.done(&id("ann"));
        assert_eq!(taken(&queue, now), Some(("ann".into(), Edge::Connected, 0)));
        queue.done(&id("ann"));
        assert_eq!(queue.len(), 0);
        assert!(queue.lock().waiting.is_empty());
    }

    #[test]
    fn what_failed_is_tried_again_first_and_in_its_time() {
        let (queue, now) = (queue(&["ann", "bob"]), Instant::now());
        taken(&queue, now);
        let at = now + Duration::from_secs(4);
        queue.again(&id("ann"), at);
        assert_eq!(taken(&queue, now), Some(("bob".into(), Edge::Connected, 0)));
        queue.done(&id("bob"));
        assert_eq!(taken(&queue, now), Some(("bob".into(), Edge::Disconnected, 0)));
        assert_eq!(queue.lock().next_try(), Some(at));
        assert_eq!(taken(&queue, at - Duration::from_millis(1)), None);
        assert_eq!(taken(&queue, at), Some(("ann".into(), Edge::Connected, 1)));
        queue.again(&id("ann"), at);
        assert_eq!(taken(&queue, at), Some(("ann".into(), Edge::Connected, 2)));
        queue.done(&id("ann"));
        assert_eq!(taken(&queue, at), Some(("ann".into(), Edge::Disconnected, 0)));
    }

    #[test]
    fn what_is_tried_again_leaves_room_for_first_attempts() {
        let (queue, now) = (Queue::new(100), Instant::now());
        let bad: Vec<_> = (0..super::super::AT_ONCE).map(|number| format!("bad{number}")).collect();
        for client in &bad {
            queue.push(event(client, Edge::Connected)).unwrap();
            assert_eq!(taken(&queue, now).unwrap().0, *client);
        }
        for client in &bad {
            queue.again(&id(client), now);
        }
        // Nobody else waits: all of them are tried.
        for _ in &bad {
            assert_eq!(taken(&queue, now).unwrap().2, 1);
        }
        for client in &bad {
            queue.again(&id(client), now);
        }
        for client in ["ann", "bob", "cid"] {
            queue.push(event(client, Edge::Connected)).unwrap();
        }
        let tries: Vec<u32> = (0..7).map(|_| taken(&queue, now).unwrap().2).collect();
        assert_eq!(tries, [2, 2, 2, 2, 0, 0, 0]);
        assert_eq!(taken(&queue, now).unwrap().2, 2, "nobody waits again");
        queue.done(&id("bad0"));
        assert_eq!(queue.lock().trying_again, 4);
    }

    #[test]
    fn a_full_queue_refuses_the_newest_until_one_is_done() {
        let queue = Queue::new(2);
        queue.push(event("ann", Edge::Connected)).unwrap();
        queue.push(event("bob", Edge::Connected)).unwrap();
        assert_eq!(queue.push(event("ann", Edge::Disconnected)), Err(Refused));
        taken(&queue, Instant::now());
        assert_eq!(queue.push(event("eve", Edge::Connected)), Err(Refused), "it is being sent");
        queue.done(&id("ann"));
        queue.push(event("eve", Edge::Connected)).unwrap();
        assert_eq!(queue.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_what_waits_is_tried_at_once_and_the_rest_is_told() {
        let (queue, now) = (queue(&["ann", "bob"]), Instant::now());
        taken(&queue, now);
        queue.again(&id("ann"), now + Duration::from_mins(1));
        let finish = queue.finish(Duration::from_secs(5));
        let work = async {
            tokio::task::yield_now().await;
            assert_eq!(queue.push(event("eve", Edge::Connected)), Err(Refused));
            for client in ["ann", "bob", "ann"] {
                assert_eq!(taken(&queue, now).unwrap().0, client);
                queue.done(&id(client));
            }
        };
        let (left, ()) = tokio::join!(finish, work);
        let left: Vec<Edge> = left.iter().map(|event| event.edge).collect();
        assert_eq!(left, [Edge::Disconnected]);
        assert!(queue.next().is_none());
        // A thread that was still at it changes nothing any more.
        queue.done(&id("ann"));
        queue.again(&id("ann"), now);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_there_as_soon_as_nothing_waits() {
        let queue = queue(&["ann"]);
        let start = Instant::now();
        let finish = queue.finish(Duration::from_secs(5));
        let work = async {
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert!(taken(&queue, Instant::now()).is_some());
                queue.done(&id("ann"));
            }
        };
        let (left, ()) = tokio::join!(finish, work);
        assert!(left.is_empty());
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        assert!(queue.next().is_none());
    }
}
