//! `/api/…`: what a backend may do to clients, with an API key; wire.md section 6.

pub(super) mod disconnect;

use http::request::Parts;

use super::body::Fields;
use super::{Failure, Gate};
use crate::code::Problem;
use crate::identity::ClientId;

impl Gate {
    /// # Errors
    /// 401 for whoever is no backend.
    fn check_backend(&self, parts: &Parts) -> Result<(), Failure> {
        if self.is_backend(parts) {
            return Ok(());
        }
        let detail = "give an API key of [api] keys as Authorization: Bearer";
        Err(Failure::new(Problem::Unauthorized, detail))
    }
}

/// The client that a request is about.
fn client_of(fields: &Fields) -> Result<ClientId, Failure> {
    let text = fields.text("client_id")?.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Failure::field("client_id", "is required"))?;
    ClientId::parse(&text).map_err(|error| Failure::field("client_id", &error.to_string()))
}
