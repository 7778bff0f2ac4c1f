//! Who is on one channel, and how changes of that are told: lists, differences or counts.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Rules, Tell};
use crate::channel::ChannelName;
use crate::channel::json::string;
use crate::dialect::{UsersMode, UsersTold, plain};
use crate::identity::ClientId;

/// How often counts are told while there are more present than differences are told of.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// The members of one channel.
///
/// Writers: presence, as clients join and leave. Readers get rendered lists. Bound: one entry a
/// client present; a change that was not told yet is kept for `presence.coalesce` at most.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) name: ChannelName,
    /// Tells this life of the list from others of the same channel.
    pub(super) life: u32,
    rules: Rules,
    state: Mutex<State>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that change independently")]
pub(super) struct State {
    /// The rendered entry of everyone present, in the order of client ids.
    present: BTreeMap<ClientId, Arc<str>>,
    version: u64,
    level: Level,
    /// Who changed since the last push, and the entry that was told then.
    changed: BTreeMap<ClientId, Option<Arc<str>>>,
    /// Somebody got a list since the last push: who came and went in between is told to have left.
    shown: bool,
    /// Whether anything changed at all; at [`Level::Count`] nobody notes who.
    dirty: bool,
    /// How many connections there are of each mode.
    lists: u32,
    diffs: u32,
    counts: u32,
    told_at: Option<Instant>,
    /// A flush is on the timer.
    planned: bool,
    pub(super) freed: bool,
}

/// How much can be told at this size.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Level {
    /// Up to `max_list`: whole lists.
    Whole,
    /// Up to `max_diff`: differences.
    Diff,
    /// Beyond: counts.
    Count,
}

/// A users list as a newcomer, a login or `/users` gets it.
#[derive(Debug)]
pub struct List {
    /// The entries as a JSON array.
    pub entries: String,
    /// How many are present, listed or not.
    pub count: usize,
    /// The version of the list.
    pub version: u64,
    /// Which life of the list the version counts in.
    pub life: u32,
    /// Whether more are present than are listed.
    pub partial: bool,
}

impl List {
    /// The message that brings the list.
    pub fn message(&self) -> Bytes {
        plain::users(&self.entries, self.count, self.version, self.partial)
    }
}

