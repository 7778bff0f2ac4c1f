//! What is wrong with a configuration, and where it was written.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written. The order is the one in which mistakes are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of a file, counted from 1; 0 means the file as a whole.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line, from 1, or 0 for the whole file.
        line: usize,
    },
    /// An environment variable, by name.
    Variable(String),
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One mistake. Its text names what is allowed, and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where the value was written.
    pub origin: Origin,
    /// The key, with its tables: `presence.timeout`. Empty where no key is at fault (TOML syntax).
    pub key: String,
    /// What is wrong, in lower case, without a full stop.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.origin, self.what)
        } else {
            write!(f, "{}: {} {}", self.origin, self.key, self.what)
        }
    }
}

/// Why there is no configuration: every mistake that was found, at least one.
///
/// `Display` prints one a line: file first, by line, then the environment, then flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    mistakes: Vec<Mistake>,
}

impl ConfigError {
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort();
        mistakes.dedup();
        Self { mistakes }
    }

    /// The mistakes, in the order in which they are printed.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
