//! Who was here when the last process died, and who writes down who is here now.

use std::sync::Arc;

use tokio::time::Instant;

use super::StartError;
use crate::channel::ChannelName;
use crate::config::Config;
use crate::gate::Gate;
use crate::hooks::{Scribe, Webhook};
use crate::identity::{ClientId, DisplayName};
use crate::presence::{Announce, Edge, Past, Visitor};
use crate::store::{DataDir, HereRecord, Journal, Journaled, StoreError};

/// The journal as the last process left it.
pub(super) type Left = Option<(Journal, Journaled)>;

/// Whoever is told of those who come and go, and who was here before.
#[derive(Debug, Default)]
pub(super) struct Heralds {
    pub(super) webhook: Option<Arc<Webhook>>,
    pub(super) scribe: Option<Arc<Scribe>>,
    pub(super) here: Vec<HereRecord>,
}

/// The journal, where it is of use: where a backend hears of clients, or a channel outlives the process.
pub(super) fn open(config: &Config, directory: &DataDir) -> Result<Left, StoreError> {
    if config.hooks.url.is_none() && !config.channels.rules.iter().any(|rule| rule.durable) {
        if let Err(error) = directory.forget_journal() {
            tracing::warn!(%error, "the journal of an earlier configuration is left as it is");
        }
        return Ok(None);
    }
    let (journal, said) = directory.journal()?;
    if said.cut > 0 {
        tracing::warn!(bytes = said.cut, "passed over a torn record in the journal");
    }
    if said.damaged > 0 {
        tracing::warn!(lines = said.damaged, "passed over damaged records in the journal");
    }
    Ok(Some((journal, said)))
}

impl Heralds {
    /// Starts them.
    pub(super) fn start(config: &Config, left: Left) -> Result<Self, StartError> {
        let Some((journal, said)) = left else {
            let webhook = Webhook::start(&config.hooks).map_err(StartError::Webhook)?;
            return Ok(Self { webhook: webhook.map(Arc::new), ..Self::default() });
        };
        let started = Scribe::start(&config.hooks, journal, said);
        let (scribe, here) = started.map_err(StartError::Webhook)?;
        let webhook = scribe.webhook().cloned();
        Ok(Self { webhook, scribe: Some(Arc::new(scribe)), here })
    }

    /// Whom presence tells.
    pub(super) fn announce(&self) -> Option<Arc<dyn Announce>> {
        match (&self.scribe, &self.webhook) {
            (Some(scribe), _) => Some(Arc::<Scribe>::clone(scribe)),
            (None, Some(webhook)) => Some(Arc::<Webhook>::clone(webhook)),
            (None, None) => None,
        }
    }
}

/// Has those who were here be here, for as long as they may take to come back.
pub(super) fn restore(gate: &Gate, here: Vec<HereRecord>) {
    let (now, mut restored) = (Instant::now(), 0_usize);
    for record in here {
        let Ok(client) = ClientId::parse(&record.client) else { continue };
        let past = past(gate, &client, &record);
        if gate.presence.restore(&past, now).is_ok() {
            restored += 1;
        } else if let Some(scribe) = &gate.scribe {
            // There is no place for it any more: it has gone.
            let edge = past.is_announced.then_some(Edge::Disconnected);
            scribe.announce(&client, edge, None);
        }
    }
    if restored > 0 {
        tracing::info!(
            clients = restored,
            "an earlier process ended without a word: who was here may come back"
        );
    }
}

fn past(gate: &Gate, client: &ClientId, record: &HereRecord) -> Past {
    let channels = record.channels.iter().filter_map(|name| ChannelName::parse(name).ok());
    let channels = channels.filter(|channel| gate.policies.of(channel).is_some()).collect();
    let name = record.name.as_deref().and_then(|name| DisplayName::parse(name).ok().flatten());
    let visitor = Visitor {
        client: client.clone(),
        name,
        address: record.address,
        // As is configured now.
        shown_ip: gate.shown_ip(record.address),
        origin: record.origin.as_deref().map(Arc::from),
        is_counted: record.counted,
        token: Some(0),
    };
    Past {
        visitor,
        channels,
        has_line: record.line,
        is_alone: record.alone,
        is_announced: record.told,
    }
}
