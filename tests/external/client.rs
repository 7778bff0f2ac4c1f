//! A client that is a process of its own, and what it prints.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::common::client::Block;
use crate::common::until;

/// How long a process may say nothing: Python and Node start slowly on a machine that builds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that are kept until a test reads them. A client that cannot print would not read either.
const KEPT: usize = 10_000;

/// How what is printed is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A message a line.
    Lines,
    /// An event stream.
    Blocks,
    /// The lines of `eventsource.mjs`.
    Events,
}

/// A running process. Dropping it kills it, by its id.
pub struct Client {
    name: &'static str,
    form: Form,
    child: Child,
    lines: mpsc::Receiver<String>,
    errors: Arc<Mutex<String>>,
    readers: [JoinHandle<()>; 2],
}

impl Client {
    /// The package `websockets` of Python on an address that begins with `ws:`.
    pub async fn websockets(url: &str) -> Self {
        let python = std::env::var("PUSHGATE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let found = piped(&python).args(["-c", "import websockets"]).output().await;
        let found = found.unwrap_or_else(|error| panic!("{python} cannot be run: {error}"));
        assert!(
            found.status.success(),
            "the package websockets is missing for {python}: run make test, which installs it\n{}",
            String::from_utf8_lossy(&found.stderr)
        );
        let mut command = piped(&python);
        command.arg(folder().join("subscribe.py")).arg(url);
        Self::start("websockets", Form::Lines, command)
    }

    /// The package `eventsource` of npm; ends after `count` messages.
    pub fn eventsource(url: &str, count: usize) -> Self {
        assert!(
            folder().join("node_modules/eventsource/package.json").is_file(),
            "the package eventsource is missing: run make test, which installs it"
        );
        let mut command = piped("node");
        command.arg(folder().join("eventsource.mjs")).arg(url).arg(count.to_string());
        Self::start("eventsource", Form::Events, command)
    }

    /// `curl -N`.
    pub fn curl(form: Form, url: &str) -> Self {
        let mut command = piped("curl");
        command.args(["--no-buffer", "--silent", "--show-error", "--fail-with-body", url]);
        Self::start("curl", form, command)
    }

    /// Any command whose output is piped.
    pub fn start(name: &'static str, form: Form, mut command: Command) -> Self {
        let spawned = command.kill_on_drop(true).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
        let errors = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::channel(KEPT);
        let readers = [
            tokio::spawn(hand_on(child.stdout.take().unwrap(), sender)),
            tokio::spawn(keep(child.stderr.take().unwrap(), Arc::clone(&errors))),
        ];
        Self { name, form, child, lines, errors, readers }
    }

    /// The next line, `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        let Ok(line) = tokio::time::timeout(PATIENCE, self.lines.recv()).await else {
            panic!("{}: nothing within {PATIENCE:?}\n{}", self.name, self.errors());
        };
        line
    }

    /// The next line as JSON; empty ones, which are heartbeats, are passed over.
    pub async fn json(&mut self) -> Value {
        loop {
            let Some(line) = self.line().await else {
                panic!("{} ended before its time\n{}", self.name, self.errors());
            };
            if !line.is_empty() {
                return parse(&line);
            }
        }
    }

    /// The next object that the gateway sent. Its id in the envelope, if it has one, must be its
    /// own.
    pub async fn object(&mut self) -> Value {
        let (id, object) = match self.form {
            Form::Lines => return self.json().await,
            Form::Blocks => self.block().await,
            Form::Events => self.event().await,
        };
        if let Some(own) = object["message"]["id"].as_str() {
            assert_eq!(id.as_deref(), Some(own), "{}", self.name);
        }
        object
    }

    /// Waits for the users list that comes first.
    pub async fn is_connected(&mut self) {
        let first = self.object().await;
        assert!(first["users"].is_array(), "{}: {first}", self.name);
    }

    /// What was published up to the value `end`, that included: id and value of each.
    pub async fn published(&mut self) -> Vec<(String, String)> {
        let mut published = Vec::new();
        loop {
            let object = self.object().await;
            let Some(message) = object.get("message") else {
                assert!(object["users"].is_array(), "{}: {object}", self.name);
                continue;
            };
            let text = |member: &str| message[member].as_str().unwrap().to_owned();
            published.push((text("id"), text("value")));
            if message["value"] == "end" {
                return published;
            }
        }
    }

    /// Waits until it has said this on standard error.
    pub async fn says(&self, what: &str) {
        let said = async || self.errors();
        until(what, said, |said| said.contains(what)).await;
    }

    /// The status it ends with by itself, and the lines until then.
    pub async fn ends(mut self) -> (ExitStatus, Vec<String>) {
        let mut rest = Vec::new();
        while let Some(line) = self.line().await {
            rest.push(line);
        }
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let Ok(status) = ended else {
            panic!("{} does not end\n{}", self.name, self.errors());
        };
        for reader in self.readers {
            reader.await.unwrap();
        }
        (status.unwrap(), rest)
    }

    /// Sends a signal, by the id of the process.
    pub async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("a running process").to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().await.unwrap();
        assert!(status.success(), "kill -s {signal} {id}");
    }

    fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn block(&mut self) -> (Option<String>, Value) {
        let mut text = String::new();
        loop {
            let Some(line) = self.line().await else {
                panic!("{} ended before its time\n{}", self.name, self.errors());
            };
            if !line.is_empty() {
                text.push_str(&line);
                text.push('\n');
                continue;
            }
            let block = Block::of(std::mem::take(&mut text).trim_end_matches('\n'));
            assert_eq!(block.event, None, "{}: {block:?}", self.name);
            if let Some(data) = &block.data {
                return (block.id, parse(data));
            }
        }
    }

    async fn event(&mut self) -> (Option<String>, Value) {
        loop {
            let told = self.json().await;
            if told.get("open").is_some() {
                continue;
            }
            let Some(data) = told["data"].as_str() else {
                panic!("{}: {told}", self.name);
            };
            return (told["lastEventId"].as_str().map(str::to_owned), parse(data));
        }
    }
}

/// A command whose outputs are piped and that is given no input.
fn piped(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external")
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

async fn hand_on(output: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut output = BufReader::new(output).lines();
    while let Some(line) = output.next_line().await.expect("lines of UTF-8") {
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

async fn keep(mut output: impl AsyncRead + Unpin, errors: Arc<Mutex<String>>) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = output.read(&mut bytes).await {
        let text = String::from_utf8_lossy(&bytes[..read]);
        errors.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
    }
}
