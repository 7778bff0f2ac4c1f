//! The real binary, started for one test and gone after it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::http::{Connection, Request, encode};
use super::{GUARD, guarded};

/// How long a start may take on a machine that runs every other test at once.
const START: Duration = Duration::from_secs(30);

/// The API key of nodes that were given one by [`api_key_config`].
pub const API_KEY: &str = "an-api-key-for-tests-0123456789";

/// A configuration that knows [`API_KEY`].
pub fn api_key_config() -> String {
    format!("[api]\nkeys = [\"{API_KEY}\"]\n")
}

/// How a node is to be started.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    config: Option<String>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Setup {
    /// A node with this `config.toml`. Loopback is put in `limits.exempt` unless the text has its
    /// own, so that a test that posts 10 000 messages is not held to a visitor's rate.
    pub fn config(mut self, toml: &str) -> Self {
        let mut table: toml::Table = toml.parse().expect("the test's own TOML");
        let limits = table
            .entry("limits")
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .expect("limits is a table");
        limits
            .entry("exempt")
            .or_insert_with(|| toml::Value::Array(vec![toml::Value::from("127.0.0.0/8")]));
        self.config = Some(table.to_string());
        self
    }

    /// One more variable in the node's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more argument after those of the harness.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub async fn start(self) -> TestNode {
        let home = Home::fresh();
        let port = 0;
        let process = Process::start(&self, &home, port).await;
        TestNode { process, home, setup: self }
    }
}

/// A directory that goes with its owner.
pub struct Home(PathBuf);

