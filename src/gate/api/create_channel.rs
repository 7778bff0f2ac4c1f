//! `POST /api/create_channel`: a backend makes a token for a client of its choice.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use tokio::time::Instant;

use super::super::body::Fields;
use super::super::post::json;
use super::super::problem::Answer;
use super::super::request::remote_of;
use super::{Failure, Gate, client_of};
use crate::code::Problem;
use crate::identity::{ClientId, Grant, MAX_LIFE_SECONDS, Mint, Minted};
use crate::presence::Visitor;

/// What `duration_minutes` may be.
const MINUTES: std::ops::RangeInclusive<u64> = 1..=MAX_LIFE_SECONDS / 60;

/// The verb. The client is on no list for it, but what is sent to it waits for its page.
pub(in crate::gate) async fn create_channel(
    State(gate): State<Arc<Gate>>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    gate.check_backend(&parts)?;
    if gate.drain.is_draining() {
        return Err(Failure::draining());
    }
    let fields = Fields::read(&gate, &parts, body).await?;
    let client = client_of(&fields)?;
    let life = life_of(&fields)?.unwrap_or(gate.config.tokens.seconds);
    let minted = gate.mint_for(client, life, grants_of(&fields)?)?;
    let remote = remote_of(&parts);
    let visitor = Visitor {
        client: minted.claims.client.clone(),
        name: None,
        address: remote.address,
        shown_ip: Arc::from(""),
        origin: None,
        is_counted: false,
        token: Some(minted.claims.order),
    };
    gate.presence.expect(&visitor, Instant::now())?;
    Ok(answer(&minted))
}

fn answer(minted: &Minted) -> Response {
    let mut response = json(format!(r#"{{"token":"{}"}}"#, minted.token));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Gate {
    /// A token that a backend asked for; without `grants` one for a private line.
    fn mint_for(
        &self,
        client: ClientId,
        life: Duration,
        grants: Option<Vec<Grant>>,
    ) -> Result<Minted, Failure> {
        let now = self.clock.now();
        // Whatever tokens the client has, this one ends them when it connects.
        let earlier_until = Some(now.seconds() + MAX_LIFE_SECONDS);
        let mint = Mint {
            client,
            life,
            name: None,
            info: None,
            line: grants.is_none(),
            grants,
            earlier_until,
        };
        let minted = self.signer.mint(mint, now);
        if minted.fits() {
            return Ok(minted);
        }
        let detail = "channels: the token would be larger than the 4096 bytes that tokens may have";
        Err(Failure::new(Problem::TooLarge, detail))
    }
}

/// The value of a field as JSON has it; that of a form is JSON in a text.
fn raw<'a>(fields: &'a Fields, name: &str) -> Result<Option<&'a str>, Failure> {
    match fields {
        Fields::Form(pairs) => pairs.once(name),
        Fields::Json(fields) => {
            Ok(fields.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null"))
        }
    }
}

fn life_of(fields: &Fields) -> Result<Option<Duration>, Failure> {
    let Some(text) = raw(fields, "duration_minutes")? else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let minutes = text.parse().ok().filter(|minutes| digits && MINUTES.contains(minutes));
    let minutes: u64 = minutes.ok_or_else(|| {
        let (least, most) = (MINUTES.start(), MINUTES.end());
        let what = format!("must be a whole number from {least} to {most}");
        Failure::field("duration_minutes", &what)
    })?;
    Ok(Some(Duration::from_mins(minutes)))
}

fn grants_of(fields: &Fields) -> Result<Option<Vec<Grant>>, Failure> {
    let Some(text) = raw(fields, "channels")? else {
        return Ok(None);
    };
    serde_json::from_str(text).map(Some).map_err(|_| {
        // The library's own words would repeat what was sent.
        let what = r#"must be a JSON list of {"channel": pattern, "may": "r", "w" or "rw"}"#;
        Failure::field("channels", what)
    })
}
