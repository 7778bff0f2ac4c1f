//! `POST /logout`: ends the presence, the connections and the tokens of a client at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tokio::time::Instant;

use super::Gate;
use super::body::Fields;
use super::identify::{Caller, unauthorized};
use super::problem::{Answer, Failure};
use super::request::Pairs;
use crate::code::Close;
use crate::identity::ClientId;
use crate::transport::ConnectionId;
use crate::worker::Order;

/// The verb.
pub(super) async fn logout(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Pairs::of_query(&parts)?;
    let fields = Fields::read(&gate, &parts, body).await?;
    let (client, until) = match gate.identify(&parts, &query, Some(&fields))? {
        Caller::Client(claims) => {
            let until = claims.earlier_until_if_renewed(gate.clock.now(), gate.longest_life());
            (claims.client.clone(), until)
        }
        Caller::ClientId(client) => {
            (client, gate.clock.now().seconds() + crate::identity::MAX_LIFE_SECONDS)
        }
        Caller::Backend(_) | Caller::Nobody => return Err(unauthorized()),
    };
    gate.end_client(&client, until, Close::LoggedOut).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

impl Gate {
    /// The longest that a token of a client may live which we did not just see: backends choose.
    pub(super) fn longest_life(&self) -> Duration {
        let ours = self.config.tokens.seconds;
        let theirs = Duration::from_secs(crate::identity::MAX_LIFE_SECONDS);
        if self.api_keys.is_empty() { ours } else { theirs.max(ours) }
    }

    /// Ends every token of `client` minted until now, its presence, and its connections with `close`.
    ///
    /// # Errors
    /// 503 `unavailable`: all of that is so, and a restart before the disk takes it revives the tokens.
    pub(super) async fn end_client(
        &self,
        client: &ClientId,
        until: u64,
        close: Close,
    ) -> Result<(), Failure> {
        let ended = self.live.end(client, self.clock.now(), until);
        let connections = self.presence.logout(client, Instant::now());
        self.close_all(&connections, close);
        let written = self.write_down(&ended).await;
        if let Some(scribe) = &self.scribe {
            // Who was told to be gone is not here again after a crash.
            scribe.written().await;
        }
        written
    }

    /// Ends connections with `close`.
    pub(super) fn close_all(&self, connections: &[ConnectionId], close: Close) {
        for connection in connections {
            self.hub.workers().of(*connection).send(Order::Close(*connection, close));
        }
    }
}
