//! What is kept of durable channels: read when somebody needs it, and forgotten a little at a time.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::Instant;

use super::idempotency::Receipt;
use super::{Failure, Gate};
use crate::channel::{ChannelName, Kind, Policy, Publication, Stored};
use crate::code::Problem;
use crate::dialect::plain;
use crate::hub::{Bottom, Channel, Hub, Reach};
use crate::identity::{ClientId, TokenClock};
use crate::store::{
    Append, Database, DatabaseError, Erasure, Found, Loaded, Retried, Section, Side, Tally, Window,
};

/// How much is read at once: so many messages within so many bytes.
const PIECE: (usize, usize) = (1000, 1 << 20);
/// How many bytes of what is old may be in memory for those who resume, of all channels together.
const READ_AT_ONCE: usize = 256 << 20;
/// How often what lies beyond the bounds is forgotten of channels that are in use, and each how many
/// times of all.
const TRIM: Duration = Duration::from_secs(5);
const ALL: u32 = 60;
/// How long until it is tried again to have orders begin anew, and of how many channels at once.
const AGAIN: Duration = Duration::from_secs(1);
const ANEW: usize = 500;
/// Channels that are read from the store at the same time.
const STRIPES: usize = 64;

/// Durable channels as the database has them.
///
/// A channel is read by one at a time: whoever comes meanwhile finds it in memory.
#[derive(Debug)]
pub struct Archive {
    database: Arc<dyn Database>,
    reading: Vec<Mutex<()>>,
    stripes: RandomState,
    /// Whether the orders of channels that are not durable now have begun anew.
    begun: OnceCell<()>,
    /// [`READ_AT_ONCE`].
    read_at_once: usize,
}

impl Archive {
    /// What `database` keeps.
    pub fn new(database: Arc<dyn Database>) -> Self {
        let reading = std::iter::repeat_with(Mutex::default).take(STRIPES).collect();
        let (stripes, begun) = (RandomState::new(), OnceCell::new());
        Self { database, reading, stripes, begun, read_at_once: READ_AT_ONCE }
    }

    /// Has a publication written down, or gives it back.
    pub(super) fn append(&self, append: Box<dyn Append>) -> Result<(), Box<dyn Append>> {
        self.database.append(append)
    }

    /// What was counted of posts that were written down.
    pub(super) fn tally(&self) -> &Tally {
        self.database.tally()
    }

    async fn read(&self, name: &ChannelName) -> Option<MutexGuard<'_, ()>> {
        let stripes = u64::try_from(self.reading.len()).unwrap_or(1);
        let stripe = usize::try_from(self.stripes.hash_one(name) % stripes).unwrap_or(0);
        Some(self.reading.get(stripe)?.lock().await)
    }

    /// Reads what memory lacks of `reach`, a piece at a time, so that posts go on in between.
    async fn deepen(
        &self,
        (hub, clock): (&Hub, &TokenClock),
        channel: &Channel,
        reach: Reach,
    ) -> Result<(), Failure> {
        if channel.lacks(reach).is_none() {
            return Ok(());
        }
        let (kind, _reading) = (channel.policy().kind, self.read(channel.name()).await);
        while let Some(lack) = channel.lacks(reach) {
            self.check_room_for(hub, channel)?;
            let now = clock.now().millis();
            let (bounds, below) = (lack.bounds, Some(lack.below));
            let window = Window { bounds, below, ..window(channel.policy(), now) };
            let loaded = self.database.load(channel.name().clone(), window);
            let (older, bottom) = match loaded.await.map_err(|error| unread(&error))? {
                None => (Vec::new(), Bottom::Nothing),
                Some(loaded) => {
                    tell_of_hole(channel.name(), loaded.hole);
                    let bottom = bottom(&loaded);
                    (loaded.kept, bottom)
                }
            };
            let older = older.into_iter();
            let older = older.map(|stored| publication(stored, kind, now)).collect();
            channel.deepen(lack.below, older, bottom);
        }
        Ok(())
    }

    /// Whether more of what is old may come into memory: of one channel as much as it keeps, of several
    /// [`READ_AT_ONCE`] together.
    fn check_room_for(&self, hub: &Hub, channel: &Channel) -> Result<(), Failure> {
        let read = hub.bytes_read();
        if read > self.read_at_once && read > channel.bytes_read() {
            let why = "what is old is read of too many channels now: a minute later there is room";
            return Err(Failure::new(Problem::Unavailable, why));
        }
        Ok(())
    }
}

/// A channel that stays in memory as long as somebody has this: a durable one. Others need nobody.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Held(Option<Arc<Channel>>);

