//! The gateway: where its binary is, and the configuration that it is measured with.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::machine;
use crate::process::Server;

/// As shipped but for limits by address, since all our clients come from one.
const CONFIG: &str = "[limits]\nexempt = [\"127.0.0.0/8\", \"::1/128\"]\n";

/// Variables of the environment that would change what is measured.
const FOREIGN: [&str; 4] = ["PORT", "REDIS_URL", "DATABASE_URL", "RUST_LOG"];
/// The same, of those that the gateway looks for by their beginning.
const FOREIGN_PREFIX: &[u8] = b"PUSHGATE_";

/// Starts the gateway, in a data directory of its own.
///
/// # Errors
/// No binary, or one that does not say where it listens.
pub(crate) fn start() -> io::Result<Server> {
    start_with("")
}

/// As [`start`], with more of a configuration; its first lines are still of `[limits]`.
pub(crate) fn start_with(more: &str) -> io::Result<Server> {
    start_of("gateway", binary()?.as_os_str(), &std::env::temp_dir(), more, [])
}

/// As [`start_with`], with its data in the folder `parent` and more of an environment.
pub(crate) fn start_on(
    parent: &Path,
    more: &str,
    environment: impl IntoIterator<Item = (&'static str, OsString)>,
) -> io::Result<Server> {
    start_of("gateway", binary()?.as_os_str(), parent, more, environment)
}

/// As [`start`], but another one than ours.
pub(crate) fn start_other(binary: &Path) -> io::Result<Server> {
    start_of("other gateway", binary.as_os_str(), &std::env::temp_dir(), "", [])
}

fn start_of(
    name: &'static str,
    binary: &OsStr,
    parent: &Path,
    more: &str,
    environment: impl IntoIterator<Item = (&'static str, OsString)>,
) -> io::Result<Server> {
    let directory = fresh_directory(parent)?;
    let config = directory.join("config.toml");
    std::fs::write(&config, format!("{CONFIG}{more}"))?;
    let mut command = machine::server_command(binary);
    command.args(["serve", "--port", "0", "--data-dir"]).arg(&directory);
    command.arg("--config").arg(&config);
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(FOREIGN_PREFIX) || FOREIGN.iter().any(|foreign| name == *foreign) {
            command.env_remove(name);
        }
    }
    command.envs(environment);
    Server::start(name, command, Some(directory))
}

fn binary() -> io::Result<PathBuf> {
    let named = std::env::var_os("BENCH_GATEWAY").map(PathBuf::from);
    let built = option_env!("CARGO_BIN_EXE_pushgate").map(PathBuf::from);
    named.or(built).ok_or_else(|| io::Error::other("no gateway: set BENCH_GATEWAY to its binary"))
}

fn fresh_directory(parent: &Path) -> io::Result<PathBuf> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let name = format!("pushgate-bench-{}-{number}", std::process::id());
    let directory = parent.join(name);
    std::fs::create_dir(&directory)?;
    Ok(directory)
}
