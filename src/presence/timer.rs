//! The one timer of presence: what runs out, and what was held back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Presence;
use super::client::{Client, State};
use super::members::Members;
use crate::wheel::Wheel;

/// How fine the timer is.
const TICK: Duration = Duration::from_millis(10);
/// How much later than it meant to the timer may look before the process must have stood still.
const LATE: Duration = Duration::from_secs(1);

/// What is planned, and what wakes whoever runs it.
#[derive(Debug)]
pub(super) struct Timer {
    plan: Mutex<Plan>,
    alarm: Notify,
}

#[derive(Debug)]
struct Plan {
    wheel: Wheel<Due>,
    /// When whoever runs the timer will look again.
    wakes_at: Option<Instant>,
    /// How many entries speak of clients that have ended, roughly: some may be on their way out.
    stale: usize,
}

/// What the timer looks after.
#[derive(Clone, Debug)]
enum Due {
    /// A membership of the client may have run out.
    Client(Arc<Client>),
    /// Changes of this list were held back.
    Flush(Arc<Members>),
}

impl Timer {
    pub(super) fn new(now: Instant) -> Self {
        let plan = Plan { wheel: Wheel::new(now, TICK), wakes_at: None, stale: 0 };
        Self { plan: Mutex::new(plan), alarm: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        // The plan is valid between any two statements: a panic elsewhere leaves it usable.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, at: Instant, due: Due) {
        let mut plan = self.lock();
        plan.wheel.add(at, due);
        let sooner = plan.wakes_at.is_none_or(|wakes_at| at < wakes_at);
        if sooner {
            plan.wakes_at = Some(at);
        }
        drop(plan);
        if sooner {
            self.alarm.notify_one();
        }
    }

    /// The timer would hold clients that have ended until their time would have come: once they are
    /// the greater part of it, they are let go. `entries` of one more have become stale.
    pub(super) fn forget_stale(&self, entries: usize) {
        let mut plan = self.lock();
        plan.stale += entries;
        if plan.stale > 64 && plan.stale > plan.wheel.len() / 2 {
            plan.let_go();
        }
    }

    /// How many entries the timer has.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().wheel.len()
    }
}

impl Plan {
    fn let_go(&mut self) {
        self.stale = 0;
        self.wheel.retain(|due| match due {
            Due::Client(client) => !client.gone.load(Ordering::Acquire),
            Due::Flush(_) => true,
        });
    }
}

impl Presence {
    /// Lets go of the last who have ended, once nobody is left: spread over the memory of a crowd,
    /// each of a few would keep a page. From time to time, and not at each end: it looks at the
    /// whole timer.
    pub fn sweep(&self) {
        let mut plan = self.timer.lock();
        if plan.stale > 0 && self.clients.is_empty() {
            plan.let_go();
        }
    }

    /// Has the timer look at a client when its next membership may run out.
    pub(super) fn plan(&self, client: &Arc<Client>, state: &mut State, now: Instant) {
        let Some(end) = state.next_end() else { return };
        if state.planned.is_none_or(|planned| end < planned || planned <= now) {
            state.planned = Some(end);
            state.entries += 1;
            self.timer.add(end, Due::Client(Arc::clone(client)));
        }
    }

    pub(super) fn plan_flush(&self, members: Arc<Members>, at: Option<Instant>) {
        if let Some(at) = at {
            self.timer.add(at, Due::Flush(members));
        }
    }

    /// Does what is due at `now`; answers when to look again. Who ran out since `stopped`, when this
    /// process stood still, is given that time again: it may wait at the door.
    fn tick(&self, now: Instant, stopped: Option<Instant>) -> Option<Instant> {
        let due = self.timer.lock().wheel.expired(now);
        for due in due {
            // A bug that one of them meets holds up no other.
            let done = AssertUnwindSafe(|| self.on_due(due, now, stopped));
            if catch_unwind(done).is_err() {
                tracing::error!("a presence met a bug in its time; the others go on");
            }
        }
        let mut plan = self.timer.lock();
        plan.wakes_at = plan.wheel.until_next(now).map(|wait| now + wait);
        plan.wakes_at
    }

    fn on_due(&self, due: Due, now: Instant, stopped: Option<Instant>) {
        match due {
            Due::Client(client) => {
                let mut state = client.lock();
                state.entries -= 1;
                if state.ended {
                    let mut plan = self.timer.lock();
                    plan.stale = plan.stale.saturating_sub(1);
                } else {
                    if let Some(stopped) = stopped {
                        state.spare(stopped, now);
                    }
                    // A later entry may be on the wheel too; it will find nothing to do.
                    state.planned = None;
                    self.settle(&client, &mut state, now);
                }
            }
            Due::Flush(members) => {
                let flush = members.flush(&*self.tell, now);
                self.plan_flush(members, flush);
            }
        }
    }

    /// Runs the timer for ever: the one task that ends presences and flushes lists. Cancel safe.
    pub async fn run_timer(&self) {
        let mut stopped = None;
        loop {
            let looked = Instant::now();
            let next = self.tick(looked, stopped);
            match next {
                None => self.timer.alarm.notified().await,
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = self.timer.alarm.notified() => {}
                },
            }
            // Until a moment before it was to wake, it slept by right.
            let late = next.filter(|at| Instant::now() > *at + LATE);
            stopped = late.map(|at| at.checked_sub(LATE).unwrap_or(looked).max(looked));
        }
    }
}