impl Held {
    /// The durable channel.
    pub(super) fn channel(&self) -> Option<Arc<Channel>> {
        self.0.clone()
    }
}

impl Gate {
    /// When something was said, in milliseconds since 1970: never earlier than what was said before,
    /// also where the clock of the machine was set back.
    pub(super) fn now(&self) -> u64 {
        self.clock.now().millis()
    }

    /// Has all of a durable channel in memory that `reach` needs; made if there is none.
    ///
    /// # Errors
    /// 503 where the database cannot be read.
    pub(super) async fn hold(
        &self,
        name: &ChannelName,
        policy: &Arc<Policy>,
        reach: Reach,
    ) -> Result<Held, Failure> {
        if !policy.durable {
            return Ok(Held(None));
        }
        let channel = match self.hub.find(name) {
            Some(channel) => channel,
            None => self.open_durable(name, policy).await?,
        };
        self.archive.deepen((&self.hub, &self.clock), &channel, reach).await?;
        Ok(Held(Some(channel)))
    }

    /// A page of a durable channel as the store has it, where memory does not have all that it `reach`es;
    /// none where that is no matter of the store, or where it has nothing of the channel.
    ///
    /// # Errors
    /// 503 where the database cannot be read.
    pub(super) async fn page_of_store(
        &self,
        (name, policy): (&ChannelName, &Policy),
        reach: Reach,
        (side, limit): (Side, usize),
    ) -> Result<Option<Found>, Failure> {
        let is_here = || self.hub.find(name).is_some_and(|channel| channel.has(reach));
        if !policy.durable || is_here() {
            return Ok(None);
        }
        let section = Section { window: window(policy, self.now()), side, limit };
        let found = self.archive.database.page(name.clone(), section).await;
        let found = found.map_err(|error| unread(&error))?;
        if let Some(found) = &found {
            tell_of_hole(name, found.hole);
        }
        Ok(found)
    }

    async fn open_durable(
        &self,
        name: &ChannelName,
        policy: &Arc<Policy>,
    ) -> Result<Arc<Channel>, Failure> {
        let found = self.find_durable(name, policy).await?;
        // It was nowhere: whoever makes it first makes it for all.
        Ok(found.unwrap_or_else(|| self.hub.channel(name, policy)))
    }

    /// A channel, read from the store if nobody uses it, if it is there.
    async fn find_durable(
        &self,
        name: &ChannelName,
        policy: &Arc<Policy>,
    ) -> Result<Option<Arc<Channel>>, Failure> {
        let _reading = self.archive.read(name).await;
        if let Some(channel) = self.hub.find(name) {
            return Ok(Some(channel));
        }
        let (database, now) = (&self.archive.database, self.now());
        let loaded = database.load(name.clone(), window(policy, now));
        let Some(loaded) = loaded.await.map_err(|error| unread(&error))? else {
            return Ok(None);
        };
        tell_of_hole(name, loaded.hole);
        let since = window(policy, now).retries_since();
        let (mut retries, mut below) = (Vec::new(), Some(u64::MAX));
        while let Some(number) = below {
            let found = database.retries(name.clone(), since, number).await;
            let found = found.map_err(|error| unread(&error))?;
            retries.extend(found.keys);
            below = found.below;
        }
        for retried in retries.iter().rev() {
            self.know(name, retried, now);
        }
        let (bottom, kept) = (bottom(&loaded), loaded.kept.into_iter());
        let kept = kept.map(|stored| publication(stored, policy.kind, now)).collect();
        let channel = self.hub.restore((name, policy), loaded.last, kept, bottom);
        Ok(Some(channel))
    }

    /// A key that was used before this process was, or before the channel was read.
    fn know(&self, name: &ChannelName, retried: &Retried, now: u64) {
        let Retried { position, sender, at, retry } = retried;
        let client = if sender.is_empty() { None } else { ClientId::parse(sender).ok() };
        let receipt = Receipt {
            position: Some(*position),
            datetime: retry.datetime.clone(),
            ip: Arc::from(retry.ip.as_str()),
        };
        let age = Duration::from_millis(now.saturating_sub(*at));
        self.idempotency.know(&(client, name.clone()), retry, receipt, age);
    }

