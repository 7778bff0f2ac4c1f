//! A PostgreSQL server of the tests' own, from Debian's package.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::common::node::Home;
use super::common::until;

const USER: &str = "pushgate";
const PASSWORD: &str = "s3cr3t-of-the-tests";

/// A server on a free port of loopback, which ends with its owner.
pub(crate) struct Postgres {
    home: Home,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// A new, empty database.
    pub(crate) async fn start() -> Self {
        let home = Home::fresh();
        let mut postgres = Self { home, port: free_port(), server: None };
        own(postgres.home.path()).await;
        std::fs::write(postgres.home.path().join("password"), PASSWORD).unwrap();
        let (data, password) = (postgres.data(), postgres.home.path().join("password"));
        let made = program("initdb")
            .args(["--username", USER, "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"])
            .arg("--locale=C")
            .arg("--pwfile")
            .arg(password)
            .arg(data)
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        postgres.go_on(&[]).await;
        postgres
    }

    /// Serves again, with these settings, such as `ssl=on`.
    pub(crate) async fn go_on(&mut self, settings: &[&str]) {
        let mut command = program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let sockets = format!("unix_socket_directories={}", self.home.path().display());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", &sockets].iter().chain(settings)
        {
            command.args(["-c", setting]);
        }
        let log = std::fs::File::create(self.home.path().join("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.server = Some(command.spawn().unwrap());
        let port = self.port;
        until("postgres", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok(), |is| *is)
            .await;
        until("postgres to serve", async || self.try_connect().await.is_ok(), |is| *is).await;
    }

    /// Ends it as `pg_ctl stop -m fast` does: connections are cut.
    pub(crate) async fn stop(&mut self) {
        self.end("-INT").await;
    }

    /// Ends it as `pg_ctl stop -m immediate` does: it has to recover when it serves again.
    #[allow(dead_code, reason = "not all of it is needed everywhere")]
    pub(crate) async fn crash(&mut self) {
        self.end("-QUIT").await;
    }

    async fn end(&mut self, signal: &str) {
        let mut server = self.server.take().unwrap();
        let id = server.id().unwrap().to_string();
        Command::new("kill").args([signal, &id]).status().await.unwrap();
        server.wait().await.unwrap();
    }

    /// Its address, password included.
    pub(crate) fn url(&self) -> String {
        self.url_of(USER, PASSWORD)
    }

    /// Its address for another role.
    pub(crate) fn url_of(&self, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/postgres", self.port)
    }

    /// Its port.
    #[allow(dead_code, reason = "not all of it is needed everywhere")]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Makes it a certificate of its own, for `localhost` and 127.0.0.1.
    pub(crate) async fn make_certificate(&self) {
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        let (key, certificate) = (self.data().join("server.key"), self.data().join("server.crt"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", names])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        own(&self.data()).await;
    }

    /// Speaks to it as another program does.
    pub(crate) async fn connect(&self) -> tokio_postgres::Client {
        self.try_connect().await.unwrap()
    }

    async fn try_connect(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let (client, connection) =
            tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// A program of the package, as a user that is not root, which it refuses.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.expect("postgresql is there: tests/install.sh installs it");
    let newest = versions.map(|version| version.unwrap().path()).max().unwrap();
    let path = newest.join("bin").join(name);
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
    command
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// Has `path` belong to whom the server runs as.
async fn own(path: &Path) {
    if is_root() {
        let owned = Command::new("chown").args(["-R", "postgres:postgres"]).arg(path).status();
        assert!(owned.await.unwrap().success());
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
