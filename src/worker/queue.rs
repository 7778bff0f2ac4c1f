//! The way to a worker: a queue that publications reserve their place in.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;
use tokio::sync::Notify;

use super::{Limits, Order, Tally, run};
use crate::transport::ConnectionId;

/// All workers of a node.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<WorkerHandle>,
    next: AtomicU64,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

/// The sending end of one worker's queue.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    shared: Arc<Shared>,
}

/// Writers: whoever holds a handle. Reader: the worker. Bound: publications reserve one of
/// `limits.worker_queue` places, save what a commit to disk has in store; every other order is bounded by what it speaks of, since a
/// connection is attached, closed or gone once, and a direct message has a place reserved too.
#[derive(Debug)]
struct Shared {
    orders: Mutex<Orders>,
    /// Places that are reserved or taken by publications.
    reserved: AtomicUsize,
    places: usize,
    room: Notify,
    waker: Waker,
    connections: AtomicUsize,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Orders {
    waiting: Vec<Order>,
    /// The worker was woken since it last took what waits.
    rung: bool,
}

/// A place in the queues of all workers, for one publication. Given back by the workers that got
/// it, and when dropped by those that did not.
#[derive(Debug)]
pub struct Reservation<'a> {
    workers: &'a Workers,
    /// Which workers still have a place set aside, one bit each.
    left: u64,
}

/// More workers than this are not started: a reservation has one bit for each.
const MAX_WORKERS: usize = 64;

impl Workers {
    /// Starts `count` workers (1 to 64), each a thread of its own.
    ///
    /// # Errors
    /// What the operating system says when it has no more threads or descriptors.
    pub fn start(count: usize, limits: Limits) -> std::io::Result<Self> {
        let mut handles = Vec::new();
        let mut threads = Vec::new();
        for index in 0..count.clamp(1, MAX_WORKERS) {
            let poll = mio::Poll::new()?;
            let waker = Waker::new(poll.registry(), run::WAKER)?;
            let shared = Arc::new(Shared {
                orders: Mutex::default(),
                reserved: AtomicUsize::new(0),
                places: limits.queue,
                room: Notify::new(),
                waker,
                connections: AtomicUsize::new(0),
                tally: Arc::default(),
            });
            let handle = WorkerHandle { shared };
            let worker = run::Worker::new(index, poll, handle.clone(), limits)?;
            let name = format!("worker-{index}");
            let work = move || run::to_the_end(worker, limits.died);
            threads.push(std::thread::Builder::new().name(name).spawn(work)?);
            handles.push(handle);
        }
        Ok(Self { handles, next: AtomicU64::new(0), threads: Mutex::new(threads) })
    }

    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// How many connections all workers own.
    pub fn connections(&self) -> usize {
        let count = |handle: &WorkerHandle| handle.shared.connections.load(Ordering::Relaxed);
        self.handles.iter().map(count).sum()
    }

    /// What each worker counts.
    pub fn tallies(&self) -> impl Iterator<Item = &Tally> {
        self.handles.iter().map(|handle| &**handle.tally())
    }

    /// How many places in the queue of each worker are taken, and how many there are.
    pub fn queues(&self) -> impl Iterator<Item = (usize, usize)> {
        self.handles.iter().map(|handle| {
            let Shared { reserved, places, .. } = &*handle.shared;
            (reserved.load(Ordering::Relaxed).min(*places), *places)
        })
    }

