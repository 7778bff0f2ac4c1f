//! The Android client as processes: the JVM with its checks, and with the harness program.

use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// What the oldest Android that the client runs on has.
const SIGNATURE: &str = "android-api-level-21-5.0.1_r2.signature";

/// How long a JVM may take for anything on a machine that runs every other test at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that wait for a test.
const KEPT: usize = 10_000;

/// `java` with the client, the stand-ins and the checks on its class path; the rest is up to the test.
pub fn java() -> Blocking {
    let mut java = Blocking::new("java");
    // Several JVMs on a small machine: none needs threads for each core.
    java.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx256m"]);
    java.arg("-Dfile.encoding=UTF-8").arg("-cp").arg(class_path(&[classes()]));
    java
}

/// The checks: where sources, classes and Android's signature are is told as properties.
pub fn checks() -> Blocking {
    let mut java = java();
    let properties =
        [("sources", library()), ("classes", classes()), ("signature", jars().join(SIGNATURE))];
    for (name, path) in properties {
        java.arg(format!("-Dpushgate.{name}={}", path.display()));
    }
    java.arg("dev.pushgate.Checks");
    java
}

/// A harness program that runs.
pub struct Harness {
    child: Child,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
    errors: Arc<Mutex<String>>,
}

impl Harness {
    /// Starts it with its arguments: the address of a gateway, a channel, a mode and what that takes.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::from(java());
        command.arg("dev.pushgate.Harness").args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("java runs");
        let errors = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::channel(KEPT);
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Some(line) = output.next_line().await.expect("lines of UTF-8") {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
        });
        let mut complaints = child.stderr.take().unwrap();
        let kept = Arc::clone(&errors);
        tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = complaints.read(&mut bytes).await {
                let text = String::from_utf8_lossy(&bytes[..read]);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let input = child.stdin.take().unwrap();
        Self { child, input, lines, errors }
    }

    /// The next line.
    pub async fn line(&mut self) -> String {
        let Ok(Some(line)) = tokio::time::timeout(PATIENCE, self.lines.recv()).await else {
            panic!("the harness says nothing\n{}", self.errors());
        };
        line
    }

    /// The next line, which begins so, without that.
    pub async fn says(&mut self, beginning: &str) -> String {
        let line = self.line().await;
        let Some(rest) = line.strip_prefix(beginning) else {
            panic!("{line:?} is not {beginning:?}\n{}", self.errors());
        };
        rest.trim_start().to_owned()
    }

    /// The next line that begins so, without that; those before it are passed over.
    pub async fn until(&mut self, beginning: &str) -> String {
        loop {
            if let Some(rest) = self.line().await.strip_prefix(beginning) {
                return rest.trim_start().to_owned();
            }
        }
    }

    /// Whether it says nothing for so long.
    pub async fn is_quiet(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.lines.recv()).await.is_err()
    }

    /// Gives a command.
    pub async fn does(&mut self, command: &str) {
        self.input.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        self.input.flush().await.unwrap();
    }

    /// The status it ends with once it gets no more commands, and what it says until then.
    pub async fn ends(self) -> (ExitStatus, Vec<String>) {
        let Self { mut child, input, mut lines, errors } = self;
        drop(input);
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = lines.recv().await {
                rest.push(line);
            }
            child.wait().await.unwrap()
        });
        let Ok(status) = ended.await else {
            panic!("the harness does not end\n{}", errors.lock().unwrap());
        };
        (status, rest)
    }

    fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The folder of the Java sources of the library.
pub fn library() -> PathBuf {
    clients().join("library/src/main/java/dev/pushgate")
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/android")
}

/// Every Java file below a folder.
pub fn java_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(java_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "java") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Where `make install` puts the jars, and where the classes go.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("android")
}

/// The folder of the compiled classes. The first to ask compiles, without a warning.
fn classes() -> PathBuf {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES
        .get_or_init(|| {
            let classes = target().join("classes");
            let _ = std::fs::remove_dir_all(&classes);
            std::fs::create_dir_all(&classes).unwrap();
            let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/android");
            let output = Blocking::new("javac")
                // As Android has it. That this is old is what the options would warn of.
                .args(["--release", "8", "-encoding", "UTF-8", "-Werror", "-Xlint:all,-options"])
                .arg("-Xdoclint:all,-missing/public")
                .arg("-d")
                .arg(&classes)
                .arg("-cp")
                .arg(class_path(&[]))
                .args(java_files(&clients()))
                .args(java_files(&tests))
                .output()
                .unwrap_or_else(|error| panic!("javac: {error}; `make install` brings it"));
            let complained = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "javac: {}\n{complained}", output.status);
            classes
        })
        .clone()
}

fn class_path(folders: &[PathBuf]) -> std::ffi::OsString {
    std::env::join_paths(folders.iter().cloned().chain([jars().join("*")])).unwrap()
}

fn jars() -> PathBuf {
    let jars = target().join("lib");
    assert!(jars.is_dir(), "{} is missing: run make test, which makes it", jars.display());
    jars
}
