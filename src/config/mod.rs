//! The configuration: `config.toml`, the environment and the command line, judged whole.
//!
//! A file a table: `[presence]` is `presence.rs`, with its defaults, its bounds and its reader.
//! [`load()`] reads the file as a tree of values that know their lines (`file.rs`), lays the
//! environment (`environment.rs`) and the flags on it, and has each table read what is its own
//! (`section.rs`). What nobody reads is unknown, and a mistake. All mistakes are told together
//! ([`ConfigError`]), before a port is opened.
//!
//! From weakest to strongest: the defaults, the file, `PORT` and `DATABASE_URL`, `PUSHGATE_…`, flags.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnet::IpNet;
use jiff::tz::TimeZone;

mod admin;
mod api;
mod channels;
mod cors;
mod database;
mod environment;
mod file;
mod heartbeat;
mod hooks;
mod limits;
mod load;
mod log;
mod login;
mod mistake;
mod network;
mod pattern;
mod post;
mod presence;
mod reach;
mod secret;
mod section;
mod server;
mod suggest;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod tree;
mod warnings;

pub use admin::Admin;
pub use api::Api;
pub use channels::{ChannelRule, Channels, Delivery, HistoryBounds, Kind};
pub use cors::Cors;
pub use database::Database;
pub use heartbeat::Heartbeat;
pub use hooks::{HookEncoding, Hooks};
pub use limits::Limits;
pub use load::{Flags, load};
pub use log::{Log, LogFormat};
pub use login::Login;
pub use mistake::{ConfigError, Mistake, Origin};
pub use post::Post;
pub use presence::{IpDisclosure, Presence};
pub use reach::is_public;
pub use secret::Secret;
pub use server::Server;
pub use tls::Tls;
pub use tokens::Tokens;

/// The tables of the file.
const TABLES: [&str; 15] = [
    "limits",
    "presence",
    "post",
    "cors",
    "tokens",
    "login",
    "api",
    "admin",
    "hooks",
    "database",
    "tls",
    "heartbeat",
    "server",
    "log",
    "channels",
];

/// A whole configuration, every value within its bounds. It does not change while a node runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The address to listen on. Default: 0.0.0.0.
    pub bind: IpAddr,
    /// The port to listen on. 0 to 65 535, default 8080; 0 is any free one.
    pub port: u16,
    /// The directory for what outlives the process, made if missing; a relative one is relative
    /// to the working directory. Default: `data`.
    pub data_dir: PathBuf,
    /// Whether `data_dir` was given. Default: false.
    pub data_dir_given: bool,
    /// What signs tokens. At least 32 characters, no example. Default: none, and the server makes
    /// one.
    pub secret: Option<Secret>,
    /// The time zone of `datetime`, by its IANA name. Default: UTC.
    pub time_zone: TimeZone,
    /// Proxies whose `Forwarded` and `X-Forwarded-For` are believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[presence]`.
    pub presence: Presence,
    /// `[post]`.
    pub post: Post,
    /// `[cors]`.
    pub cors: Cors,
    /// `[tokens]`.
    pub tokens: Tokens,
    /// `[login]`.
    pub login: Login,
    /// `[api]`.
    pub api: Api,
    /// `[admin]`.
    pub admin: Admin,
    /// `[hooks]`.
    pub hooks: Hooks,
    /// `[database]`.
    pub database: Database,
    /// `[tls]`. Default: none, HTTP in the clear.
    pub tls: Option<Tls>,
    /// `[heartbeat]`.
    pub heartbeat: Heartbeat,
    /// `[server]`.
    pub server: Server,
    /// `[log]`.
    pub log: Log,
    /// `[channels]`.
    pub channels: Channels,
    /// Names, never values, of environment variables that ask for what this build has not:
    /// `REDIS_URL`, and a `DATABASE_URL` that is none of PostgreSQL.
    pub unserved: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 8080,
            data_dir: PathBuf::from("data"),
            data_dir_given: false,
            secret: None,
            time_zone: TimeZone::UTC,
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
            presence: Presence::default(),
            post: Post::default(),
            cors: Cors::default(),
            tokens: Tokens::default(),
            login: Login::default(),
            api: Api::default(),
            admin: Admin::default(),
            hooks: Hooks::default(),
            database: Database::default(),
            tls: None,
            heartbeat: Heartbeat::default(),
            server: Server::default(),
            log: Log::default(),
            channels: Channels::default(),
            unserved: Vec::new(),
        }
    }
}
