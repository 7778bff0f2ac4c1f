//! The Android client as processes: the JVM with its checks, and with the harness program.

use std::path::{Path, PathBuf};
use std::process::Command as Blocking;
use std::sync::OnceLock;

use tokio::process::Command;

use super::common::program::Program;

/// What the oldest Android that the client runs on has.
const SIGNATURE: &str = "android-api-level-21-5.0.1_r2.signature";

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

/// A harness program that runs, with its arguments: the address of a gateway, a channel, a mode and what
/// that takes.
pub fn start(arguments: &[&str]) -> Program {
    let mut command = Command::from(java());
    command.arg("dev.pushgate.Harness").args(arguments);
    Program::start(command)
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