impl Home {
    pub fn fresh() -> Self {
        let path = std::env::temp_dir().join(format!("pushgate-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running gateway. Dropping it kills the process.
pub struct TestNode {
    process: Process,
    home: Home,
    setup: Setup,
}

impl TestNode {
    /// A node with the shipped configuration, but for the limits that do not count loopback.
    pub async fn start() -> Self {
        Self::with_config("").await
    }

    pub async fn with_config(toml: &str) -> Self {
        Setup::default().config(toml).start().await
    }

    /// A node with no configuration file at all.
    pub async fn shipped() -> Self {
        Setup::default().start().await
    }

    pub fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// Where the admin listener is, as the node told it.
    pub async fn admin_address(&self) -> SocketAddr {
        let told = || async {
            let output = self.output();
            let (_, after) = output.split_once("metrics are at http://")?;
            after.split('/').next()?.parse().ok()
        };
        super::until("the address of the admin listener", told, Option::is_some).await.unwrap()
    }

    /// `http://ADDR:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Kills the node and starts it again on the same data and the same port.
    pub async fn restart(&mut self) {
        self.process.kill().await;
        self.start_again().await;
    }

    /// As [`Self::restart`] with another configuration.
    pub async fn restart_with(&mut self, toml: &str) {
        self.setup = self.setup.clone().config(toml);
        self.restart().await;
    }

    /// Starts a node that was terminated again, on the same data and the same port.
    pub async fn start_again(&mut self) {
        let port = self.address().port();
        self.process = Process::start(&self.setup, &self.home, port).await;
    }

    /// Sends SIGTERM; [`Self::exit`] waits for what comes of it.
    pub async fn signal(&self, name: &str) {
        let id = self.process.child.id().expect("a running node").to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().await.unwrap();
        assert!(status.success(), "kill -s {name} {id}");
    }

    /// The exit status of a node that was told to end.
    pub async fn exit(&mut self) -> ExitStatus {
        let status = tokio::time::timeout(START, self.process.child.wait()).await;
        let status = status.expect("the node ends").unwrap();
        self.process.logs_end().await;
        status
    }

    /// SIGTERM, and the exit status.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM").await;
        self.exit().await
    }

    /// Everything the node has written to stdout and stderr so far.
    pub fn output(&self) -> String {
        let log = self.process.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.child.try_wait().unwrap().is_none()
    }

    /// The id of the process.
    pub fn process_id(&self) -> u32 {
        self.process.child.id().expect("a running node")
    }

    /// A client that has just logged in.
    pub async fn login(&self) -> Login {
        Login::of(&Request::post("/login").send(self).await.ok())
    }

    /// A client that has just logged in under a name.
    pub async fn login_as(&self, name: &str) -> Login {
        Login::of(&Request::post("/login").form(&[("name", name)]).send(self).await.ok())
    }

    /// Posts to the root channel and gives the answer.
    pub async fn post(&self, login: &Login, value: &str) -> Value {
        self.post_to("", login, value).await
    }

    /// Posts to a channel (percent-encoded, empty for the root) and gives the answer.
    pub async fn post_to(&self, channel: &str, login: &Login, value: &str) -> Value {
        let fields = [("value", value)];
        Request::post(&address("post", channel))
            .bearer(&login.token)
            .form(&fields)
            .send(self)
            .await
            .ok()
    }

    /// Posts a direct message on the root channel and gives the answer.
    pub async fn direct(&self, login: &Login, to: &str, value: &str) -> Value {
        let fields = [("value", value), ("to", to)];
        Request::post("/post").bearer(&login.token).form(&fields).send(self).await.ok()
    }

    /// The users list of the root channel.
    pub async fn users(&self, login: &Login) -> Value {
        Request::get("/users?limit=1000").bearer(&login.token).send(self).await.ok()
    }

    /// The history of the root channel after `since`.
    pub async fn history(&self, login: &Login, query: &str) -> Value {
        Request::get(&format!("/history?{query}")).bearer(&login.token).send(self).await.ok()
    }

    /// A keep-alive connection that posts to a channel, one after the other.
    pub async fn poster(&self, login: &Login, channel: &str) -> Poster {
        Poster {
            connection: Connection::open(self.address()).await,
            address: self.address(),
            target: address("post", channel),
            token: login.token.clone(),
        }
    }
}

/// The address of a verb on a channel (percent-encoded, empty for the root).
pub fn address(verb: &str, channel: &str) -> String {
    if channel.is_empty() { format!("/{verb}") } else { format!("/{verb}/{channel}") }
}

/// What `/login` answered.
#[derive(Clone, Debug)]
pub struct Login {
    pub client_id: String,
    pub token: String,
}

impl Login {
    pub fn of(answer: &Value) -> Self {
        let text = |name: &str| {
            answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}")).to_owned()
        };
        Self { client_id: text("client_id"), token: text("token") }
    }

    /// A query string with the token, and more of it.
    pub fn query(&self, more: &str) -> String {
        let joint = if more.is_empty() { "" } else { "&" };
        format!("token={}{joint}{more}", encode(&self.token))
    }

    /// A renewal: a newer token of the same client.
    pub async fn renewed(&self, node: &TestNode) -> Self {
        Self::of(&Request::post("/login").bearer(&self.token).send(node).await.ok())
    }

    pub async fn logout(&self, node: &TestNode) {
        let answer = Request::post("/logout").bearer(&self.token).send(node).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

/// Posts over one connection, one answer after the other.
pub struct Poster {
    connection: Connection,
    address: SocketAddr,
    target: String,
    token: String,
}

impl Poster {
    /// Posts and gives the answer.
    pub async fn post(&mut self, value: &str) -> Value {
        self.try_post(value).await.expect("an answer that is 200")
    }

    /// Posts; `None` if that was not acknowledged.
    pub async fn try_post(&mut self, value: &str) -> Option<Value> {
        let request =
            Request::post(&self.target).bearer(&self.token).json(&json!({ "value": value }));
        self.connection.write(&request.bytes(self.address, true)).await;
        let answer = guarded("an answer", self.connection.try_response()).await?;
        (answer.status == 200).then(|| answer.json())
    }

    /// Posts the numbers of a range as text.
    pub async fn count(&mut self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.post(&number.to_string()).await;
        }
    }
}

/// The process with the readers of its two outputs.
struct Process {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    async fn start(setup: &Setup, home: &Home, port: u16) -> Self {
        let deadline = tokio::time::Instant::now() + GUARD;
        loop {
            match Self::try_start(setup, home, port).await {
                Ok(process) => return process,
                // The port of a node that was killed may be taken for a moment.
                Err(log) if port != 0 && tokio::time::Instant::now() < deadline => {
                    eprintln!("not started on port {port}, once more: {log}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(log) => panic!("the node did not start:\n{log}"),
            }
        }
    }

    async fn try_start(setup: &Setup, home: &Home, port: u16) -> Result<Self, String> {
        let mut command = command();
        command.args(["serve", "--bind", "127.0.0.1", "--port", &port.to_string(), "--data-dir"]);
        command.arg(home.path().join("data"));
        if let Some(text) = &setup.config {
            let path = home.path().join("config.toml");
            std::fs::write(&path, text).unwrap();
            command.arg("--config").arg(path);
        }
        command.args(&setup.arguments).envs(setup.environment.iter().cloned());
        let mut child = command.spawn().expect("the binary starts");

        let log = Arc::new(Mutex::new(String::new()));
        let (found, address) = oneshot::channel();
        let stdout = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        let readers = vec![
            tokio::spawn(keep(stdout, Arc::clone(&log), Some(found))),
            tokio::spawn(keep(stderr, Arc::clone(&log), None)),
        ];
        let Ok(Ok(address)) = tokio::time::timeout(START, address).await else {
            let _ = child.kill().await;
            for reader in readers {
                let _ = reader.await;
            }
            return Err(log.lock().unwrap_or_else(PoisonError::into_inner).clone());
        };
        Ok(Self { child, address, log, readers })
    }

    async fn kill(&mut self) {
        self.child.kill().await.expect("the node is killed");
        self.logs_end().await;
    }

    async fn logs_end(&mut self) {
        for reader in self.readers.drain(..) {
            reader.await.expect("a reader ends with its pipe");
        }
    }
}

/// The binary with a clean environment, its outputs piped, killed by id when dropped.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushgate"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("PUSHGATE_")
            || ["PORT", "REDIS_URL", "DATABASE_URL", "RUST_LOG"].contains(&text.as_ref());
        if ours {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Keeps every line of an output, and tells the address once a line has it.
async fn keep(
    output: impl AsyncRead + Unpin,
    log: Arc<Mutex<String>>,
    mut found: Option<oneshot::Sender<SocketAddr>>,
) {
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).into_owned();
        log.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        if let Some(address) = listening(&text)
            && let Some(found) = found.take()
        {
            let _ = found.send(address);
        }
        line.clear();
    }
}

/// The address in `listening on http://ADDR:PORT`.
fn listening(line: &str) -> Option<SocketAddr> {
    let (_, after) = line.split_once("listening on http://")?;
    let end =
        after.find(|letter: char| letter.is_whitespace() || letter == '/' || letter == '\u{1b}');
    after.get(..end.unwrap_or(after.len()))?.parse().ok()
}
