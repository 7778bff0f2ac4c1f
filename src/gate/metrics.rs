//! `GET /metrics`: how the node fares, for Prometheus and its kin.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use http::request::Parts;

use super::problem::Answer;
use super::request::remote_of;
use super::tally::Tally;
use super::{Failure, Gate, process};
use crate::code::Problem;
use crate::hooks::Tally as HookTally;
use crate::metrics::{self, Counts, MEDIA_TYPE, Number, Page, Sample, Tally as _, page};
use crate::worker::Tally as WorkerTally;

/// The verb on the public listener: for this machine, and for whoever has an API key.
pub(super) async fn metrics(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, _body) = request.into_parts();
    gate.check_reader(&parts)?;
    answer(gate).await
}

/// The verb on the admin listener: who reaches that may read.
pub(super) async fn admin_metrics(State(gate): State<Arc<Gate>>) -> Answer {
    answer(gate).await
}

async fn answer(gate: Arc<Gate>) -> Answer {
    // What the system is asked for may take it a moment.
    let text = tokio::task::spawn_blocking(move || page(move |page| gate.tell(page)));
    let text = text.await.map_err(|_| Failure::new(Problem::Internal, "metrics panicked"))?;
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl Gate {
    fn check_reader(&self, parts: &Parts) -> Result<(), Failure> {
        if self.is_backend(parts) {
            return Ok(());
        }
        if parts.headers.contains_key(AUTHORIZATION) {
            return Err(Failure::new(Problem::Unauthorized, "this is none of our API keys"));
        }
        // A page in a browser on this machine is not its operator.
        if remote_of(parts).is_here() && !parts.headers.contains_key(ORIGIN) {
            return Ok(());
        }
        let detail = "metrics are for this machine, or with an API key";
        Err(Failure::new(Problem::Forbidden, detail))
    }

    /// Tells everything, in the order of the table.
    fn tell(&self, page: &mut Page<'_>) -> fmt::Result {
        self.tell_connections(page)?;
        self.tell_traffic(page)?;
        self.tell_failures(page)?;
        self.tell_state(page)?;
        self.tell_process(page)
    }

    fn tell_connections(&self, page: &mut Page<'_>) -> fmt::Result {
        page.tell_sum(&metrics::CONNECTIONS, self.workers().map(|it| counts(&it.open)))?;
        page.tell_sum(&metrics::OPENED, self.workers().map(|it| counts(&it.opened)))?;
        page.tell_sum(&metrics::ENDED, self.workers().map(|it| counts(&it.ended)))?;
        page.tell_sum(&metrics::SLOW_CONSUMERS, self.workers().map(|it| counts(&it.slow)))
    }

    fn tell_traffic(&self, page: &mut Page<'_>) -> fmt::Result {
        page.tell_sum(&metrics::PUBLICATIONS, self.threads().map(|it| counts(&it.publications)))?;
        page.tell_sum(&metrics::DIRECT_MESSAGES, self.threads().map(|it| counts(&it.direct)))?;
        page.tell_sum(&metrics::REPEATED, self.threads().map(|it| counts(&it.repeated)))?;
        let stored = self.archive.tally();
        page.tell_sum(&metrics::DURABLE_POSTS, [counts(&stored.posts)])?;
        page.tell_sum(&metrics::DURABLE_COMMITS, [counts(&stored.commits)])?;
        page.tell_sum(&metrics::IGNORED, self.threads().map(|it| counts(&it.ignored)))?;
        let at_once = self.threads().map(|it| counts(&it.delivered));
        let later = self.workers().map(|it| counts(&it.delivered));
        page.tell_sum(&metrics::DELIVERIES, at_once.chain(later))?;
        page.tell_timings(&metrics::PUBLISH_TO_WRITE, self.workers().map(|it| &it.latency))?;
        let http = self.threads().map(|it| it.sent.get()).sum();
        let workers = self.workers().map(|it| it.sent.get()).sum();
        page.tell(&metrics::SENT, by_layer(http, workers))?;
        let http = self.threads().map(|it| it.received.get()).sum();
        let workers = self.workers().map(|it| it.received.get()).sum();
        page.tell(&metrics::RECEIVED, by_layer(http, workers))?;
        page.tell_sum(&metrics::OUTBOX_BYTES, self.workers().map(|it| counts(&it.waiting)))?;
        page.tell_sum(&metrics::REPLACED, self.workers().map(|it| counts(&it.replaced)))
    }

    fn tell_failures(&self, page: &mut Page<'_>) -> fmt::Result {
        let at_once = self.threads().map(|it| counts(&it.gaps));
        let later = self.workers().map(|it| counts(&it.gaps));
        page.tell_sum(&metrics::GAPS, at_once.chain(later))?;
        page.tell_sum(&metrics::REJECTIONS, self.threads().map(|it| counts(&it.rejections)))?;
        let requests = self.threads().map(|it| counts(&it.limited));
        let connections = self.workers().map(|it| counts(&it.limited));
        page.tell_sum(&metrics::LIMITED, requests.chain(connections))?;
        page.tell_sum(&metrics::FLOODS, self.threads().map(|it| counts(&it.floods)))?;
        page.tell_sum(&metrics::HTTP_REQUESTS, self.threads().map(|it| counts(&it.requests)))?;
        let requests = self.threads().map(|it| counts(&it.panics));
        let connections = self.workers().map(|it| counts(&it.panics));
        page.tell_sum(&metrics::PANICS, requests.chain(connections))
    }

    fn tell_state(&self, page: &mut Page<'_>) -> fmt::Result {
        page.tell_one(&metrics::CHANNELS, self.hub.len())?;
        page.tell_one(&metrics::CLIENTS, self.presence.len())?;
        page.tell_one(&metrics::INBOX_BYTES, self.presence.inbox_bytes())?;
        page.tell_sum(&metrics::PRESENCE_CHANGES, [counts(self.presence.changes())])?;
        page.tell_sum(&metrics::USERS_PUSHES, [counts(self.hub.users_pushes())])?;
        self.tell_hooks(page)?;
        let queues: Vec<_> = self.hub.workers().queues().enumerate().collect();
        let worker = |worker: usize| vec![Cow::Owned(worker.to_string())];
        let taken = queues.iter().map(|(index, (taken, _))| (worker(*index), (*taken).into()));
        page.tell(&metrics::QUEUE, taken)?;
        let places = queues.iter().map(|(index, (_, places))| (worker(*index), (*places).into()));
        page.tell(&metrics::QUEUE_CAPACITY, places)?;
        page.tell_one(&metrics::DRAINING, u64::from(self.drain.is_draining()))
    }

    /// Zeros where no receiver is configured, and where nothing is written down.
    fn tell_hooks(&self, page: &mut Page<'_>) -> fmt::Result {
        let (none, webhook) = (HookTally::default(), self.webhook.as_ref());
        let tally = webhook.map_or(&none, |webhook| webhook.tally());
        page.tell_sum(&metrics::HOOK_EVENTS, [counts(&tally.events)])?;
        page.tell_sum(&metrics::HOOK_FAILURES, [counts(&tally.failures)])?;
        page.tell_one(&metrics::HOOK_QUEUE, webhook.map_or(0, |webhook| webhook.waiting()))?;
        let lost = self.scribe.as_ref().map_or(0, |scribe| scribe.lost());
        page.tell_one(&metrics::JOURNAL_LOST, lost)
    }

    fn tell_process(&self, page: &mut Page<'_>) -> fmt::Result {
        page.tell_info(&metrics::BUILD, &[env!("CARGO_PKG_VERSION")])?;
        let start = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        page.tell_one(&metrics::START_TIME, start)?;
        // What the system does not tell is left out.
        if let Some(time) = process::cpu_time() {
            page.tell_one(&metrics::CPU, time)?;
        }
        let numbers = [
            (&metrics::RESIDENT, process::resident_bytes()),
            (&metrics::OPEN_FDS, process::open_descriptors()),
            (&metrics::MAX_FDS, process::most_descriptors()),
        ];
        for (metric, number) in numbers {
            if let Some(number) = number {
                page.tell_one(metric, number)?;
            }
        }
        Ok(())
    }

    /// What the threads of HTTP and of connections counted here.
    fn threads(&self) -> impl Iterator<Item = &Tally> {
        self.tallies.iter()
    }

    /// What the workers counted.
    fn workers(&self) -> impl Iterator<Item = &WorkerTally> {
        self.hub.workers().tallies()
    }
}

fn counts(counts: &impl Counts) -> &dyn Counts {
    counts
}

fn by_layer(http: u64, workers: u64) -> [Sample; 2] {
    [("http", http), ("worker", workers)]
        .map(|(layer, bytes)| (vec![Cow::Borrowed(layer)], Number::Whole(bytes)))
}
