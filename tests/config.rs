//! What an operator writes, and what is said to it (wire.md §9, §10).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::process::Output;

use common::client::{TestClient, Transport};
use common::guarded;
use common::http::Request;
use common::node::{Home, Setup, TestNode, command};

/// Five mistakes, on the lines 2, 5, 8, 11 and 14.
const MISTAKES: &str = "\
# a comment
time_zone = \"Mars/Olympus\"

[presence]
lingr = 5

[tokens]
seconds = 59

[api]
keys = [\"short\"]

[channels.\"room/*\"]
kind = \"megaphone\"
";

const MISTAKEN: [(&str, u32); 5] =
    [("time_zone", 2), ("lingr", 5), ("seconds", 8), ("keys", 11), ("kind", 14)];

#[tokio::test]
async fn mistakes_are_told_together_by_key_and_line_before_a_port_opens() {
    for verb in ["serve", "check-config"] {
        let output = run(verb, MISTAKES, &[]).await;
        assert!(!output.status.success(), "{verb}: {output:?}");
        let text = text(&output);
        assert!(!text.contains("listening on"), "{text}");
        for (key, line) in MISTAKEN {
            let told = text.lines().any(|told| told.contains(key) && names_line(told, line));
            assert!(told, "{verb}: {key} on line {line} is not in:\n{text}");
        }
        assert!(!text.contains("\"short\""), "a key is not repeated: {text}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_toml_is_told_with_its_line() {
    let output = run("check-config", "[limits]\n\nmessage_bytes = = 5\n", &[]).await;
    assert!(!output.status.success());
    let text = text(&output);
    assert!(text.lines().any(|line| names_line(line, 3)), "{text}");
}

#[tokio::test]
async fn a_file_that_is_missing_is_told() {
    let home = Home::fresh();
    for verb in ["serve", "check-config"] {
        let path = home.path().join("nowhere.toml");
        let output = command().arg(verb).arg("--config").arg(&path).output();
        let output = guarded("the end", output).await.unwrap();
        assert!(!output.status.success());
        assert!(text(&output).contains("nowhere.toml"), "{output:?}");
    }
}

#[tokio::test]
async fn a_file_that_was_written_by_half_is_told_with_its_line() {
    let home = Home::fresh();
    let path = home.path().join("config.toml");
    let whole = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).unwrap();
    let mut refused = 0;
    // Cut in every part of the file: a cut between two lines is a file like any other.
    for length in (1..whole.len()).step_by(whole.len() / 40) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let output = command().args(["check-config", "--config"]).arg(&path).output();
        let output = guarded("the end", output).await.unwrap();
        let last = 1 + whole[..length].split(|byte| *byte == b'\n').skip(1).count();
        if !output.status.success() {
            refused += 1;
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let text = text(&output);
            let told = text.lines().any(|line| names_line(line, last.try_into().unwrap()));
            assert!(told, "cut on line {last}:\n{text}");
        }
    }
    assert!(refused > 0);
    for (bytes, line) in [(&b"port = 1\n[limits\n"[..], 2), (b"port = 1\nsecret = \"abc", 2)] {
        std::fs::write(&path, bytes).unwrap();
        refuses_to_start(&path, line).await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_text_is_told_with_its_line() {
    let home = Home::fresh();
    let path = home.path().join("config.toml");
    for bytes in [&b"port = 1\n\n# \xff\xfe\n"[..], b"port = 1\n\n\0\0\0\0", b"\n\nport = \"\xc3"] {
        std::fs::write(&path, bytes).unwrap();
        refuses_to_start(&path, 3).await;
    }
}

#[tokio::test]
async fn what_is_no_file_is_told_by_its_name() {
    let home = Home::fresh();
    let directory = home.path().join("directory.toml");
    std::fs::create_dir(&directory).unwrap();
    let circle = home.path().join("circle.toml");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let beneath = home.path().join("file.toml");
    std::fs::write(&beneath, "").unwrap();
    let beneath = beneath.join("beneath.toml");
    for path in [&directory, &circle, &beneath] {
        for verb in ["serve", "check-config"] {
            let output = command().arg(verb).arg("--config").arg(path).output();
            let output = guarded("the end", output).await.unwrap();
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let name = path.file_name().unwrap().to_str().unwrap();
            let text = text(&output);
            assert!(text.contains(name) && text.contains("cannot be read"), "{text}");
        }
    }
}

/// Starting with that file ends at once, and names the file and the line.
async fn refuses_to_start(path: &std::path::Path, line: u32) {
    let output = command().args(["serve", "--port", "0", "--config"]).arg(path).output();
    let output = guarded("the end", output).await.unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = text(&output);
    let told = text.lines().any(|told| told.contains("config.toml") && names_line(told, line));
    assert!(told && !text.contains("listening on"), "line {line}:\n{text}");
}

#[tokio::test]
async fn bad_variables_are_told_by_name() {
    let variables = [
        ("PUSHGATE_LIMITS__MESSAGE_BYTES", "many"),
        ("PUSHGATE_PRESENCE__LINGR", "5"),
        ("PORT", "http"),
        ("PUSHGATE_SECRET", "short"),
    ];
    let output = run("check-config", "", &variables).await;
    assert!(!output.status.success());
    let text = text(&output);
    for (name, _) in variables {
        assert!(text.contains(name), "{name} is not in:\n{text}");
    }
    assert!(!text.contains("\"short\""), "{text}");
}

#[tokio::test]
async fn check_config_is_content_with_nothing_and_with_what_is_shipped() {
    let output = run("check-config", "", &[]).await;
    assert!(output.status.success(), "{output:?}");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml");
    let output = command().args(["check-config", "--config", shipped]).output();
    let output = guarded("the end", output).await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn every_key_of_the_contract_is_known() {
    let config = r#"
time_zone = "Asia/Seoul"
[limits]
exempt = ["10.0.0.0/8"]
message_bytes = 32768
[presence]
timeout = 600
linger = 5
[post]
require_token = false
[cors]
origins = ["*"]
[tokens]
seconds = 7200
[login]
open = true
[api]
keys = []
[admin]
bind = ""
[hooks]
url = ""
secret = ""
encoding = "form"
[channels."rooms/*"]
kind = "message"
anonymous = true
prefix = ""
delivery = "every"
durable = false
history = { messages = 1000, seconds = 600, bytes = 1048576 }
"#;
    let output = run("check-config", config, &[]).await;
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test]
async fn flags_win_over_the_environment_and_that_over_the_file() {
    let node = Setup::default()
        .config("[limits]\nmessage_bytes = 1024\n[tokens]\nseconds = 60")
        .env("PUSHGATE_LIMITS__MESSAGE_BYTES", "2048")
        .env("PORT", "1")
        .env("PUSHGATE_DATA_DIR", "/nowhere/at/all")
        .start()
        .await;
    let alice = node.login().await;
    node.post(&alice, &"a".repeat(2048)).await;
    let long = "a".repeat(2049);
    let answer = Request::post("/post").bearer(&alice.token).form(&[("value", &long)]);
    answer.send(&node).await.problem(413, "too-large");
    let answer = Request::post("/login").send(&node).await.ok();
    assert_eq!(answer["expires_in"], 60, "the file's own keys stay");
    assert!(node.data_dir().is_dir(), "the flag's directory was made");
}

#[tokio::test]
async fn port_and_data_dir_come_from_the_environment() {
    let home = Home::fresh();
    let data = home.path().join("made/if/missing");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut child = command()
        .args(["serve", "--bind", "127.0.0.1"])
        .env("PORT", port.to_string())
        .env("PUSHGATE_DATA_DIR", &data)
        .spawn()
        .unwrap();
    common::until(
        "an answer on the port",
        async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok(),
        |connected| *connected,
    )
    .await;
    common::until("the directory", async || data.is_dir(), |made| *made).await;
    child.kill().await.unwrap();
}

#[tokio::test]
async fn what_is_asked_for_and_not_there_is_told() {
    let node = Setup::default()
        .config("")
        .env("REDIS_URL", "redis://:a-password@127.0.0.1:1")
        .env("DATABASE_URL", "mysql://user:a-password@127.0.0.1:1/db")
        .start()
        .await;
    let ready = Request::get("/readyz").send(&node).await;
    for name in ["REDIS_URL", "DATABASE_URL"] {
        said(&node, name).await;
        assert!(ready.text().contains(name), "told in /readyz: {}", ready.text());
    }
    assert!(!node.output().contains("a-password"), "{}", node.output());
    let alice = node.login().await;
    node.post(&alice, "it works without them").await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told() {
    let url = "postgres://user:a-password@127.0.0.1:1/db";
    let node = Setup::default().config("").env("DATABASE_URL", url).start().await;
    said(&node, "no connection to the database of DATABASE_URL").await;
    assert!(!node.output().contains("a-password"), "{}", node.output());
    let ready = Request::get("/readyz").send(&node).await.ok();
    assert_eq!(ready["unavailable"][0], "database");
    let alice = node.login().await;
    node.post(&alice, "it works without it").await;
}

#[tokio::test]
async fn empty_variables_are_none() {
    let node =
        Setup::default().config("").env("REDIS_URL", "").env("DATABASE_URL", "").start().await;
    assert!(!node.output().contains("REDIS_URL"), "{}", node.output());
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let node = TestNode::start().await;
    let home = Home::fresh();
    let port = node.address().port().to_string();
    let child = command()
        .args(["serve", "--bind", "127.0.0.1", "--port", &port, "--data-dir"])
        .arg(home.path())
        .output();
    let output = guarded("the end", child).await.unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains(&port), "{output:?}");
}

#[tokio::test]
async fn the_banner_says_what_to_try_next() {
    let node = TestNode::shipped().await;
    for word in [&node.origin(), "curl", "/login", "/post"] {
        said(&node, word).await;
    }
}

#[tokio::test]
async fn logs_may_be_json() {
    let mut node = Setup::default()
        .config("[log]\nformat = \"json\"\nlevel = \"debug\"")
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .start()
        .await;
    let alice = node.login().await;
    TestClient::connect(&node, Transport::Ws, "", &alice.query("")).await.close().await;
    node.terminate().await;
    let output = node.output();
    let objects = output.lines().filter(|line| line.starts_with('{'));
    let mut count = 0;
    for line in objects {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}");
        count += 1;
    }
    assert!(count > 0, "no line of JSON in:\n{output}");
}

#[tokio::test]
async fn help_reads_well() {
    let output = guarded("the end", command().arg("--help").output()).await.unwrap();
    assert!(output.status.success());
    let text = text(&output);
    for word in ["serve", "login", "pub", "sub", "users", "check-config", "--config", "--port"] {
        assert!(text.contains(word), "no {word} in:\n{text}");
    }
    let output = guarded("the end", command().arg("--nonsense").output()).await.unwrap();
    assert!(!output.status.success());
}

/// Waits until the node has written this somewhere.
async fn said(node: &TestNode, text: &str) {
    common::until(text, async || node.output(), |output: &String| output.contains(text)).await;
}

/// Runs a verb that is to end by itself, with a configuration and variables.
async fn run(verb: &str, config: &str, variables: &[(&str, &str)]) -> Output {
    let home = Home::fresh();
    let path = home.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let child =
        command().arg(verb).arg("--config").arg(&path).envs(variables.iter().copied()).output();
    guarded("the end", child).await.unwrap()
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Whether a line of output has the number of a line as a word of its own.
fn names_line(text: &str, line: u32) -> bool {
    text.split(|letter: char| !letter.is_ascii_digit()).any(|word| word == line.to_string())
}
