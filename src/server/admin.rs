//! The listener of `[admin]`: what the public should not see.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::StartError;
use super::front::Front;
use super::listen::{self};
use super::panics::vital;
use crate::gate::{Gate, admin_router};

/// An address that is bound and not served yet.
#[derive(Debug)]
pub(super) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// The listener at work. It goes on while the node drains, and ends with the process.
#[derive(Debug)]
pub(super) struct Admin {
    /// Where it listens, with its real port.
    pub(super) address: SocketAddr,
    accepting: JoinHandle<()>,
    /// Never says so: its connections go on as well.
    _draining: watch::Sender<bool>,
}

impl Bound {
    /// Binds `address`.
    ///
    /// # Errors
    /// [`StartError::Admin`].
    pub(super) async fn bind(address: SocketAddr) -> Result<Self, StartError> {
        let wrong = |error| StartError::Admin(address, error);
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        Ok(Self { listener, address })
    }

    /// Serves what the admin listener has, in the clear and with the deadlines of the public one.
    pub(super) fn serve(self, gate: &Arc<Gate>) -> Admin {
        let Self { listener, address } = self;
        let heartbeat = &gate.config.heartbeat;
        listen::prepare(&listener, heartbeat.interval + heartbeat.timeout);
        let front = Arc::new(Front::admin(Arc::clone(gate), admin_router(Arc::clone(gate))));
        let (draining, is_draining) = watch::channel(false);
        let accepting = listen::accept(front, listener, None, is_draining);
        let accepting = tokio::spawn(vital("the admin listener", accepting));
        Admin { address, accepting, _draining: draining }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