    /// An id for a new connection, and with it the worker that will own it: they take turns.
    pub fn allot(&self) -> (ConnectionId, &WorkerHandle) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let workers = u64::try_from(self.handles.len()).unwrap_or(1);
        let id = ConnectionId::new(u16::try_from(number % workers).unwrap_or(0), number);
        (id, self.of(id))
    }

    /// The worker that owns `connection`.
    pub fn of(&self, connection: ConnectionId) -> &WorkerHandle {
        self.at(connection.worker())
    }

    /// The worker of that number.
    ///
    /// # Panics
    /// If there is none: numbers come from [`allot`](Self::allot) alone.
    pub fn at(&self, worker: usize) -> &WorkerHandle {
        self.handles.get(worker).expect("connection ids name workers that were started")
    }

    /// Sets a place aside in every queue, or in none; does not wait.
    pub fn try_reserve(&self) -> Option<Reservation<'_>> {
        let mut reservation = Reservation { workers: self, left: 0 };
        for (index, handle) in self.handles.iter().enumerate() {
            if !handle.shared.try_reserve() {
                return None;
            }
            reservation.left |= 1 << index;
        }
        Some(reservation)
    }

    /// Sets a place aside in every queue, waiting for room. Cancel safe.
    pub async fn reserve(&self) -> Reservation<'_> {
        loop {
            if let Some(reservation) = self.try_reserve() {
                return reservation;
            }
            for handle in &self.handles {
                let room = handle.shared.room.notified();
                tokio::pin!(room);
                // Registered before looking again: room that comes in between is not missed.
                room.as_mut().enable();
                if handle.shared.is_full() {
                    room.await;
                }
            }
        }
    }

    /// Sets a place aside in every queue, also in those that are full: for a publication that cannot
    /// be taken back any more.
    pub fn reserve_anyway(&self) -> Reservation<'_> {
        let mut reservation = Reservation { workers: self, left: 0 };
        for (index, handle) in self.handles.iter().enumerate() {
            handle.shared.reserved.fetch_add(1, Ordering::AcqRel);
            reservation.left |= 1 << index;
        }
        reservation
    }

    /// Wakes every worker, for nothing but to go idle again.
    pub fn wake(&self) {
        for handle in &self.handles {
            let _ = handle.shared.waker.wake();
        }
    }

    /// Ends every connection over `spread`, and then the threads. Waits for them.
    pub fn drain(&self, spread: std::time::Duration) {
        for handle in &self.handles {
            handle.send(Order::Drain(spread));
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A worker that panicked has ended too.
            let _ = thread.join();
        }
    }
}

impl Reservation<'_> {
    /// Puts `order` in the place at `worker`.
    pub fn send(&mut self, worker: usize, order: Order) {
        self.left &= !(1 << worker);
        self.workers.at(worker).send(order);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        for (index, handle) in self.workers.handles.iter().enumerate() {
            if self.left & (1 << index) != 0 {
                handle.release(1);
            }
        }
    }
}

impl WorkerHandle {
    /// Hands `order` to the worker. Never waits: the queue's lock is held for a push only.
    pub fn send(&self, order: Order) {
        let mut orders = self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.waiting.push(order);
        let rung = std::mem::replace(&mut orders.rung, true);
        drop(orders);
        if !rung {
            // Fails only when the poll is gone, and with it the worker.
            let _ = self.shared.waker.wake();
        }
    }

    /// Leaves `order` for the next time that the worker is awake: something that only matters once
    /// another order follows it.
    pub fn leave(&self, order: Order) {
        let mut orders = self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.waiting.push(order);
    }

    /// Swaps all waiting orders for the empty vector given.
    pub(super) fn take(&self, orders: &mut Vec<Order>) {
        let mut waiting = self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.rung = false;
        std::mem::swap(&mut waiting.waiting, orders);
    }

    /// Gives `places` back that publications had taken.
    pub(super) fn release(&self, places: usize) {
        if places > 0 {
            self.shared.reserved.fetch_sub(places, Ordering::AcqRel);
            self.shared.room.notify_waiters();
        }
    }

    /// What the worker counts.
    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.shared.tally
    }

    /// Counts the connections that the worker owns.
    pub(super) fn set_connections(&self, count: usize) {
        self.shared.connections.store(count, Ordering::Relaxed);
    }
}

impl Shared {
    fn try_reserve(&self) -> bool {
        let taken = self.reserved.fetch_add(1, Ordering::AcqRel);
        if taken < self.places {
            return true;
        }
        self.reserved.fetch_sub(1, Ordering::AcqRel);
        false
    }

    fn is_full(&self) -> bool {
        self.reserved.load(Ordering::Acquire) >= self.places
    }
}
