//! `POST /api/send_message`: a backend sends a text to one client.

use std::sync::Arc;

use axum::extract::{Request, State};

use super::super::body::Fields;
use super::super::post::json;
use super::super::problem::Answer;
use super::super::tally::Way;
use super::{Failure, Gate, text_of_client};
use crate::channel::ChannelName;
use crate::code::Problem;
use crate::dialect::Direct;
use crate::identity::{ClientId, TokenError};
use crate::presence::Reached;

/// How long a message may be, in bytes.
const MAX_BYTES: usize = 32_767;

/// The verb. 200 wherever the message went, and `reached` says where that was.
pub(in crate::gate) async fn send_message(
    State(gate): State<Arc<Gate>>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    gate.check_backend(&parts)?;
    let fields = Fields::read(&gate, &parts, body).await?;
    let message = message_of(&fields)?;
    let client = gate.addressee(&fields)?;
    let Some(_underway) = gate.drain.begin() else {
        return Err(Failure::draining());
    };
    let reservation = gate.reserve().await?;
    let root = ChannelName::root();
    let reached = gate.deliver_direct(&client, &root, Direct::text(message), reservation);
    if reached.is_ok() {
        gate.tallies.mine().direct.add(Way::Http, 1);
    }
    let reached = match reached {
        Ok(Reached::Connections) => "connections",
        Ok(Reached::Inbox) => "inbox",
        Ok(Reached::Full) | Err(_) => "nobody",
    };
    Ok(json(format!(r#"{{"reached":"{reached}"}}"#)))
}

/// The size of a message is a limit, and judged before anything else that is in the body.
fn message_of(fields: &Fields) -> Result<String, Failure> {
    let message = fields.text("message")?.filter(|text| !text.is_empty());
    let message =
        message.ok_or_else(|| Failure::field("message", "must not be missing or empty"))?;
    if message.len() > MAX_BYTES {
        let detail = format!("message has a limit of {MAX_BYTES} bytes");
        return Err(Failure::new(Problem::TooLarge, detail));
    }
    Ok(message)
}

impl Gate {
    /// The client that a message is for: named by its id, or by a token of it, also an old one.
    fn addressee(&self, fields: &Fields) -> Result<ClientId, Failure> {
        let text = text_of_client(fields)?;
        match self.signer.client_of(&text) {
            Ok(client) => Ok(client),
            // Sent to it as to an id, the message would reach nobody, and nobody would be told.
            Err(TokenError::Invalid) => {
                Err(Failure::field("client_id", "is a token, but not one of ours"))
            }
            Err(TokenError::Malformed | TokenError::Expired) => super::id_of(&text),
        }
    }
}
