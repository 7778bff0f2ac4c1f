//! The Channel API: what a backend may do to clients at `/api/…`, with an API key, and the
//! development protocol; wire.md section 6.

pub(super) mod create_channel;
pub(super) mod dev;
pub(super) mod disconnect;
pub(super) mod send_message;

use http::request::Parts;

use super::body::Fields;
use super::{Failure, Gate};
use crate::code::Problem;
use crate::identity::ClientId;

impl Gate {
    /// # Errors
    /// 401 for whoever is no backend.
    pub(in crate::gate) fn check_backend(&self, parts: &Parts) -> Result<(), Failure> {
        if self.is_backend(parts) {
            return Ok(());
        }
        let detail = "give an API key of [api] keys as Authorization: Bearer";
        Err(Failure::new(Problem::Unauthorized, detail))
    }
}

/// The client that a request is about.
fn client_of(fields: &Fields) -> Result<ClientId, Failure> {
    id_of(&text_of_client(fields)?)
}

/// What a request says of the client that it is about.
fn text_of_client(fields: &Fields) -> Result<String, Failure> {
    let text = fields.text("client_id")?.filter(|text| !text.is_empty());
    text.ok_or_else(|| Failure::field("client_id", "is required"))
}

fn id_of(text: &str) -> Result<ClientId, Failure> {
    ClientId::parse(text).map_err(|error| Failure::field("client_id", &error.to_string()))
}
