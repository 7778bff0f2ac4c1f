//! A gateway behind its own certificate, and clients that trust that certificate alone.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use crate::certificate::Certificate;
use crate::common::guarded;
use crate::common::node::{Home, Login, command};

pub type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What every node here has beside its certificate.
const CONFIG: &str = "[limits]\nexempt = [\"127.0.0.0/8\"]\nmessage_bytes = 2097152\n\
    header_seconds = 2\n[channels.echo]\nkind = \"echo\"\n";

/// A running gateway that speaks TLS. Dropping it kills the process, by its id.
pub struct TlsNode {
    pub address: SocketAddr,
    pub certificate: Certificate,
    home: Home,
    child: Child,
    /// Kept open: a process must not fail because nobody reads what it prints.
    _outputs: BufReader<ChildStdout>,
}

impl TlsNode {
    pub async fn start() -> Self {
        let home = Home::fresh();
        let certificate = Certificate::make(home.path(), "node").await;
        let mut command = serve(&home, &format!("{CONFIG}{}", certificate.table()));
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let address = guarded("an address", async {
            loop {
                let mut line = String::new();
                let read = lines.read_line(&mut line).await.unwrap();
                assert!(read > 0, "the node did not start");
                if let Some((_, after)) = line.split_once("listening on https://") {
                    return after.trim().parse().unwrap();
                }
            }
        })
        .await;
        Self { address, certificate, home, child, _outputs: lines }
    }

    /// curl that trusts the certificate; the answer's body, then `status version` on a line.
    pub async fn curl(&self, path: &str, arguments: &[&str]) -> (String, String) {
        let mut command = self.curl_command(path);
        command.args(["--write-out", "\n%{http_code} %{http_version}"]).args(arguments);
        let output = guarded("curl", command.output()).await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "curl {path}: {}: {errors}", output.status);
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, line) = text.rsplit_once('\n').unwrap();
        (body.to_owned(), line.to_owned())
    }

    /// curl on its way, by the name in the certificate.
    pub fn curl_command(&self, path: &str) -> Command {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--no-buffer", "--cacert"]);
        command.arg(&self.certificate.cert);
        command.arg(format!("https://localhost:{}{path}", self.address.port()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    pub async fn login(&self) -> Login {
        let (body, line) = self.curl("/login", &["--data", ""]).await;
        assert!(line.starts_with("200 "), "{line}: {body}");
        Login::of(&serde_json::from_str(&body).unwrap())
    }

    /// Posts to the root channel and gives the answer.
    pub async fn post(&self, login: &Login, value: &str) -> Value {
        let bearer = bearer(login);
        let value = format!("value={value}");
        let arguments = ["--header", &bearer, "--data-urlencode", &value];
        let (body, line) = self.curl("/post", &arguments).await;
        assert!(line.starts_with("200 "), "{line}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A WebSocket over TLS, by the address in the certificate.
    pub async fn websocket(&self, path: &str) -> WebSocket {
        let url = format!("wss://{}{path}", self.address);
        let connector = Connector::Rustls(self.trust(&[b"http/1.1"]));
        let connecting =
            tokio_tungstenite::connect_async_tls_with_config(url, None, true, Some(connector));
        guarded("a handshake", Box::pin(connecting)).await.unwrap().0
    }

    /// A TLS stream whose bytes are the test's own.
    pub async fn stream(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(self.trust(&[])).connect(name, tcp);
        guarded("a handshake", connecting).await.unwrap()
    }

    pub async fn terminate(mut self) -> ExitStatus {
        let id = self.child.id().expect("a running node").to_string();
        let status = Command::new("kill").args(["-s", "TERM", &id]).status().await.unwrap();
        assert!(status.success(), "kill {id}");
        let status = guarded("the end of the node", self.child.wait()).await.unwrap();
        drop(self.home);
        status
    }

    /// Trusts the node's certificate alone.
    fn trust(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.certificate.cert).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

/// The header that carries a token.
pub fn bearer(login: &Login) -> String {
    format!("Authorization: Bearer {}", login.token)
}

/// What a node that must not start says on standard error before it ends.
pub async fn refusal(home: &Path, config: &str) -> String {
    let path = home.join("config.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = arguments(home, &path);
    let mut child = command.spawn().unwrap();
    let mut errors = String::new();
    let mut stderr = child.stderr.take().unwrap();
    guarded("a refusal", stderr.read_to_string(&mut errors)).await.unwrap();
    let status = guarded("the end of a node", child.wait()).await.unwrap();
    assert!(!status.success(), "it started with\n{config}");
    errors
}

fn serve(home: &Home, config: &str) -> Command {
    let path = home.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    arguments(home.path(), &path)
}

fn arguments(home: &Path, config: &Path) -> Command {
    let mut command = command();
    command.args(["serve", "--bind", "127.0.0.1", "--port", "0", "--data-dir"]);
    command.arg(home.join("data")).arg("--config").arg(config);
    command
}
