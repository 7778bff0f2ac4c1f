//! A bug in one request is the end of that request, and of nothing else.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use axum::response::{IntoResponse, Response};

use crate::code::Problem;
use crate::gate::{Failure, Gate};
use crate::metrics::Tally as _;

/// What `answer` gives; 500 if it panics, which is counted.
pub(super) async fn caught(
    answer: impl Future<Output = Result<Response, Infallible>>,
    gate: &Gate,
) -> Response {
    let Some(response) = outcome(answer).await else {
        tracing::error!("answering a request panicked");
        gate.tallies.mine().panics.add(1);
        let detail = "something broke in the gateway; it was written down";
        return Failure::new(Problem::Internal, detail).into_response();
    };
    response
}

/// What `future` gives; `None` if it panics. It is not asked again then.
async fn outcome<T>(future: impl Future<Output = Result<T, Infallible>>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // No lock stays broken: whoever meets a poisoned one goes on.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(output))) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_outcome() {
        assert_eq!(outcome(async { Ok(1) }).await, Some(1));
        let broken = async {
            tokio::task::yield_now().await;
            panic!("as this test wants it");
        };
        assert_eq!(outcome::<u8>(broken).await, None);
    }
}
