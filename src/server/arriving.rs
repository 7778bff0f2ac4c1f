//! Bodies of requests that are still on their way when the node goes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// A body that is waited for until the node drains, and no longer: the process would end before it,
/// and its sender learn nothing.
///
/// A verb acts on a body once it is whole. So one that was cut has had no effect.
pub(super) struct Arriving<B> {
    body: B,
    draining: watch::Receiver<bool>,
    /// Exists only while the body is waited for.
    drained: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    fate: Fate,
}

/// Whether a body was cut. Writer: the body. Reader: who answers the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate(Arc<AtomicBool>);

impl Fate {
    pub(super) fn is_cut(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B> Arriving<B> {
    /// `body`, until `draining` says so.
    pub(super) fn new(body: B, draining: watch::Receiver<bool>) -> Self {
        Self { body, draining, drained: None, fate: Fate::default() }
    }

    pub(super) fn fate(&self) -> Fate {
        self.fate.clone()
    }
}

impl<B> Body for Arriving<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.drained = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let mut draining = self.draining.clone();
        let drained = self.drained.get_or_insert_with(|| {
            Box::pin(async move {
                // Without a sender there is no node either.
                let _ = draining.wait_for(|draining| *draining).await;
            })
        });
        ready!(drained.as_mut().poll(context));
        self.fate.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err("the node is going away".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full, StreamBody};

    #[tokio::test]
    async fn what_is_there_is_read_and_what_is_not_is_cut() {
        let (drain, draining) = watch::channel(true);
        let whole = Arriving::new(Full::new(Bytes::from("all")), draining.clone());
        let fate = whole.fate();
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "all");
        assert!(!fate.is_cut());

        drain.send_replace(false);
        let never = futures_util::stream::pending::<Result<Frame<Bytes>, BoxError>>();
        let pending = Arriving::new(StreamBody::new(never), draining);
        let fate = pending.fate();
        let (read, ()) = tokio::join!(pending.collect(), async {
            tokio::task::yield_now().await;
            assert!(!fate.is_cut());
            drain.send_replace(true);
        });
        assert!(read.is_err() && fate.is_cut());
    }
}
