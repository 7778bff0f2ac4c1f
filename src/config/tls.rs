//! `[tls]`: the certificate, where no proxy in front has it.

use std::fs::File;
use std::path::PathBuf;

use super::section::Section;

/// The files of a certificate. Whether they hold one is judged where they are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain in PEM, the server's own certificate first; readable at the start.
    pub cert: PathBuf,
    /// Its private key in PEM; readable at the start.
    pub key: PathBuf,
}

impl Tls {
    /// Both files or, as by default, neither: then the port speaks HTTP in the clear.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let origins = (section.origin("cert"), section.origin("key"));
        let cert = section.optional("cert", |text| Ok(text.to_owned()));
        let key = section.optional("key", |text| Ok(text.to_owned()));
        match (&cert, &key, origins) {
            (Some(_), None, (Some(origin), _)) => {
                section.refuse(origin, "key", "is required when tls.cert is set");
            }
            (None, Some(_), (_, Some(origin))) => {
                section.refuse(origin, "cert", "is required when tls.key is set");
            }
            (Some(cert), Some(key), (Some(cert_origin), Some(key_origin))) => {
                if let Err(error) = File::open(cert) {
                    section.refuse(cert_origin, "cert", format!("cannot be read: {error}"));
                }
                if let Err(error) = File::open(key) {
                    section.refuse(key_origin, "key", format!("cannot be read: {error}"));
                }
            }
            _ => {}
        }
        Some(Self { cert: cert?.into(), key: key?.into() })
    }
}
