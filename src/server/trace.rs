//! Logs: text for people or JSON for machines, on standard error.

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

/// As much of what a peer chose as one line of the log shows.
const SHOWN: usize = 200;

/// The beginning of `text`, for a log.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// Starts logging for the process; a second call changes nothing.
///
/// A level alone is ours, and no filter opens a library below `warn`: some of them write header
/// fields, and with them tokens, into their finest logs.
pub fn start_logging(log: &Log) {
    let directive = if log.level.contains(['=', ',']) {
        log.level.clone()
    } else {
        format!("warn,pushgate={}", log.level)
    };
    let logs =
        tracing_subscriber::registry().with(EnvFilter::new(directive)).with(filter_fn(may_log));
    let lines = fmt::layer().with_writer(std::io::stderr);
    // A test may have started it already.
    let _ = match log.format {
        LogFormat::Text => logs.with(lines.with_ansi(false)).try_init(),
        LogFormat::Json => logs.with(lines.json().flatten_event(true)).try_init(),
    };
}

/// Whether something may be logged at all, whatever the filter asks for.
///
/// A filter can name any module of any library, so that no rule in it could be the last word.
fn may_log(metadata: &Metadata<'_>) -> bool {
    let part = metadata.target().split("::").next().unwrap_or_default();
    let finest = match part {
        "pushgate" => Level::TRACE,
        // It warns of each wrong frame: as often as a peer likes.
        "h2" => Level::ERROR,
        _ => Level::WARN,
    };
    *metadata.level() <= finest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("/ws/로비"), "/ws/로비");
        let long = "로".repeat(SHOWN);
        assert_eq!(cut(&long), long);
        assert_eq!(cut(&format!("{long}비")), format!("{long}…"));
    }
}