    /// Forgets all that was said on a channel. Its order goes on.
    ///
    /// First nobody is served it any more, whatever happens then; a piece at a time it goes from the disk,
    /// so that posts go on in between. What is left where that ends is trimmed.
    ///
    /// # Errors
    /// 503 where the database cannot be written.
    pub(super) async fn forget(&self, name: &ChannelName, policy: &Policy) -> Result<(), Failure> {
        let (database, reading) = (&self.archive.database, self.archive.read(name).await);
        let newest = if policy.durable {
            Some(database.forget(name.clone()).await.map_err(|error| unread(&error))?)
        } else {
            None
        };
        if let Some(channel) = self.hub.find(name) {
            channel.forget(newest);
        }
        drop(reading);
        let mut rest = newest.map(|up_to| Erasure { after: 0, up_to, now: self.now() });
        while let Some(erasure) = rest {
            let erased = database.erase(name.clone(), erasure).await;
            let next = erased.map_err(|error| unread(&error))?;
            rest = next.map(|after| Erasure { after, ..erasure });
        }
        Ok(())
    }

    /// Has the orders of channels that are in the database, and not durable now, begin anew: what is said
    /// on them from now on has no place there, and who comes back once they are durable again is told a
    /// gap. Once in the life of a process; whether that was.
    pub async fn begin_anew(&self) -> bool {
        self.archive.begun.get_or_try_init(|| self.try_begin_anew()).await.is_ok()
    }

    async fn try_begin_anew(&self) -> Result<(), DatabaseError> {
        let names = self.archive.database.channels().await?;
        let names = names.iter().filter_map(|name| ChannelName::parse(name).ok());
        let is_other = |name: &ChannelName| !self.policies.of(name).is_some_and(|it| it.durable);
        let others: Vec<_> = names.filter(is_other).collect();
        for piece in others.chunks(ANEW) {
            self.archive.database.begin_anew(piece.to_vec()).await?;
        }
        Ok(())
    }

    /// Keeps what is stored in order, for ever.
    pub async fn keep_archive(&self) {
        // Whoever has read the topics is there.
        drop(self.archive.database.topics().wait_for(Option::is_some).await);
        tokio::join!(self.begin_anew_in_time(), self.keep_trimmed());
    }

    /// What the start could not do is done now that the database is there.
    async fn begin_anew_in_time(&self) {
        let mut pause = AGAIN;
        while !self.begin_anew().await {
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(ALL * TRIM);
        }
    }

    /// Forgets what lies beyond the bounds of durable channels: often of those that are in use, and
    /// seldom of all.
    async fn keep_trimmed(&self) {
        for round in (0..ALL).cycle() {
            let channels = if round == 0 { self.all_durable().await } else { self.hub.durable() };
            for (name, policy) in channels {
                self.trim(&name, &policy).await;
            }
            tokio::time::sleep(TRIM).await;
        }
    }

    async fn all_durable(&self) -> Vec<(ChannelName, Arc<Policy>)> {
        let names = self.archive.database.channels().await.unwrap_or_default();
        let names = names.iter().filter_map(|name| ChannelName::parse(name).ok());
        let durable = names.filter_map(|name| {
            let policy = self.policies.of(&name).filter(|policy| policy.durable)?;
            Some((name, Arc::clone(policy)))
        });
        durable.collect()
    }

    async fn trim(&self, name: &ChannelName, policy: &Policy) {
        loop {
            let window = window(policy, self.now());
            match self.archive.database.trim(name.clone(), window).await {
                Ok(true) => return,
                // Posts that came meanwhile are first.
                Ok(false) => tokio::task::yield_now().await,
                // The next round comes soon; who posts is told why.
                Err(error) => return tracing::debug!(%error, "nothing could be forgotten"),
            }
        }
    }
}

/// What is kept of a channel.
const fn window(policy: &Policy, now: u64) -> Window {
    let (bounds, greets) = (policy.history, policy.kind.greets());
    Window { bounds, now, below: None, piece: PIECE, greets }
}

/// What lies beneath what was read.
const fn bottom(loaded: &Loaded) -> Bottom {
    match loaded {
        Loaded { hole: Some(_), .. } => Bottom::Hole,
        Loaded { is_whole: true, .. } => Bottom::Nothing,
        Loaded { .. } => Bottom::More,
    }
}

/// What the database has lost is told; who asks for it is told a gap.
fn tell_of_hole(name: &ChannelName, hole: Option<u64>) {
    if let Some(missing) = hole {
        let channel = name.as_str();
        tracing::error!(
            channel,
            missing,
            "the database has lost a message: who asks for it is told a gap"
        );
    }
}

pub(super) fn publication(stored: Stored, kind: Kind, now: u64) -> Publication {
    let age = Duration::from_millis(now.saturating_sub(stored.at));
    let at = Instant::now();
    Publication {
        position: stored.position,
        sender: Arc::from(stored.sender),
        at: at.checked_sub(age).unwrap_or(at),
        plain: plain::again(stored.plain, kind, stored.position),
    }
}

fn unread(error: &DatabaseError) -> Failure {
    Failure::new(Problem::Unavailable, error.to_string())
}
