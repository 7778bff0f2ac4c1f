//! Ctrl-C and SIGTERM as an event, with a way out where nobody takes the event.

use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CommandError;

/// How long a clean ending may take before the process just ends.
const GRACE: Duration = Duration::from_secs(2);

/// Calls `tell`, which must not wait, at the first SIGINT or SIGTERM; and ends the process,
/// successfully, if it is still there two seconds later or at the second signal: it may be blocked
/// writing to a pipe that nobody reads.
pub(crate) fn watch(tell: impl FnOnce() + Send + 'static) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(CommandError::Runtime)?
    };
    let wait = move || {
        runtime.block_on(async move {
            signals.next().await;
            tell();
            let _ = tokio::time::timeout(GRACE, signals.next()).await;
            std::process::exit(0);
        });
    };
    thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(wait)
        .map_err(CommandError::Runtime)?;
    Ok(())
}

/// What asks a process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
