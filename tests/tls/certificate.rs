//! A certificate made for one test, by the `openssl` command.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// What is asked for. `CA:FALSE`, or rustls would not take an authority for a server; a file of
/// our own, since distributions differ in theirs.
const REQUEST: &str = "[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = localhost
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
";

/// A self-signed certificate for localhost and 127.0.0.1, good for two days, and its key.
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Makes `NAME.cert.pem` and `NAME.key.pem` in a folder.
    pub async fn make(folder: &Path, name: &str) -> Self {
        let made = Self {
            cert: folder.join(format!("{name}.cert.pem")),
            key: folder.join(format!("{name}.key.pem")),
        };
        let request = folder.join(format!("{name}.cnf"));
        std::fs::write(&request, REQUEST).unwrap();
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-new", "-nodes", "-days", "2", "-sha256", "-newkey", "ec"]);
        command.args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-config"]).arg(&request);
        command.arg("-keyout").arg(&made.key).arg("-out").arg(&made.cert);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.unwrap_or_else(|error| {
            panic!("openssl cannot be run: {error}; these tests need the package openssl")
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl req: {}: {errors}", output.status);
        made
    }

    /// The table of `config.toml` that names it.
    pub fn table(&self) -> String {
        table(&self.cert, &self.key)
    }
}

/// A `[tls]` table.
pub fn table(cert: &Path, key: &Path) -> String {
    format!("[tls]\ncert = {:?}\nkey = {:?}\n", cert.to_str().unwrap(), key.to_str().unwrap())
}
