//! Every metric: its name, its labels, what it says. And how counts become the page that is scraped.
//!
//! Each part keeps a small struct of its own counts, and `gate/metrics.rs` puts them on the page.
//! The values of every label come from a table in the code: nothing that a client chooses, such as a
//! name, an id, an address or a path, is ever one.
//!
//! Counting costs next to nothing: an [`Own`] count is a plain addition of the one thread that has
//! it, and where many threads count, [`Sharded`] gives each a place of its own. They are added up
//! when somebody asks.

mod count;
mod page;

use prometheus_client::metrics::MetricType;

pub use count::{
    By, Count, Counts, Label, Labels, Number, Own, Sample, Sharded, Tally, Timing, Values,
};
pub use page::{MEDIA_TYPE, Page, page};

/// One metric, as it is documented and scraped.
#[derive(Debug)]
pub struct Metric {
    /// Its whole name, `_total` of a counter included.
    pub name: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    kind: MetricType,
}

macro_rules! metrics {
    ($($id:ident, $kind:ident, $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(
            #[doc = $help]
            pub const $id: Metric = Metric {
                name: $name, labels: &[$($label),*], help: $help, kind: MetricType::$kind,
            };
        )+
    };
}

metrics! {
    CONNECTIONS, Gauge, "pushgate_connections", ["transport"],
        "Connections of clients that are open; of polls, those that wait.";
    OPENED, Counter, "pushgate_connections_opened_total", ["transport"],
        "Connections of clients that were opened; of polls, those that had to wait.";
    ENDED, Counter, "pushgate_connections_ended_total", ["transport", "reason"],
        "Connections of clients that ended: by the close code they were told, or client, gone, unresponsive, answered.";
    SLOW_CONSUMERS, Counter, "pushgate_slow_consumers_total", [],
        "Connections that were closed with 4008 because their outbox was full.";

    PUBLICATIONS, Counter, "pushgate_publications_total", ["way", "kind"],
        "Publications that were accepted and ordered, by the way they came and the kind of their channel.";
    DIRECT_MESSAGES, Counter, "pushgate_direct_messages_total", ["way"],
        "Messages for one client that were accepted, by the way they came.";
    REPEATED, Counter, "pushgate_repeated_posts_total", ["way"],
        "Posts that were answered from an earlier one under their idempotency key, and published nothing.";
    DURABLE_POSTS, Counter, "pushgate_durable_posts_total", [],
        "Posts to durable channels that are on disk.";
    DURABLE_COMMITS, Counter, "pushgate_durable_commits_total", [],
        "Commits that posts to durable channels shared, each with a sync of the disk of its own.";
    IGNORED, Counter, "pushgate_ignored_messages_total", [],
        "Messages over WebSocket that are ignored by the contract of their kind of channel.";
    DELIVERIES, Counter, "pushgate_deliveries_total", ["transport", "what"],
        "Messages that were given to connections, written or put into their outboxes, and messages in answers to polls.";
    PUBLISH_TO_WRITE, Histogram, "pushgate_publish_to_write_seconds", [],
        "From the place of a publication in its order to the write to the last subscriber of a worker, or into its outbox; once a worker and batch, for the oldest in it.";
    SENT, Counter, "pushgate_sent_bytes_total", ["by"],
        "Bytes that were written to sockets before encryption, by HTTP and by the workers.";
    RECEIVED, Counter, "pushgate_received_bytes_total", ["by"],
        "Bytes that were read from sockets after decryption, by HTTP and by the workers.";
    INBOX_BYTES, Gauge, "pushgate_inbox_bytes", [],
        "Bytes of messages that wait in the inboxes of clients without a connection.";
    OUTBOX_BYTES, Gauge, "pushgate_outbox_bytes", [],
        "Bytes that wait in the outboxes of all connections.";
    REPLACED, Counter, "pushgate_latest_replaced_total", [],
        "Messages in outboxes of latest channels that newer ones replaced.";
    GAPS, Counter, "pushgate_gaps_total", ["what"],
        "Gaps that clients were told of: in the history of a channel, or in their inbox.";

    REJECTIONS, Counter, "pushgate_rejections_total", ["way", "code"],
        "Requests and messages that failed, by the code of the problem they were told.";
    LIMITED, Counter, "pushgate_limit_rejections_total", ["limit"],
        "Rejections, and ends of connections that could not be told, because of a limit, by its key in the configuration.";
    FLOODS, Counter, "pushgate_http2_floods_total", [],
        "Connections over HTTP/2 that were ended as floods: of resets, frames that ask for nothing, or header blocks without end.";
    HTTP_REQUESTS, Counter, "pushgate_http_requests_total", ["route", "status"],
        "HTTP requests that were answered, by route and class of status.";
    PANICS, Counter, "pushgate_panics_total", [],
        "Bugs of ours that were caught: each ended one request or connection.";

    CHANNELS, Gauge, "pushgate_channels", [],
        "Channels in use: with subscribers or history, or used a moment ago.";
    CLIENTS, Gauge, "pushgate_clients", [],
        "Clients present, anonymous subscribers and private lines among them.";
    PRESENCE_CHANGES, Counter, "pushgate_presence_changes_total", ["change"],
        "Clients that joined the users list of a channel, and that left one.";
    USERS_PUSHES, Counter, "pushgate_users_pushes_total", [],
        "Changes of users lists that were pushed to the subscribers of their channel.";
    HOOK_EVENTS, Counter, "pushgate_hook_events_total", ["event", "outcome"],
        "Events for the webhook that ended: delivered, given up after the last attempt, or dropped because the queue was full or the node ended.";
    HOOK_FAILURES, Counter, "pushgate_hook_failed_attempts_total", ["reason"],
        "Attempts to send an event to the webhook that failed, the last of those that were given up included.";
    HOOK_QUEUE, Gauge, "pushgate_hook_queue_length", [],
        "Events for the webhook that wait to be sent or tried again, or are being sent.";
    JOURNAL_LOST, Counter, "pushgate_journal_lost_total", [],
        "Changes of who is here that could not be written down, since the disk took nothing or less than came.";
    QUEUE, Gauge, "pushgate_worker_queue_length", ["worker"],
        "Places in the queue of a worker that are taken by publications and direct messages.";
    QUEUE_CAPACITY, Gauge, "pushgate_worker_queue_capacity", ["worker"],
        "Places that the queue of a worker has.";
    DRAINING, Gauge, "pushgate_draining", [],
        "1 once the node is going away.";

    BUILD, Info, "pushgate_build_info", ["version"],
        "The version that runs.";
    START_TIME, Gauge, "process_start_time_seconds", [],
        "When the process started, in seconds since 1970.";
    CPU, Counter, "process_cpu_seconds_total", [],
        "CPU time of the process.";
    RESIDENT, Gauge, "process_resident_memory_bytes", [],
        "Memory of the process that is resident.";
    OPEN_FDS, Gauge, "process_open_fds", [],
        "File descriptors that are open.";
    MAX_FDS, Gauge, "process_max_fds", [],
        "File descriptors that may be open.";
}
