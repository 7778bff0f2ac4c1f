//! `[admin]`: a listener of its own for what the public should not see.

use std::net::SocketAddr;

use super::section::Section;

/// The admin listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admin {
    /// Address and port for `/metrics`, `/healthz` and `/readyz` alone, in plain HTTP. Default:
    /// none, and `/metrics` is on the public listener, for loopback peers and with an API key.
    pub bind: Option<SocketAddr>,
}

impl Admin {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                "must be an address and a port such as \"127.0.0.1:9090\", or empty".to_owned()
            })
        };
        Self { bind: section.optional("bind", parse) }
    }
}
