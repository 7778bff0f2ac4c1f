//! What is written in JavaScript, run by Node against the binary: the client (`client-js/test`), and a
//! real Chromium on pages of other origins (`tests/browser`). `make test` installs what these need.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;

/// Runs `node --test` in a folder of this project; what it printed is shown if it fails.
fn passes(folder: &str, options: &[&str]) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut node = Command::new("node");
    // A gateway takes all of these for its configuration.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PUSHGATE_") {
            node.env_remove(name);
        }
    }
    let output = node
        .args(options)
        .args(["--test", "--test-reporter=spec", "--test-timeout=240000"])
        .arg("--test-concurrency=1")
        .args(test_files(&project.join(folder)))
        .current_dir(project)
        .env("PUSHGATE_BINARY", env!("CARGO_BIN_EXE_pushgate"))
        .output()
        .unwrap_or_else(|error| panic!("node: {error}; `make install` brings it"));
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{folder}: {}\n{printed}\n{complained}", output.status);
    let passed = printed.lines().find_map(|line| line.strip_prefix("ℹ pass "));
    let passed: u32 = passed.unwrap().trim().parse().unwrap();
    assert!(passed > 0, "{folder}: no test was found\n{printed}");
    println!("{folder}: {passed} passed");
}

fn test_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.to_string_lossy().ends_with(".test.js")).collect();
    files.sort();
    files
}

/// Node has a `WebSocket` of its own, before version 22 if it is asked for.
fn with_web_socket() -> &'static [&'static str] {
    let version = Command::new("node").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let major: u32 = version.trim_start_matches('v').split('.').next().unwrap().parse().unwrap();
    if major < 22 { &["--experimental-websocket"] } else { &[] }
}

#[test]
fn the_client_keeps_its_promises_in_node() {
    passes("client-js/test", with_web_socket());
}

#[test]
fn pages_of_other_origins_work_in_a_real_browser() {
    passes("tests/browser", &[]);
}
