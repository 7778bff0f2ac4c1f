//! Ctrl-C as an event, with a way out where nobody takes the event.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use super::error::CommandError;

/// How long a clean ending may take before the process just ends.
const GRACE: Duration = Duration::from_secs(2);

/// Sends `event` at the first Ctrl-C, and ends the process, successfully, if it is still there two
/// seconds later or at the second Ctrl-C: it may be blocked writing to a pipe that nobody reads.
pub(crate) fn watch<E: Send + 'static>(
    sender: SyncSender<E>,
    event: E,
) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)?;
    let wait = move || {
        runtime.block_on(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            // A full queue means that its reader is blocked; the grace takes care of that.
            let _ = sender.try_send(event);
            let _ = tokio::time::timeout(GRACE, tokio::signal::ctrl_c()).await;
            std::process::exit(0);
        });
    };
    thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(wait)
        .map_err(CommandError::Runtime)?;
    Ok(())
}
