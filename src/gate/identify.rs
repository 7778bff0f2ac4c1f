//! Who is asking: a client with a token, a client by its id alone, a backend, or nobody.

use std::sync::Arc;

use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;

use super::body::Fields;
use super::origin::{is_own, origin_of};
use super::request::{Pairs, remote_of};
use super::{Failure, Gate, Via};
use crate::channel::{ChannelName, Policy};
use crate::code::Problem;
use crate::identity::{Claims, ClientId};
use crate::presence::Visitor;

/// Who is asking, once that is established.
#[derive(Debug)]
pub(super) enum Caller {
    /// It holds an API key; the client id that it names, if it does.
    Backend(Option<ClientId>),
    /// It holds a token.
    Client(Arc<Claims>),
    /// It names a client id, and comes from where that client is.
    ClientId(ClientId),
    /// It says nothing of itself.
    Nobody,
}

/// The token and the client id of a request, wherever they stand in it.
#[derive(Debug, Default)]
struct Credentials {
    tokens: Vec<String>,
    client_id: Option<String>,
}

impl Credentials {
    fn add(&mut self, token: &str) {
        if !self.tokens.iter().any(|known| known == token) {
            self.tokens.push(token.to_owned());
        }
    }

    fn collect(parts: &Parts, query: &Pairs, fields: Option<&Fields>) -> Result<Self, Failure> {
        let mut found = Self::default();
        for value in parts.headers.get_all(AUTHORIZATION) {
            let text = value.to_str().map_err(|_| no_token())?;
            let (scheme, token) = text.split_once(' ').ok_or_else(no_token)?;
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(Failure::new(Problem::Unauthorized, "Authorization must be Bearer"));
            }
            found.add(token.trim());
        }
        for token in query.all("token") {
            found.add(token);
        }
        for protocol in offered_protocols(parts) {
            if let Some(token) = protocol.strip_prefix("bearer.") {
                found.add(token);
            }
        }
        found.client_id = query.get("client_id").map(str::to_owned);
        if let Some(fields) = fields {
            for token in fields.texts("token")? {
                found.add(&token);
            }
            if let Some(client_id) = fields.text("client_id")? {
                found.client_id = Some(client_id);
            }
        }
        Ok(found)
    }
}

fn no_token() -> Failure {
    Failure::new(Problem::Unauthorized, "Authorization must be Bearer and a token")
}

/// The WebSocket subprotocols that the client offers.
pub(super) fn offered_protocols(parts: &Parts) -> impl Iterator<Item = &str> {
    let values = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim)
}

impl Gate {
    /// Establishes who is asking.
    ///
    /// A token that is given is checked, also where none would be needed.
    pub(super) fn identify(
        &self,
        parts: &Parts,
        query: &Pairs,
        fields: Option<&Fields>,
    ) -> Result<Caller, Failure> {
        let found = Credentials::collect(parts, query, fields)?;
        let named = match &found.client_id {
            None => None,
            Some(text) => Some(
                ClientId::parse(text)
                    .map_err(|error| Failure::field("client_id", &error.to_string()))?,
            ),
        };
        match found.tokens.as_slice() {
            [] => match named {
                None => Ok(Caller::Nobody),
                Some(client) => self.client_alone(parts, client),
            },
            [token] if self.is_key(parts, token) => Ok(Caller::Backend(named)),
            [token] => {
                let now = self.clock.now();
                // Who posts will post again; a stream shows its token once.
                let claims = match fields {
                    Some(_) => self.signer.verify_often(token, now)?,
                    None => self.signer.verify(token, now)?,
                };
                self.live
                    .check(&claims)
                    .map_err(|_| Failure::new(Problem::TokenInvalid, "the token was ended"))?;
                if named.is_some_and(|named| named != claims.client) {
                    let detail = "client_id is not the one that the token is for";
                    return Err(Failure::new(Problem::Forbidden, detail));
                }
                Ok(Caller::Client(claims))
            }
            _ => Err(Failure::field("token", "two different ones were given")),
        }
    }

    /// Establishes who is asking where only tokens count: a client id without one is nobody's.
    pub(super) fn identify_by_token(
        &self,
        parts: &Parts,
        query: &Pairs,
    ) -> Result<Caller, Failure> {
        if Credentials::collect(parts, query, None)?.tokens.is_empty() {
            return Ok(Caller::Nobody);
        }
        self.identify(parts, query, None)
    }

