//! `GET` or `POST /login`: mints a client id and a token, and makes the client present.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method};
use tokio::time::Instant;

use super::body::Fields;
use super::identify::Caller;
use super::origin::origin_of;
use super::post::json;
use super::problem::Answer;
use super::request::{Pairs, remote_of};
use super::{Failure, Gate};
use crate::channel::ChannelName;
use crate::channel::json::string;
use crate::code::Problem;
use crate::dialect::UsersMode;
use crate::identity::{ClientId, DisplayName, Mint, Minted};
use crate::presence::Visitor;

/// The verb.
pub(super) async fn login(State(gate): State<Arc<Gate>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    if gate.drain.is_draining() {
        return Err(Failure::draining());
    }
    let remote = remote_of(&parts);
    if !gate.is_backend(&parts) {
        gate.rates.login(remote.whom())?;
    }
    let query = Pairs::of_query(&parts)?;
    let fields = match parts.method {
        Method::POST => Some(Fields::read(&gate, &parts, body).await?),
        _ => None,
    };
    let caller = gate.identify_for_login(&parts, &query, fields.as_ref())?;
    let wants_users = users_wanted(&query)?;
    let name = name_of(&query, fields.as_ref())?;
    let minted = gate.mint(&caller, name)?;
    let claims = &minted.claims;
    let visitor = Visitor {
        client: claims.client.clone(),
        name: claims.name.clone(),
        address: remote.address,
        shown_ip: gate.shown_ip(remote.address),
        origin: origin_of(&parts).map(Arc::from),
        is_counted: gate.rates.counts(remote.whom()),
        token: Some(claims.order),
    };
    gate.presence.login(&visitor, Instant::now())?;
    Ok(answer(&gate, &parts, &minted, wants_users))
}

fn answer(gate: &Gate, parts: &Parts, minted: &Minted, wants_users: bool) -> Response {
    let wants_text = parts
        .headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.as_bytes().starts_with(b"text/plain"));
    let mut response = if wants_text {
        let mut response = Response::new(Body::from(format!("{}\n", minted.token)));
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        response
    } else {
        let claims = &minted.claims;
        let client = string(claims.client.as_str());
        let life = claims.expires_at.saturating_sub(claims.issued_at);
        let token = &minted.token;
        let mut text = format!(r#"{{"client_id":{client},"token":"{token}","expires_in":{life}"#);
        if wants_users {
            let list = gate.presence.first(&claims.client);
            // A token for other channels alone shows nothing of the root.
            let is_shown = claims.may_read(&ChannelName::root());
            text.push_str(r#","users":"#);
            text.push_str(if is_shown { &list.entries } else { "[]" });
            if is_shown && list.partial {
                text += &format!(r#","count":{},"partial":true"#, list.count);
            }
        }
        text.push('}');
        json(text)
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn users_wanted(query: &Pairs) -> Result<bool, Failure> {
    match query.get("users") {
        None => Ok(true),
        Some(text) => match UsersMode::parse(text) {
            Some(mode) => Ok(mode != UsersMode::None),
            None => Err(Failure::field("users", "must be list, diff, count or none")),
        },
    }
}

fn name_of(query: &Pairs, fields: Option<&Fields>) -> Result<Option<DisplayName>, Failure> {
    let given = match fields {
        Some(fields) => fields.text("name")?,
        None => None,
    };
    let given = given.or_else(|| query.get("name").map(str::to_owned)).unwrap_or_default();
    DisplayName::parse(&given).map_err(|error| Failure::field("name", &error.to_string()))
}

impl Gate {
    /// Who logs in: somebody new, or a client that renews its token. A client id alone is neither:
    /// the caller never chooses it.
    fn identify_for_login(
        &self,
        parts: &Parts,
        query: &Pairs,
        fields: Option<&Fields>,
    ) -> Result<Caller, Failure> {
        match self.identify(parts, query, fields)? {
            Caller::Nobody if !self.config.login.open => {
                Err(Failure::new(Problem::Forbidden, "tokens are minted by the backend only"))
            }
            Caller::ClientId(_) => Err(Failure::new(
                Problem::TokenRequired,
                "a client id cannot be chosen, only kept: send its token",
            )),
            // It would be on a list, and live as long as it likes: its backend has said otherwise.
            Caller::Client(claims) if claims.line => Err(Failure::new(
                Problem::Forbidden,
                "the token is for a private line, which its backend alone renews",
            )),
            caller @ (Caller::Client(_) | Caller::Backend(_) | Caller::Nobody) => Ok(caller),
        }
    }

    fn mint(&self, caller: &Caller, name: Option<DisplayName>) -> Result<Minted, Failure> {
        let now = self.clock.now();
        let life = self.config.tokens.seconds;
        let mint = match caller {
            Caller::Client(claims) => Mint {
                client: claims.client.clone(),
                life,
                name: name.or_else(|| claims.name.clone()),
                info: claims.info.clone(),
                grants: claims.grants.clone(),
                line: false,
                earlier_until: Some(claims.earlier_until_if_renewed(now, self.longest_life())),
            },
            Caller::Backend(_) | Caller::ClientId(_) | Caller::Nobody => Mint {
                client: ClientId::random(),
                life,
                name,
                info: None,
                grants: None,
                line: false,
                earlier_until: None,
            },
        };
        let minted = self.signer.mint(mint, now);
        if minted.fits() {
            Ok(minted)
        } else {
            Err(Failure::new(Problem::TooLarge, "the token would be larger than tokens may be"))
        }
    }
}
