//! Bugs: every panic is told in one place, ends what it belongs to and nothing else, and
//! ends the process where the gateway could only limp on.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::pin::pin;
use std::task::Poll;

/// Has every panic of this process logged as one line; for a process of its own.
///
/// A text that was put together while panicking may hold what a client sent, and is left out: the
/// place in the source is told either way.
pub fn report_panics() {
    std::panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(thread, place, what = literal(info.payload()), "a bug: this code panicked");
}

/// The text of a panic if it was written down in the source as it is.
fn literal(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("")
}

/// A future panicked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Panicked;

/// What `future` gives, or that it panicked; it is not polled again then.
///
/// What it shared must be usable after a panic at any point: our locks are taken over from who
/// panicked, since what they guard is valid between any two statements.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(Err(Panicked)), |polled| polled.map(Ok))
    })
    .await
}

/// Runs a part for ever that nothing works for long without: a panic of it ends the process.
pub(super) async fn vital(part: &'static str, running: impl Future<Output = ()>) {
    if caught(running).await.is_err() {
        tracing::error!(part, "this part cannot go on");
        die();
    }
}

/// Ends the process by SIGABRT, so that whoever watches it starts another. What was acknowledged as
/// written is on disk; connections end without a word, and clients come back.
pub(super) fn die() {
    tracing::error!("the gateway ends: it would only limp on");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_where_it_belongs() {
        assert_eq!(caught(async { 5 }).await, Ok(5));
        let later = caught(async {
            tokio::task::yield_now().await;
            let nothing: Option<u8> = std::hint::black_box(None);
            nothing.expect("a bug")
        });
        assert_eq!(later.await, Err(Panicked));
    }

    #[test]
    fn only_what_the_source_says_is_told_of_a_panic() {
        let text = std::panic::catch_unwind(|| panic!("as written")).unwrap_err();
        assert_eq!(literal(&*text), "as written");
        let secret = "what a client sent";
        let text = std::panic::catch_unwind(|| panic!("cannot read {secret}")).unwrap_err();
        assert_eq!(literal(&*text), "");
    }

    /// Set in the process that is to end.
    const ENDS: &str = "PUSHGATE_TEST_ENDS";

    #[tokio::test]
    async fn a_bug_in_a_vital_part_ends_the_process() {
        use std::os::unix::process::ExitStatusExt;

        if std::env::var_os(ENDS).is_some() {
            vital("a part", async { panic!("a bug") }).await;
            return;
        }
        // This very test, in a process of its own.
        let name = "server::panics::tests::a_bug_in_a_vital_part_ends_the_process";
        let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", name]).env(ENDS, "1").output().await.unwrap();
        assert_eq!(child.status.signal(), Some(libc::SIGABRT), "{child:?}");
    }
}