    /// A key counts in the header alone: addresses are written down in too many places.
    fn is_key(&self, parts: &Parts, token: &str) -> bool {
        parts.headers.contains_key(AUTHORIZATION) && self.api_keys.verify(token)
    }

    /// Whether the request shows an API key, as far as its head tells.
    pub(super) fn is_backend(&self, parts: &Parts) -> bool {
        let values = parts.headers.get_all(AUTHORIZATION).into_iter();
        let mut given = values.filter_map(|value| value.to_str().ok()?.split_once(' '));
        given.any(|(scheme, key)| {
            scheme.eq_ignore_ascii_case("bearer") && self.api_keys.verify(key.trim())
        })
    }

    /// A client id without a token is believed only where that client is; wire.md section 3.
    fn client_alone(&self, parts: &Parts, client: ClientId) -> Result<Caller, Failure> {
        let refused = |detail: &str| Err(Failure::new(Problem::TokenRequired, detail));
        if self.config.post.require_token {
            return refused("this gateway takes no client id without its token");
        }
        let remote = remote_of(parts);
        match remote.via {
            Via::Nobody | Via::Trusted => {}
            Via::Stranger => {
                warn_of_proxy_once();
                return refused("behind a proxy that is not in trusted_proxies a token is needed");
            }
            Via::Silent => {
                return refused("the proxy does not say whom this is from: a token is needed");
            }
        }
        let origin = origin_of(parts).filter(|origin| !is_own(parts, origin));
        match self.presence.may_speak(&client, remote.address, origin) {
            None => Err(Failure::new(Problem::UnknownClient, "the client id is not present")),
            Some(false) => refused("the client id was logged in elsewhere; send its token"),
            Some(true) => Ok(Caller::ClientId(client)),
        }
    }

    /// The caller as presence knows it; for nobody a client id of its own, if the channel allows it.
    pub(super) fn visitor(
        &self,
        parts: &Parts,
        caller: &Caller,
        policy: &Policy,
    ) -> Result<Visitor, Failure> {
        let remote = remote_of(parts);
        let (client, name, token) = match caller {
            Caller::Client(claims) => {
                (claims.client.clone(), claims.name.clone(), Some(claims.order))
            }
            Caller::Nobody if policy.anonymous => (ClientId::random(), None, None),
            Caller::Nobody | Caller::ClientId(_) | Caller::Backend(_) => {
                return Err(unauthorized());
            }
        };
        Ok(Visitor {
            client,
            name,
            address: remote.address,
            shown_ip: self.shown_ip(remote.address),
            origin: origin_of(parts).map(Arc::from),
            is_counted: self.rates.counts(remote.whom()),
            token,
        })
    }
}

impl Caller {
    /// The client that speaks; none for a backend and for nobody in particular.
    pub(super) fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Client(claims) => Some(&claims.client),
            Self::ClientId(client) => Some(client),
            Self::Backend(_) | Self::Nobody => None,
        }
    }

    /// Whether the caller has a token for a private line.
    pub(super) fn is_line(&self) -> bool {
        matches!(self, Self::Client(claims) if claims.line)
    }

    /// Whether the caller may receive from `channel`.
    pub(super) fn check_read(&self, channel: &ChannelName, policy: &Policy) -> Result<(), Failure> {
        match self {
            Self::Client(claims) if claims.may_read(channel) => Ok(()),
            Self::Client(_) => Err(forbidden()),
            Self::Backend(_) => Ok(()),
            Self::Nobody if policy.anonymous => Ok(()),
            Self::ClientId(_) | Self::Nobody => Err(unauthorized()),
        }
    }

    /// Whether the caller may publish on `channel`.
    pub(super) fn check_write(
        &self,
        channel: &ChannelName,
        policy: &Policy,
    ) -> Result<(), Failure> {
        match self {
            Self::Client(claims) if claims.may_write(channel) => Ok(()),
            Self::Client(_) => Err(forbidden()),
            Self::Backend(_) | Self::ClientId(_) => Ok(()),
            Self::Nobody if policy.anonymous => Ok(()),
            Self::Nobody => Err(unauthorized()),
        }
    }
}

pub(super) fn unauthorized() -> Failure {
    Failure::new(Problem::Unauthorized, "give a token: GET /login makes one")
}

fn forbidden() -> Failure {
    Failure::new(Problem::Forbidden, "the token does not allow this channel")
}

fn warn_of_proxy_once() {
    static WARNED: std::sync::Once = std::sync::Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "a post without a token came through a proxy that is not in trusted_proxies: refused"
        );
    });
}
