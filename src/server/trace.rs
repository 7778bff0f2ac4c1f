//! Logs: text for people or JSON for machines, on standard error.

use tracing_subscriber::EnvFilter;

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
/// A level alone is ours: libraries stay at `warn`, since some of them write header fields, and
/// with them tokens, into their finest logs.
pub fn start_logging(log: &Log) {
    let directive = if log.level.contains(['=', ',']) {
        log.level.clone()
    } else {
        format!("warn,pushgate={}", log.level)
    };
    // h2 warns of each wrong frame: as often as a peer likes.
    let quiet = ["hyper=warn", "hyper_util=warn", "h2=error", "rustls=warn", "tungstenite=warn"];
    let mut filter = EnvFilter::new(directive);
    for library in quiet.iter().filter_map(|text| text.parse().ok()) {
        filter = filter.add_directive(library);
    }
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A test may have started it already.
    let _ = match log.format {
        LogFormat::Text => logs.with_ansi(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
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
