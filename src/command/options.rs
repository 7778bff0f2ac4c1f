//! The options that every client command has.

use std::fmt;

use clap::Args;

use super::address::{Address, Channel};
use super::error::{CommandError, UsageError};
use super::gateway::Gateway;
use super::identity::Identity;

/// Where the gateway is and who asks.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Connection")]
pub struct Connect {
    /// Address of the gateway; a path after the host is kept as a prefix
    #[arg(long, env = "PUSHGATE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    #[arg(hide_env_values = true)]
    pub url: String,

    /// Token of a client, as `pushgate login` prints it
    #[arg(long, env = "PUSHGATE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<Secret>,

    /// API key of a backend, used where no token is given
    #[arg(long, env = "PUSHGATE_KEY", value_name = "KEY", hide_env_values = true)]
    pub key: Option<Secret>,

    /// Display name to log in with; without a token, commands log in by themselves when they must
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// The channel that a command speaks of.
#[derive(Args, Debug, Clone)]
pub struct ChannelArg {
    /// Name of the channel, such as chat/lobby; the root channel if absent
    #[arg(short, long, value_name = "CHANNEL", default_value = "", hide_default_value = true)]
    pub channel: String,
}

/// A token or an API key: never shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Connect {
    /// The gateway these options speak of.
    pub(crate) fn gateway(&self) -> Result<Gateway, CommandError> {
        Ok(Gateway::new(Address::parse(&self.url)?))
    }

    /// The same for who makes many connections at once.
    pub(crate) fn gateway_of_many(&self) -> Result<Gateway, CommandError> {
        Ok(Gateway::without_idle(Address::parse(&self.url)?))
    }

    /// Who asks; a variable that is set but empty counts as unset.
    pub(crate) fn identity(&self) -> Result<Identity, CommandError> {
        let token = self.token.as_ref().map(Secret::checked).transpose()?.flatten();
        let key = self.key.as_ref().map(Secret::checked).transpose()?.flatten();
        let name = self.name.clone().filter(|name| !name.is_empty());
        Ok(Identity::new(token, key, name))
    }
}

impl ChannelArg {
    /// The channel as it stands in addresses.
    pub(crate) fn parse(&self) -> Result<Channel, CommandError> {
        Ok(Channel::parse(&self.channel)?)
    }
}

impl Secret {
    /// The secret itself, for a header or for the output of `login`.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The value of an `Authorization` header.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Without white space around it; `None` if nothing is left.
    fn checked(&self) -> Result<Option<Self>, UsageError> {
        let text = self.0.trim();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UsageError::Secret);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_its_debug_text() {
        let secret = Secret::from("eyJhbGciOi".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_secret_is_trimmed_and_an_empty_one_is_none() {
        let checked = |text: &str| Secret::from(text.to_owned()).checked();
        assert_eq!(checked("abc\n"), Ok(Some(Secret::from("abc".to_owned()))));
        assert_eq!(checked("  "), Ok(None));
        assert_eq!(checked("a b"), Err(UsageError::Secret));
        assert_eq!(checked("a\r\nX: y"), Err(UsageError::Secret));
    }
}
