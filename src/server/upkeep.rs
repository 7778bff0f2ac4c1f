//! What has to be done from time to time, and the one timer of presence.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::memory::Memory;
use super::panics::{die, vital};
use crate::gate::Gate;
use crate::store::{DataDir, Lock, StoreError};

/// How often what is too old is forgotten, and the time written down: as long as this a crash and
/// a clock set back together could revive an expired token.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether a crowd has come or gone.
const MEMORY: Duration = Duration::from_secs(1);

/// Starts the tasks; they end when they are aborted.
pub(super) fn start(
    gate: &Arc<Gate>,
    directory: Option<DataDir>,
    lock: Option<Arc<Lock>>,
) -> Vec<JoinHandle<()>> {
    let presence = Arc::clone(&gate.presence);
    let timer = async move { presence.run_timer().await };
    let timer = tokio::spawn(vital("the timer of presence", timer));
    let forget = tokio::spawn(vital("upkeep", forget(Arc::clone(gate), directory)));
    let board = Arc::clone(gate);
    let board = tokio::spawn(vital("the board", async move { board.keep_board().await }));
    let archive = Arc::clone(gate);
    let archive = tokio::spawn(vital("the archive", async move { archive.keep_archive().await }));
    let memory = tokio::spawn(vital("upkeep", watch_memory(Arc::clone(gate))));
    let lock = tokio::spawn(vital("upkeep", watch_lock(lock)));
    vec![timer, forget, board, archive, memory, lock]
}

/// Ends the process where another uses its data directory: two that write there would undo what each
/// other has acknowledged.
async fn watch_lock(lock: Option<Arc<Lock>>) {
    let Some(lock) = lock else { return };
    let mut is_told = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let lock = Arc::clone(&lock);
        let Ok(renewed) = tokio::task::spawn_blocking(move || lock.renew()).await else { continue };
        match &renewed {
            Ok(true) => tracing::error!(
                "the file `lock` of the data directory was removed or replaced: it is made anew. Leave \
                 it alone while the gateway runs"
            ),
            Err(error @ StoreError::InUse { .. }) => {
                tracing::error!(%error, "the file `lock` was removed, and another process has begun");
                die();
            }
            Err(error) if !is_told => tracing::error!(%error, "the lock cannot be looked after"),
            Ok(false) | Err(_) => {}
        }
        is_told = renewed.is_err();
    }
}

async fn forget(gate: Arc<Gate>, directory: Option<DataDir>) {
    loop {
        let time = gate.clock.now();
        gate.presence.sweep();
        gate.hub.sweep(Instant::now());
        gate.idempotency.sweep(Instant::now());
        gate.rates.sweep();
        gate.addresses.sweep();
        gate.live.forget_expired(time);
        write_time(&gate, directory.clone()).await;
        gate.mend_ended().await;
        if let Some(scribe) = &gate.scribe {
            scribe.mend(&gate.presence).await;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Writes down until when tokens were judged: the next run begins there at the earliest.
pub(super) async fn write_time(gate: &Gate, directory: Option<DataDir>) {
    let Some(directory) = directory else { return };
    let time = gate.clock.now();
    let written = tokio::task::spawn_blocking(move || directory.write_time(time.millis())).await;
    if let Ok(Err(error)) = written {
        tracing::error!(%error, "the time could not be written down");
    }
}

async fn watch_memory(gate: Arc<Gate>) {
    let mut memory = Memory::default();
    loop {
        if memory.look(gate.hub.workers().connections() + gate.presence.len()) {
            gate.hub.workers().wake();
            // These wake the threads of the runtime, or as many as have nothing to do.
            for _ in 0..tokio::runtime::Handle::current().metrics().num_workers() {
                tokio::spawn(tokio::task::yield_now());
            }
        }
        tokio::time::sleep(MEMORY).await;
    }
}
