//! Who the command is to the gateway: a token it was given, a key, or a login of its own.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::address::Channel;
use super::error::CommandError;
use super::gateway::{Gateway, Payload, json as parse};
use super::options::Secret;
use super::problem::Problem;

/// How a command proves itself, and the login it made itself, if it had to.
#[derive(Debug)]
pub(crate) struct Identity {
    token: Option<Secret>,
    key: Option<Secret>,
    name: Option<String>,
    own: Option<Own>,
}

/// What a token that is minted with an API key may do on its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// Receive.
    Read,
    /// Receive and publish.
    ReadAndWrite,
}

impl May {
    /// Its name on the wire.
    fn letters(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::ReadAndWrite => "rw",
        }
    }
}

/// A login of our own. Units: `life` is what the gateway gave the token, from `since` on.
#[derive(Debug)]
struct Own {
    token: Secret,
    since: Instant,
    life: Option<Duration>,
    /// Minted with the key, not by a login: `/login` would answer another kind of token.
    minted: bool,
}

impl Identity {
    /// An identity that has not spoken to the gateway yet.
    pub(crate) fn new(token: Option<Secret>, key: Option<Secret>, name: Option<String>) -> Self {
        Self { token, key, name, own: None }
    }

    /// The same, which logs in before anything else where it has neither token nor key.
    pub(crate) fn logged_in(mut self) -> Self {
        // An empty name is none, and a wish to be somebody all the same.
        self.name.get_or_insert_default();
        self
    }

    /// The secret for a single request, which an API key may make too.
    pub(crate) fn for_request(
        &mut self,
        gateway: &Gateway,
    ) -> Result<Option<Secret>, CommandError> {
        if self.token.is_none() && self.key.is_some() {
            return Ok(self.key.clone());
        }
        self.current(gateway)
    }

    /// The secret for a connection to `channel`: an API key cannot connect, so it mints a token.
    pub(crate) fn for_channel(
        &mut self,
        gateway: &Gateway,
        channel: &Channel,
        may: May,
    ) -> Result<Option<Secret>, CommandError> {
        if let (None, None, Some(key)) = (&self.token, &self.own, &self.key) {
            self.own = Some(mint(gateway, channel, key, may)?);
        }
        self.current(gateway)
    }

    /// Whether a new login may mend what `problem` says; the next secret is then a new one.
    ///
    /// A token that the user gave is the user's to renew, and a refusal that came without a token
    /// is mended by logging in.
    pub(crate) fn mend(
        &mut self,
        gateway: &Gateway,
        problem: &Problem,
    ) -> Result<bool, CommandError> {
        let used_key = self.key.is_some() && self.own.is_none();
        if self.token.is_some() || used_key {
            return Ok(false);
        }
        match problem.code.as_str() {
            "unauthorized" | "token-required" if self.own.is_none() => {
                self.own = Some(self.log_in(gateway, None)?);
                Ok(true)
            }
            "token-expired" | "token-invalid" => Ok(self.forget()),
            _ => Ok(false),
        }
    }

    /// Drops our own login, so that the next secret is a new one; `false` if there is none.
    pub(crate) fn forget(&mut self) -> bool {
        let Some(own) = self.own.take() else {
            return false;
        };
        if !own.minted && self.name.is_none() {
            // The channel asked for a token once and will again.
            self.name = Some(String::new());
        }
        true
    }

    /// Whether we logged in ourselves, and so would be another client after a new login.
    pub(crate) fn is_logged_in(&self) -> bool {
        self.own.is_some()
    }

    /// Ends a login of our own, so that nobody is shown as present who is gone.
    pub(crate) fn leave(&mut self, gateway: &Gateway) {
        if let Some(own) = self.own.take() {
            gateway.farewell(&own.token);
        }
    }

    /// The whole answer of a login under the token given, or as someone new.
    pub(crate) fn login_answer(
        &self,
        gateway: &Gateway,
        users: bool,
    ) -> Result<Value, CommandError> {
        login(gateway, self.token.as_ref(), self.name.as_deref(), users)
    }

