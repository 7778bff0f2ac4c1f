//! `[log]`: what is written to standard error, and how.

use tracing_subscriber::EnvFilter;

use super::section::Section;
use super::suggest;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How a line looks. Default: text.
    pub format: LogFormat,
    /// A level, or directives of a tracing filter such as `info,pushgate::hub=debug`. Libraries log
    /// warnings at the most, whatever it asks for. Default: `info`.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Log {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        const WORDS: [(&str, LogFormat); 2] =
            [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let mut log = Self::default();
        section.choice("format", &WORDS, &mut log.format);
        if let Some(level) = section.parsed("level", level) {
            log.level = level;
        }
        log
    }
}

fn level(text: &str) -> Result<String, String> {
    // A lone word that is no level would be taken for the name of a module, and log nothing else.
    for word in text.split(',').map(str::trim) {
        let lone = !word.contains(['=', '[', ':']);
        if lone && !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)) {
            let hint = suggest::nearest(word, LEVELS)
                .map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            return Err(format!("must be one of {}, not {word:?}{hint}", LEVELS.join(", ")));
        }
    }
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("is no filter: {error}")),
    }
}
