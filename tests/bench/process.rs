//! A server under measurement: started on its CPU, found by what it prints, ended with us.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::machine;

/// The last lines that a server printed.
type Log = Arc<Mutex<VecDeque<String>>>;

/// How many lines of a server we keep.
const LINES: usize = 12;

/// A running server. Dropping it kills the process, by its id, and removes its directory.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
    log: Log,
    directory: Option<PathBuf>,
}

impl Server {
    /// Starts another process of ours as the floor.
    pub(crate) fn floor(name: &'static str) -> io::Result<Self> {
        let mut command = machine::server_command(std::env::current_exe()?.as_os_str());
        command.arg("floor");
        Self::start(name, command, None)
    }

    /// Starts a floor that keeps posts in a folder of its own in `parent`, with more of an environment.
    pub(crate) fn keeper(
        parent: &Path,
        environment: impl IntoIterator<Item = (&'static str, OsString)>,
    ) -> io::Result<Self> {
        let folder = parent.join(format!("pushgate-bench-{}-keeper", std::process::id()));
        std::fs::create_dir(&folder)?;
        let mut command = machine::server_command(std::env::current_exe()?.as_os_str());
        command.arg("floor").arg(&folder).envs(environment);
        Self::start("keeper", command, Some(folder))
    }

    /// Starts `command` and waits, ten seconds at most, until it says where it listens.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        directory: Option<PathBuf>,
    ) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (found, ready) = mpsc::sync_channel(1);
        let log = Log::default();
        if let Some(output) = child.stdout.take() {
            drain(output, found.clone(), Arc::clone(&log));
        }
        if let Some(output) = child.stderr.take() {
            drain(output, found, Arc::clone(&log));
        }
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = Self { name, address: nowhere, child, log, directory };
        let port = ready.recv_timeout(Duration::from_secs(10)).map_err(|_| {
            io::Error::other(format!(
                "{name} did not say where it listens:\n{}",
                server.last_words()
            ))
        })?;
        server.address.set_port(port);
        Ok(server)
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it has.
    pub(crate) fn death(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{} ended with {status}:\n{}", self.name, self.last_words()))
    }

    /// The last lines that the process printed.
    pub(crate) fn last_words(&self) -> String {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().flat_map(|line| ["    | ", line, "\n"]).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either may fail only because it has happened already.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(directory) = &self.directory {
            drop(std::fs::remove_dir_all(directory));
        }
    }
}

/// Reads a server's output to its end, on a thread of its own, or the server would stand still when
/// the pipe is full. Sends the port once it is told.
fn drain(output: impl Read + Send + 'static, found: SyncSender<u16>, log: Log) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(port) = port(&line) {
                // Nobody listens for a second one.
                let _ = found.try_send(port);
            }
            let mut lines = log.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back(line);
            if lines.len() > LINES {
                lines.pop_front();
            }
        }
    });
}

/// The port in a line such as `… listening on http://127.0.0.1:41234 …`.
fn port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("listening on http://")?;
    let address =
        rest.split(|sign: char| sign.is_whitespace() || "\"/,\u{1b}".contains(sign)).next()?;
    address.rsplit(':').next()?.parse().ok()
}
