//! What an operator can rely on, and what an operator is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

mod channel_rules;
mod databases;
mod environments;
mod files;
mod precedence;
mod secrets;
mod shipped;
mod tables;
mod warnings_told;

use super::tree::Table;
use super::*;

type Env<'a> = &'a [(&'a str, &'a str)];

const SECRET: &str = "f3b1c0de-aa55-4711-9d4e-27c1e0b6a913";

/// Loads `text` as if it were `c.toml`, below `env` and `flags`.
fn with(text: &str, env: Env<'_>, flags: &Flags) -> Result<Config, ConfigError> {
    let table = file::parse(Path::new("c.toml"), text).map_err(ConfigError::new)?;
    load::assemble(table, flags, owned(env))
}

fn owned(env: Env<'_>) -> Vec<(String, String)> {
    env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    with(text, &[], &Flags::default())
}

fn from_env(env: Env<'_>) -> Result<Config, ConfigError> {
    load::assemble(Table::new(), &Flags::default(), owned(env))
}

/// The lines that an operator reads.
fn told(result: Result<Config, ConfigError>) -> Vec<String> {
    result.unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// The one line, which begins with `start` and holds each of `parts`.
fn assert_told(result: Result<Config, ConfigError>, start: &str, parts: &[&str]) {
    let lines = told(result);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with(start), "{} does not start with {start}", lines[0]);
    for part in parts {
        assert!(lines[0].contains(part), "{} does not hold {part}", lines[0]);
    }
}

fn rule<'a>(config: &'a Config, pattern: &str) -> &'a ChannelRule {
    config.channels.rules.iter().find(|rule| rule.pattern == pattern).unwrap()
}

/// A file of its own in the temporary directory, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("pushgate-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn load(&self) -> Result<Config, ConfigError> {
        load(&Flags { config: Some(self.0.clone()), ..Flags::default() }, [])
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
