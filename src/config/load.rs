//! From file, environment and flags to one [`Config`].

use std::path::PathBuf;

use jiff::tz::{self, TimeZone};

use super::mistake::{Mistake, Origin};
use super::secret::strong;
use super::section::Section;
use super::tree::{self, Node, Table, Value};
use super::{
    Admin, Api, Channels, Config, ConfigError, Cors, Database, Heartbeat, Hooks, Limits, Log,
    Login, Post, Presence, Server, Tls, Tokens, environment, file, network, suggest,
};

/// A key for HMAC-SHA-256 has 256 bits, and characters have at most 8.
const SECRET: usize = 32;

/// The flags of the command line that are configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`: the file to read. It must exist, unlike `config.toml` in the working directory,
    /// which is read where this is absent.
    pub config: Option<PathBuf>,
    /// `--bind`: an address.
    pub bind: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

/// The configuration that flags, `env` and the file make together.
///
/// Waits for the file system: call it before the runtime starts.
///
/// # Errors
/// [`ConfigError`] with every mistake of all sources. A file that cannot be read, or that is not
/// TOML, is told alone.
///
/// Source: wire.md section 10; style.md section 6.
pub fn load(
    flags: &Flags,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let table = file::read(flags.config.as_deref()).map_err(ConfigError::new)?;
    assemble(table, flags, env)
}

/// [`load`] with the file already read.
pub(super) fn assemble(
    mut table: Table,
    flags: &Flags,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut mistakes = Vec::new();
    let found = environment::read(env, &mut mistakes);
    if let Some(port) = found.port {
        table.insert("port".to_owned(), port);
    }
    tree::overlay(&mut table, found.table, "", &mut mistakes);
    tree::overlay(&mut table, given(flags), "", &mut mistakes);

    // A path need not be text, so the flag does not go through the tree.
    if flags.data_dir.is_some() {
        table.remove("data_dir");
    }
    let mut config = read(table, &mut mistakes);
    if let Some(path) = &flags.data_dir {
        if path.as_os_str().is_empty() {
            let origin = Origin::Flag("--data-dir");
            let what = "must not be empty".to_owned();
            mistakes.push(Mistake { origin, key: "data_dir".to_owned(), what });
        }
        config.data_dir.clone_from(path);
        config.data_dir_given = true;
    }
    config.unserved = found.unserved;
    if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::new(mistakes)) }
}

fn given(flags: &Flags) -> Table {
    let mut table = Table::new();
    let mut set = |key: &str, flag, value| {
        table.insert(key.to_owned(), Node { origin: Origin::Flag(flag), value });
    };
    if let Some(bind) = &flags.bind {
        set("bind", "--bind", Value::Text(bind.clone()));
    }
    if let Some(port) = flags.port {
        set("port", "--port", Value::Integer(port.into()));
    }
    table
}

/// Has every table read what is its own, and tells what is left.
fn read(table: Table, mistakes: &mut Vec<Mistake>) -> Config {
    let mut root = Section::root(table, mistakes);
    let mut config = Config::default();
    read_top(&mut root, &mut config);
    config.limits = root.table("limits", Limits::read);
    config.presence = root.table("presence", Presence::read);
    config.post = root.table("post", Post::read);
    config.cors = root.table("cors", Cors::read);
    config.tokens = root.table("tokens", Tokens::read);
    config.login = root.table("login", Login::read);
    config.api = root.table("api", Api::read);
    config.admin = root.table("admin", Admin::read);
    config.hooks = root.table("hooks", Hooks::read);
    config.database = root.table("database", Database::read);
    config.tls = root.table("tls", Tls::read);
    config.heartbeat = root.table("heartbeat", Heartbeat::read);
    config.server = root.table("server", Server::read);
    config.log = root.table("log", Log::read);
    config.channels = root.table("channels", Channels::read);
    root.finish();
    config
}

/// The keys above the first table.
fn read_top(root: &mut Section<'_>, config: &mut Config) {
    if let Some(bind) = root.parsed("bind", network::address) {
        config.bind = bind;
    }
    root.whole("port", 0..=u16::MAX, &mut config.port);
    let directory = |text: &str| match text {
        "" => Err("must not be empty".to_owned()),
        path => Ok(PathBuf::from(path)),
    };
    if let Some(path) = root.parsed("data_dir", directory) {
        config.data_dir = path;
        config.data_dir_given = true;
    }
    config.secret = root.optional("secret", |text| strong(text, SECRET));
    if let Some(zone) = root.parsed("time_zone", time_zone) {
        config.time_zone = zone;
    }
    root.list("trusted_proxies", &mut config.trusted_proxies, network::parse);
}

fn time_zone(name: &str) -> Result<TimeZone, String> {
    match TimeZone::get(name) {
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        Ok(_) | Err(_) => {
            let known: Vec<String> = tz::db().available().map(|it| it.to_string()).collect();
            let hint = suggest::nearest(name, known.iter().map(String::as_str))
                .map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            Err(format!("must be an IANA name such as \"UTC\" or \"Asia/Seoul\"{hint}"))
        }
    }
}