    /// The token given, or our own; with a name to show, a login comes first.
    fn current(&mut self, gateway: &Gateway) -> Result<Option<Secret>, CommandError> {
        if let Some(token) = &self.token {
            return Ok(Some(token.clone()));
        }
        if let Some(own) = self.own.take() {
            self.own = Some(self.renewed(gateway, own));
        } else if self.name.is_some() {
            self.own = Some(self.log_in(gateway, None)?);
        }
        Ok(self.own.as_ref().map(|own| own.token.clone()))
    }

    /// `own`, or past half of its life a new token of the same client, if there is one to be had.
    fn renewed(&self, gateway: &Gateway, own: Own) -> Own {
        let is_old = own.life.is_some_and(|life| own.since.elapsed() > life / 2);
        if own.minted || !is_old {
            return own;
        }
        self.log_in(gateway, Some(&own.token)).unwrap_or(own)
    }

    fn log_in(&self, gateway: &Gateway, renew: Option<&Secret>) -> Result<Own, CommandError> {
        let since = Instant::now();
        let answer = login(gateway, renew, self.name.as_deref(), false)?;
        Ok(Own { token: token_in(&answer)?, since, life: life_in(&answer), minted: false })
    }
}

/// What `POST /login` answers.
fn login(
    gateway: &Gateway,
    token: Option<&Secret>,
    name: Option<&str>,
    users: bool,
) -> Result<Value, CommandError> {
    let query: &[(&str, &str)] = if users { &[] } else { &[("users", "none")] };
    let url = gateway.address().of("login", &Channel::default(), query);
    let fields = name.map(|name| ("name", name));
    parse(&gateway.post(&url, token, Payload::Form(fields.as_slice()), None)?)
}

/// A token for `channel` alone, by an API key and under a client id that nobody else has.
fn mint(gateway: &Gateway, channel: &Channel, key: &Secret, may: May) -> Result<Own, CommandError> {
    let since = Instant::now();
    let url = gateway.address().of("api/create_channel", &Channel::default(), &[]);
    let request = json!({
        "client_id": format!("pushgate-{}", random_id()?),
        "channels": [{"channel": channel.name(), "may": may.letters()}],
    });
    let answer = parse(&gateway.post(&url, Some(key), Payload::Json(&request), None)?)?;
    Ok(Own { token: token_in(&answer)?, since, life: None, minted: true })
}

/// The token in the answer of a login.
pub(crate) fn token_in(answer: &Value) -> Result<Secret, CommandError> {
    let token = answer.get("token").and_then(Value::as_str).map(|token| token.to_owned().into());
    token.ok_or_else(|| CommandError::Foreign(Problem::of_status(200, "the answer has no token")))
}

fn life_in(answer: &Value) -> Option<Duration> {
    answer.get("expires_in").and_then(Value::as_u64).map(Duration::from_secs)
}

/// 128 random bits in hexadecimal.
pub(crate) fn random_id() -> Result<String, CommandError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| CommandError::Runtime(std::io::Error::other(error)))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &str) -> Problem {
        Problem { status: 401, code: code.to_owned(), ..Problem::default() }
    }

    fn nowhere() -> Gateway {
        Gateway::new(crate::command::address::Address::parse("http://127.0.0.1:9").unwrap())
    }

    fn secret() -> Secret {
        Secret::from("abc".to_owned())
    }

    #[test]
    fn a_token_that_was_given_is_never_replaced() {
        let mut identity = Identity::new(Some(secret()), None, None);
        assert!(!identity.mend(&nowhere(), &problem("token-expired")).unwrap());
        assert!(!identity.forget());
    }

    #[test]
    fn a_login_of_our_own_is_forgotten_when_it_expires() {
        let mut identity = Identity::new(None, None, None);
        let since = Instant::now();
        identity.own = Some(Own { token: secret(), since, life: None, minted: false });
        assert!(identity.mend(&nowhere(), &problem("token-expired")).unwrap());
        assert!(identity.own.is_none());
    }

    #[test]
    fn a_refusal_that_no_login_mends_is_left_alone() {
        let mut identity = Identity::new(None, None, None);
        assert!(!identity.mend(&nowhere(), &problem("forbidden")).unwrap());
        let mut keyed = Identity::new(None, Some(secret()), None);
        assert!(!keyed.mend(&nowhere(), &problem("unauthorized")).unwrap());
    }

    #[test]
    fn random_ids_are_long_and_differ() {
        let (one, two) = (random_id().unwrap(), random_id().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, two);
    }
}