impl Members {
    pub(super) fn new(name: ChannelName, rules: Rules) -> Self {
        let life = getrandom::u32().unwrap_or(0);
        let state = State {
            present: BTreeMap::new(),
            version: 0,
            level: Level::Whole,
            changed: BTreeMap::new(),
            shown: false,
            dirty: false,
            lists: 0,
            diffs: 0,
            counts: 0,
            told_at: None,
            planned: false,
            freed: false,
        };
        Self { name, life, rules, state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid between any two statements: a panic elsewhere leaves it usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or renews an entry. `Some` asks for a flush at that time; the error, that the list was
    /// freed and must be looked up again.
    pub(super) fn join(
        &self,
        client: &ClientId,
        entry: &Arc<str>,
        tell: &dyn Tell,
        now: Instant,
    ) -> Result<Option<Instant>, Freed> {
        let mut state = self.lock();
        if state.freed {
            return Err(Freed);
        }
        let before = state.present.insert(client.clone(), Arc::clone(entry));
        if before.as_ref() == Some(entry) {
            return Ok(None);
        }
        state.note(client, before);
        Ok(self.tell_or_plan(&mut state, tell, now))
    }

    /// Has an entry be on the list as if it had always been there. Nobody may be told of it yet.
    pub(super) fn put(&self, client: &ClientId, entry: &Arc<str>) {
        let mut state = self.lock();
        state.present.insert(client.clone(), Arc::clone(entry));
        state.level = state.level_now(&self.rules);
    }

    /// Takes an entry out.
    pub(super) fn leave(
        &self,
        client: &ClientId,
        tell: &dyn Tell,
        now: Instant,
    ) -> Option<Instant> {
        let mut state = self.lock();
        let before = state.present.remove(client)?;
        state.note(client, Some(before));
        self.tell_or_plan(&mut state, tell, now)
    }

    /// Tells what was held back. Called by the timer.
    pub(super) fn flush(&self, tell: &dyn Tell, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        state.planned = false;
        self.tell_or_plan(&mut state, tell, now)
    }

    /// The first change goes out at once, further ones together once the pause is over.
    fn tell_or_plan(&self, state: &mut State, tell: &dyn Tell, now: Instant) -> Option<Instant> {
        if !state.dirty {
            return None;
        }
        let counting = state.level == Level::Count && state.level_now(&self.rules) == Level::Count;
        let pause = if counting { COUNT_PAUSE } else { self.rules.coalesce };
        match state.told_at.map(|at| at + pause) {
            Some(next) if next > now => {
                let plan = !std::mem::replace(&mut state.planned, true);
                plan.then_some(next)
            }
            _ => {
                if let Some(told) = state.take_told(&self.rules) {
                    state.told_at = Some(now);
                    tell.tell(&self.name, &Arc::new(told));
                }
                None
            }
        }
    }

    /// What somebody who is new to the list gets: all, or itself and the first `max_list`.
    pub(super) fn first(&self, state: &mut State, newcomer: Option<&ClientId>) -> List {
        state.shown |= state.dirty;
        let count = state.present.len();
        let partial = count > self.rules.max_list;
        let own = newcomer.filter(|_| partial).and_then(|own| state.present.get_key_value(own));
        let others = state.present.iter().take(self.rules.max_list);
        let others = others.filter(|(client, _)| own.is_none_or(|(own, _)| own != *client));
        let entries = own.into_iter().chain(others).map(|(_, entry)| &**entry);
        let entries = plain::array(entries);
        List { entries, count, version: state.version, life: self.life, partial }
    }

    /// The first message for a connection that is told in this way.
    pub(super) fn first_message(
        &self,
        state: &mut State,
        mode: UsersMode,
        newcomer: Option<&ClientId>,
    ) -> Option<Bytes> {
        match mode {
            UsersMode::None => None,
            UsersMode::Count => Some(plain::users_count(state.present.len())),
            UsersMode::List | UsersMode::Diff => Some(self.first(state, newcomer).message()),
        }
    }

    /// At most `limit` entries behind `after`, for paging.
    pub(super) fn page(&self, after: Option<&ClientId>, limit: usize) -> List {
        let mut state = self.lock();
        state.shown |= state.dirty;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = state.present.range::<ClientId, _>((from, Bound::Unbounded));
        let entries = plain::array(range.take(limit).map(|(_, entry)| &**entry));
        let (count, version) = (state.present.len(), state.version);
        List { entries, count, version, life: self.life, partial: false }
    }

    /// Marks the list as freed if nobody is on it.
    pub(super) fn free_if_empty(&self) -> bool {
        let mut state = self.lock();
        state.freed = state.present.is_empty();
        state.freed
    }
}

/// The list was freed between look-up and use.
#[derive(Debug)]
pub(super) struct Freed;

impl State {
    /// Counts a connection that is told in this way.
    pub(super) const fn attend(&mut self, mode: UsersMode) {
        match mode {
            UsersMode::List => self.lists += 1,
            UsersMode::Diff => self.diffs += 1,
            UsersMode::Count => self.counts += 1,
            UsersMode::None => {}
        }
    }

    /// Takes a connection out of the count.
    pub(super) const fn unattend(&mut self, mode: UsersMode) {
        match mode {
            UsersMode::List => self.lists = self.lists.saturating_sub(1),
            UsersMode::Diff => self.diffs = self.diffs.saturating_sub(1),
            UsersMode::Count => self.counts = self.counts.saturating_sub(1),
            UsersMode::None => {}
        }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    fn note(&mut self, client: &ClientId, before: Option<Arc<str>>) {
        self.dirty = true;
        if self.level != Level::Count {
            self.changed.entry(client.clone()).or_insert(before);
        }
    }

    /// The level that the present count asks for, with the way down taken below 90 % of a bound.
    fn level_now(&self, rules: &Rules) -> Level {
        let count = self.present.len();
        let reaches = |bound: usize, was: bool| {
            if was { count.saturating_mul(10) >= bound.saturating_mul(9) } else { count > bound }
        };
        if reaches(rules.max_diff, self.level == Level::Count) {
            Level::Count
        } else if reaches(rules.max_list, self.level > Level::Whole) {
            Level::Diff
        } else {
            Level::Whole
        }
    }

    /// What is to be told now; `None` if all changes since the last push cancelled out.
    fn take_told(&mut self, rules: &Rules) -> Option<UsersTold> {
        let level = self.level_now(rules);
        let before = std::mem::replace(&mut self.level, level);
        let changed = std::mem::take(&mut self.changed);
        self.dirty = false;
        if level == Level::Count || before == Level::Count {
            self.version += 1;
            return Some(if level == Level::Count {
                self.told_count()
            } else {
                self.told_list(rules, true)
            });
        }
        let shown = std::mem::take(&mut self.shown);
        let told = changed
            .iter()
            .map(|(client, old)| (client, old.as_ref(), self.present.get(client)))
            .filter(|(_, old, new)| shown || old != new);
        let (joined, left): (Vec<_>, Vec<_>) = told.partition(|(_, _, new)| new.is_some());
        if joined.is_empty() && left.is_empty() {
            return None;
        }
        let joined: Vec<_> = joined.into_iter().filter_map(|(_, _, new)| new.cloned()).collect();
        let left: Vec<_> = left.into_iter().map(|(client, ..)| client).collect();
        self.version += 1;
        if level < before {
            return Some(self.told_list(rules, true));
        }
        let diff = self.diff(&joined, &left);
        Some(match level {
            Level::Whole => UsersTold { diff, ..self.told_list(rules, false) },
            Level::Diff | Level::Count => {
                UsersTold { version: self.version, list: diff.clone(), diff, count: self.count() }
            }
        })
    }

    /// The list as far as it may be told at once; with `to_all`, those of differences begin anew with it.
    fn told_list(&self, rules: &Rules, to_all: bool) -> UsersTold {
        let partial = self.present.len() > rules.max_list;
        let wanted = self.lists > 0 || (to_all && self.diffs > 0);
        let list = wanted.then(|| {
            let entries = plain::array(self.present.values().take(rules.max_list).map(|e| &**e));
            plain::users(&entries, self.present.len(), self.version, partial)
        });
        let diff = if to_all { list.clone() } else { None };
        UsersTold { version: self.version, list, diff, count: self.count() }
    }

    fn told_count(&self) -> UsersTold {
        let count = plain::users_count(self.present.len());
        let (list, diff) = (Some(count.clone()), Some(count.clone()));
        UsersTold { version: self.version, list, diff, count: Some(count) }
    }

    fn count(&self) -> Option<Bytes> {
        (self.counts > 0).then(|| plain::users_count(self.present.len()))
    }

    fn diff(&self, joined: &[Arc<str>], left: &[&ClientId]) -> Option<Bytes> {
        let wanted = self.diffs > 0 || (self.level != Level::Whole && self.lists > 0);
        wanted.then(|| {
            let joined = plain::array(joined.iter().map(|entry| &**entry));
            let left: Vec<_> = left.iter().map(|client| string(client.as_str())).collect();
            let left = plain::array(left.iter().map(String::as_str));
            plain::users_diff(&joined, &left, self.present.len(), self.version)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is told to the mode that it listens as.
    #[derive(Debug)]
    struct Ear(UsersMode, Mutex<Vec<String>>);

    impl Ear {
        fn heard(&self) -> Vec<String> {
            std::mem::take(&mut self.1.lock().unwrap())
        }
    }

    impl Tell for Ear {
        fn tell(&self, _: &ChannelName, told: &Arc<UsersTold>) {
            let message = told.to(self.0).map(|json| String::from_utf8_lossy(json).into_owned());
            self.1.lock().unwrap().extend(message);
        }
    }

    fn setting(mode: UsersMode) -> (Members, Ear) {
        let rules = Rules {
            timeout: Duration::from_mins(10),
            linger: Duration::from_secs(5),
            restart: Duration::from_secs(30),
            coalesce: Duration::from_millis(100),
            max_list: 10,
            max_diff: 20,
            connections_per_client: 16,
            clients: 1000,
            inbox_bytes: 1 << 20,
            inbox_bytes_per_address: 1 << 20,
        };
        let members = Members::new(ChannelName::root(), rules);
        members.lock().attend(mode);
        (members, Ear(mode, Mutex::default()))
    }

    fn id(number: usize) -> ClientId {
        ClientId::parse(&format!("c{number:02}")).unwrap()
    }

    fn join(members: &Members, ear: &Ear, number: usize, now: Instant) -> Option<Instant> {
        let entry = Arc::from(format!("{number}"));
        members.join(&id(number), &entry, ear, now).unwrap()
    }

    #[test]
    fn the_first_change_goes_out_at_once_and_further_ones_together() {
        let (members, ear) = setting(UsersMode::Diff);
        let now = Instant::now();
        assert_eq!(join(&members, &ear, 1, now), None);
        assert_eq!(ear.heard(), [r#"{"joined":[1],"left":[],"count":1,"version":1}"#]);
        let soon = now + Duration::from_millis(10);
        let flush = join(&members, &ear, 2, soon);
        assert_eq!(flush, Some(now + Duration::from_millis(100)));
        assert_eq!(join(&members, &ear, 3, soon), None);
        assert_eq!(members.leave(&id(1), &ear, soon), None);
        assert!(ear.heard().is_empty());
        assert_eq!(members.flush(&ear, flush.unwrap()), None);
        assert_eq!(ear.heard(), [r#"{"joined":[2,3],"left":["c01"],"count":2,"version":2}"#]);
    }

    #[test]
    fn changes_that_cancel_out_are_not_told_unless_somebody_saw_them() {
        let (members, ear) = setting(UsersMode::Diff);
        let now = Instant::now();
        join(&members, &ear, 1, now);
        ear.heard();
        let flush = join(&members, &ear, 2, now).unwrap();
        members.leave(&id(2), &ear, now);
        members.flush(&ear, flush);
        assert!(ear.heard().is_empty());
        let later = flush + Duration::from_millis(1);
        join(&members, &ear, 3, later);
        join(&members, &ear, 2, later);
        members.first(&mut members.lock(), None);
        let flush = members.leave(&id(2), &ear, later);
        assert_eq!(flush, None);
        ear.heard();
        members.flush(&ear, later + Duration::from_millis(100));
        assert_eq!(ear.heard(), [r#"{"joined":[],"left":["c02"],"count":2,"version":3}"#]);
    }

    #[test]
    fn lists_become_differences_and_then_counts_and_come_back_below_nine_tenths() {
        let (members, ear) = setting(UsersMode::List);
        let mut now = Instant::now();
        let mut step = |act: &dyn Fn(Instant)| {
            now += Duration::from_secs(2);
            act(now);
            ear.heard().pop().unwrap_or_default()
        };
        for number in 1..=10 {
            let told = step(&|now| _ = join(&members, &ear, number, now));
            assert!(told.starts_with(r#"{"users":["#), "{told}");
        }
        for number in 11..=20 {
            let told = step(&|now| _ = join(&members, &ear, number, now));
            assert!(told.starts_with(r#"{"joined":["#), "{told}");
        }
        assert_eq!(step(&|now| _ = join(&members, &ear, 21, now)), r#"{"count":21}"#);
        for number in (19..=21).rev() {
            let told = step(&|now| _ = members.leave(&id(number), &ear, now));
            assert!(told.starts_with(r#"{"count":"#), "{told}");
        }
        let told = step(&|now| _ = members.leave(&id(18), &ear, now));
        assert!(told.starts_with(r#"{"users":["#) && told.contains(r#""partial":true"#), "{told}");
        for number in (9..=17).rev() {
            let told = step(&|now| _ = members.leave(&id(number), &ear, now));
            let expected = if number == 9 { r#"{"users":["# } else { r#"{"joined":[]"# };
            assert!(told.starts_with(expected), "{number}: {told}");
        }
    }

    #[test]
    fn counts_are_told_once_a_second_at_most() {
        let (members, ear) = setting(UsersMode::Diff);
        let now = Instant::now();
        for number in 1..=30 {
            join(&members, &ear, number, now);
        }
        let flushed = now + Duration::from_millis(100);
        members.flush(&ear, flushed);
        assert_eq!(ear.heard().pop().unwrap(), r#"{"count":30}"#);
        let next = join(&members, &ear, 31, flushed + Duration::from_millis(500));
        assert_eq!(next, Some(flushed + Duration::from_secs(1)));
    }

    #[test]
    fn a_partial_list_holds_the_newcomer_and_pages_bring_the_rest() {
        let (members, ear) = setting(UsersMode::None);
        for number in 1..=15 {
            join(&members, &ear, number, Instant::now());
        }
        let first = members.first(&mut members.lock(), Some(&id(15)));
        assert_eq!((first.partial, first.count), (true, 15));
        assert_eq!(first.entries, "[15,1,2,3,4,5,6,7,8,9,10]");
        assert_eq!(members.page(None, 3).entries, "[1,2,3]");
        assert_eq!(members.page(Some(&id(13)), 100).entries, "[14,15]");
        assert_eq!(members.page(Some(&id(15)), 100).entries, "[]");
    }
}
