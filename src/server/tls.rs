//! TLS by `tls.cert` and `tls.key`.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::StartError;
use crate::config::Tls;

/// What answers TLS handshakes, from PEM files: a chain of certificates and a private key.
///
/// # Errors
/// [`StartError::Tls`], naming the file.
pub(super) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, StartError> {
    let wrong = |path: &Path, why: String| StartError::Tls(path.to_owned(), why);
    let chain = CertificateDer::pem_file_iter(&tls.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.cert, format!("not a chain of certificates: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(&tls.cert, "holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| wrong(&tls.key, format!("not a private key: {error}")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| {
            if matches!(error, rustls::Error::InvalidCertificate(_)) {
                wrong(&tls.cert, format!("not a certificate: {error}"))
            } else {
                wrong(&tls.key, format!("does not go with the certificate: {error}"))
            }
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
