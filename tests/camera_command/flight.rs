//! A running `pushgate camera`, and what it says.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::common::node::command;

/// How long it may take for anything on a machine that runs every other test at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that is killed, by its id, when it is dropped.
pub struct Flight {
    child: Child,
    errors: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

/// What was said on standard error until the end.
pub struct Told {
    pub errors: String,
}

impl Flight {
    /// `pushgate camera` against the gateway at `url`.
    pub fn start(url: &str, options: &[&str]) -> Self {
        let mut command = command();
        command.arg("camera").args(options).env("PUSHGATE_URL", url).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let errors = Arc::new(Mutex::new(String::new()));
        let reader = tokio::spawn(keep(child.stderr.take().unwrap(), Arc::clone(&errors)));
        Self { child, errors, reader }
    }

    /// Waits until it has said this.
    pub async fn says(&self, what: &str) {
        self.says_what(what, |said| said.contains(what)).await;
    }

    /// Waits until what it has said so far pleases.
    pub async fn says_what(&self, name: &str, pleases: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !pleases(&self.errors()) {
            assert!(begun.elapsed() < PATIENCE, "{name}: it says only\n{}", self.errors());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has said so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("a running process").to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().await.unwrap();
        assert!(status.success(), "kill -s {signal} {id}");
    }

    /// Waits for its end, which must have this exit code.
    pub async fn ends(mut self, code: i32) -> Told {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let Ok(status) = ended else {
            panic!("it does not end\n{}", self.errors());
        };
        (&mut self.reader).await.unwrap();
        let errors = self.errors();
        assert_eq!(status.unwrap().code(), Some(code), "{errors}");
        Told { errors }
    }
}

impl Told {
    /// The number behind `name` in the summary; zero where it is not mentioned.
    pub fn count(&self, name: &str) -> usize {
        let lines: Vec<&str> = self.errors.lines().collect();
        let summary = lines.iter().rev().find(|line| line.starts_with("pushgate: in "));
        let summary = summary.unwrap_or_else(|| panic!("no summary\n{}", self.errors));
        let Some((_, after)) = summary.split_once(&format!("{name} ")) else {
            return 0;
        };
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }
}

async fn keep(mut output: impl AsyncRead + Unpin, errors: Arc<Mutex<String>>) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = output.read(&mut bytes).await {
        let text = String::from_utf8_lossy(&bytes[..read]);
        errors.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
    }
}
