//! A program that is told lines and prints lines.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// How long it may say nothing on a machine that runs every other test at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that wait for a test.
const KEPT: usize = 10_000;

/// A running program. Dropping it kills it, by its id.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    errors: Arc<Mutex<String>>,
    heard: Vec<String>,
}

impl Program {
    pub fn start(mut command: Command) -> Self {
        // The gateway is next door.
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn();
        let mut child =
            child.unwrap_or_else(|error| panic!("{command:?}: {error}; `make install` brings it"));
        let (sender, lines) = mpsc::channel(KEPT);
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Some(line) = output.next_line().await.expect("lines of UTF-8") {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (mut complaints, kept) = (child.stderr.take().unwrap(), Arc::clone(&errors));
        tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = complaints.read(&mut bytes).await {
                let text = String::from_utf8_lossy(&bytes[..read]);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, errors, heard: Vec::new() }
    }

    /// Tells it a line; one that has ended hears nothing.
    pub async fn tell(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(format!("{line}\n").as_bytes()).await;
            let _ = input.flush().await;
        }
    }

    /// The next line, `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        let Ok(line) = tokio::time::timeout(PATIENCE, self.lines.recv()).await else {
            panic!("nothing within {PATIENCE:?}: {}", self.story());
        };
        self.heard.extend(line.clone());
        line
    }

    /// What follows `beginning` in the next line, which must begin so.
    pub async fn says(&mut self, beginning: &str) -> String {
        let line = self.line().await;
        let Some(rest) = line.as_deref().and_then(|line| line.strip_prefix(beginning)) else {
            panic!("{line:?} is not {beginning:?}: {}", self.story());
        };
        rest.trim_start().to_owned()
    }

    /// What follows `beginning` in the next line that begins so; others are passed over.
    pub async fn until(&mut self, beginning: &str) -> String {
        loop {
            let Some(line) = self.line().await else {
                panic!("it ended without {beginning:?}: {}", self.story());
            };
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim_start().to_owned();
            }
        }
    }

    /// Whether it says nothing for so long.
    pub async fn is_quiet(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.lines.recv()).await.is_err()
    }

    /// Everything that it has printed and that was read so far.
    pub fn heard(&self) -> &[String] {
        &self.heard
    }

    /// The status it ends with once it is told no more, and what it says until then.
    pub async fn ends(&mut self) -> (ExitStatus, Vec<String>) {
        drop(self.input.take());
        let mut rest = Vec::new();
        while let Some(line) = self.line().await {
            rest.push(line);
        }
        let Ok(status) = tokio::time::timeout(PATIENCE, self.child.wait()).await else {
            panic!("it does not end: {}", self.story());
        };
        (status.unwrap(), rest)
    }

    /// What it said and complained of, for whoever finds it wanting.
    pub fn story(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        format!("{:#?}\n{errors}", self.heard)
    }
}
