//! What an operator should know at the start: insecure switches, and wishes this build has not.

use super::{ChannelRule, Config, IpDisclosure, Kind};

impl Config {
    /// A line for each insecure switch in force and each thing asked for that this build cannot do.
    ///
    /// What is shipped warns of nothing. No line holds a secret.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.warn_of_disclosure(&mut lines);
        self.warn_of_networks(&mut lines);
        lines.extend(self.channels.rules.iter().filter_map(wide_open));
        self.warn_of_unserved(&mut lines);
        lines
    }

    fn warn_of_disclosure(&self, lines: &mut Vec<String>) {
        if self.presence.ip == IpDisclosure::Full {
            lines.push(
                "presence.ip is \"full\": everyone present sees the whole address of everyone"
                    .to_owned(),
            );
        }
        let origins = &self.cors.origins;
        let has = |wanted: &str| origins.iter().any(|origin| origin == wanted);
        if has("*") && origins.len() > 1 {
            lines
                .push("cors.origins holds \"*\" beside others: every origin is allowed".to_owned());
        } else if has("null") {
            lines.push(
                "cors.origins holds \"null\": any site can reach us from a sandboxed frame"
                    .to_owned(),
            );
        }
    }

    fn warn_of_networks(&self, lines: &mut Vec<String>) {
        let all = |networks: &[ipnet::IpNet]| networks.iter().any(|it| it.prefix_len() == 0);
        if all(&self.trusted_proxies) {
            lines.push(
                "trusted_proxies holds every address: any client can claim to be at another"
                    .to_owned(),
            );
        }
        if all(&self.limits.exempt) {
            lines.push(
                "limits.exempt holds every address: no limit per address or client is in force"
                    .to_owned(),
            );
        }
        if self.hooks.is_in_the_clear() {
            lines.push(
                "hooks.url is not https://: who listens on the way reads which clients come and go"
                    .to_owned(),
            );
        }
    }

    fn warn_of_unserved(&self, lines: &mut Vec<String>) {
        for name in &self.unserved {
            lines.push(match name.as_str() {
                "REDIS_URL" => {
                    "REDIS_URL is set, but this build has no Redis engine: it runs in memory".into()
                }
                "DATABASE_URL" => "DATABASE_URL is set, but is no address of PostgreSQL: \
                                   topics are kept in a file in the data directory"
                    .into(),
                other => format!("{other} is set, but this build does not serve it"),
            });
        }
    }
}

/// The line for a rule that lets anyone without a token use the root, or make channels at will.
fn wide_open(rule: &ChannelRule) -> Option<String> {
    let wide = rule.pattern.is_empty() || rule.pattern == "**" || rule.pattern == "*";
    (rule.anonymous && wide && rule.kind != Kind::Off).then(|| {
        let what = if rule.pattern.is_empty() { "the root channel" } else { "any channel" };
        format!(
            "channels.{:?}.anonymous is true: anyone can use {what} without a token",
            rule.pattern
        )
    })
}
