//! The harness as a running program: what it is told, and what it prints.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::package;

/// How long it may say nothing: it starts slowly on a machine that builds, and waits between tries.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running harness. Dropping it kills it, by its id.
pub struct Program {
    child: Child,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
    errors: Arc<Mutex<String>>,
    heard: Vec<String>,
}

impl Program {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new("mono");
        // The gateway is next door.
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.arg("--debug").arg(package::harness()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("mono: {error}; `make install`"));
        let (sender, lines) = mpsc::channel(10_000);
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Some(line) = output.next_line().await.expect("lines of UTF-8") {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (mut source, sink) = (child.stderr.take().unwrap(), Arc::clone(&errors));
        tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = source.read(&mut bytes).await {
                let text = String::from_utf8_lossy(&bytes[..read]);
                sink.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let input = child.stdin.take().unwrap();
        Self { child, input, lines, errors, heard: Vec::new() }
    }

    /// Tells it a line.
    pub async fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.input.flush().await.unwrap();
    }

    /// The next line, `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        let Ok(line) = tokio::time::timeout(PATIENCE, self.lines.recv()).await else {
            panic!("nothing within {PATIENCE:?} after {:#?}\n{}", self.heard, self.errors());
        };
        self.heard.extend(line.clone());
        line
    }

    /// What follows `start` in the next line that begins with it; others are passed over.
    pub async fn says(&mut self, start: &str) -> String {
        loop {
            let Some(line) = self.line().await else {
                panic!("it ended without {start:?}: {:#?}\n{}", self.heard, self.errors());
            };
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim_start().to_owned();
            }
        }
    }

    /// Everything it has printed and was read so far.
    pub fn heard(&self) -> &[String] {
        &self.heard
    }

    /// The lines that are left until it ends, which must be in good order. Where it takes lines it
    /// is told to.
    pub async fn ends(mut self) -> Vec<String> {
        let _ = self.input.write_all(b"quit\n").await;
        let mut rest = Vec::new();
        while let Some(line) = self.line().await {
            rest.push(line);
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("it ends").unwrap();
        assert!(status.success(), "{status}: {:#?}\n{}", self.heard, self.errors());
        let strays = self.heard.iter().filter(|line| line.starts_with("on another thread"));
        assert_eq!(strays.count(), 0, "{:#?}", self.heard);
        rest
    }

    fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
