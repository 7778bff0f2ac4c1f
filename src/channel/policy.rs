//! What an operator decided for a channel, and which decision holds for which name.

use std::sync::Arc;
use std::time::Duration;

use super::{Accepted, ChannelName, Content, Inbound, Kind, Pattern, Rejection};

/// What happens to a subscriber that does not keep up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeliveryPolicy {
    /// Everything is delivered; at the limit the connection is closed with 4008 and resumes.
    Every,
    /// What waits is replaced by the newest of the same sender.
    Latest,
}

/// How much of a channel is kept: the newest `messages` within `seconds` and `bytes`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// How many publications at most.
    pub messages: usize,
    /// How old one may become.
    pub age: Duration,
    /// How many bytes of delivered JSON in all.
    pub bytes: usize,
}

/// The rules of a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// What it accepts and delivers.
    pub kind: Kind,
    /// Whether it can be used without a token.
    pub anonymous: bool,
    /// Put before each text, where the kind has texts of rooms.
    pub prefix: String,
    /// What happens to slow subscribers.
    pub delivery: DeliveryPolicy,
    /// What is kept.
    pub history: Bounds,
    /// Whether what is kept is on disk before a post is answered, and outlives the process.
    pub durable: bool,
}

impl Policy {
    /// What the kind makes of `inbound`; the texts of rooms get their prefix.
    ///
    /// # Errors
    /// [`Rejection`], naming the field.
    pub fn accept(&self, inbound: Inbound<'_>) -> Result<Accepted, Rejection> {
        let mut accepted = self.kind.accept(inbound)?;
        if let Accepted::Publish { content: Content::Chat(text), .. } = &mut accepted {
            text.insert_str(0, &self.prefix);
        }
        Ok(accepted)
    }

    /// Whether there is anything that can be posted.
    pub const fn takes_posts(&self) -> bool {
        !matches!(self.kind, Kind::Board | Kind::Echo | Kind::Off)
    }

    /// Whether clients from before this gateway speak here: they are told of no error unless they ask.
    pub const fn is_historic(&self) -> bool {
        matches!(self.kind, Kind::Camera | Kind::Chat)
    }
}

/// All policies of a node, the most specific pattern first.
#[derive(Debug)]
pub struct Policies(Vec<(Pattern, Arc<Policy>)>);

impl Policies {
    /// The policies in `rules`, whatever their order.
    pub fn new(rules: Vec<(Pattern, Policy)>) -> Self {
        let mut rules: Vec<_> =
            rules.into_iter().map(|(pattern, policy)| (pattern, Arc::new(policy))).collect();
        rules.sort_by(|(a, _), (b, _)| b.cmp(a));
        Self(rules)
    }

    /// The policy that holds for `name`; `None` where no pattern matches or the channel is off.
    pub fn of(&self, name: &ChannelName) -> Option<&Arc<Policy>> {
        let (_, policy) = self.0.iter().find(|(pattern, _)| pattern.matches(name))?;
        (policy.kind != Kind::Off).then_some(policy)
    }

    /// Whether a pattern that holds for no other channel names this one.
    pub fn has_name(&self, name: &ChannelName) -> bool {
        let found = self.0.iter().find(|(pattern, _)| pattern.matches(name));
        found.is_some_and(|(pattern, _)| pattern.is_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(kind: Kind) -> Policy {
        let history = Bounds { messages: 1, age: Duration::from_secs(1), bytes: 1 };
        let delivery = DeliveryPolicy::Every;
        Policy { kind, anonymous: false, prefix: String::new(), delivery, history, durable: false }
    }

    #[test]
    fn the_most_specific_pattern_wins_and_off_hides_a_channel() {
        let rule = |text, kind| (Pattern::parse(text).unwrap(), policy(kind));
        let policies = Policies::new(vec![
            rule("**", Kind::Message),
            rule("lab/*", Kind::Json),
            rule("lab/secret", Kind::Off),
        ]);
        let kind = |name| policies.of(&ChannelName::parse(name).unwrap()).map(|found| found.kind);
        assert_eq!(kind("anything"), Some(Kind::Message));
        assert_eq!(kind("lab/a"), Some(Kind::Json));
        assert_eq!(kind("lab/secret"), None);
        assert_eq!(kind("lab/secret/deeper"), Some(Kind::Message));
        let has_name = |name| policies.has_name(&ChannelName::parse(name).unwrap());
        assert!(has_name("lab/secret"));
        assert!(!has_name("lab/a") && !has_name("anything") && !has_name(""));
    }
}
