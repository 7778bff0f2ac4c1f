//! Which tokens were ended before their time.

use std::fmt;

use dashmap::DashMap;

use super::client::ClientId;
use super::clock::TokenTime;
use super::order::Orders;
use super::token::Claims;

/// Which tokens were ended: per client a floor, below which its tokens do not count any more.
///
/// Writers: [`connect`](Self::connect), [`end`](Self::end), [`restore`](Self::restore), each one
/// step on the map, and [`forget_expired`](Self::forget_expired). Readers get answers, never a guard.
/// Bound: one entry a client that renewed or logged out, kept until none of the tokens below its
/// floor can still live, which is at most the longest life of a token.
///
/// Waits: no. Locks: one shard of the map, briefly.
///
/// Source: wire.md section 2; robustness.md A3.
#[derive(Debug)]
pub struct LiveTokens {
    floors: DashMap<ClientId, Floor>,
    orders: Orders,
}

/// That a client's tokens below a floor are ended: what is written down to hold after a restart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Whose tokens.
    pub client: ClientId,
    /// Tokens with an `order` below it are ended.
    pub floor: u64,
    /// When the last of them is expired anyway, in seconds since the epoch.
    pub until: u64,
}

/// The token was ended by a logout or by a newer one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenEnded;

#[derive(Clone, Copy, Debug)]
struct Floor {
    order: u64,
    until: u64,
}

impl LiveTokens {
    /// Nothing is ended. `orders` is the sequence of the signer whose tokens these are.
    pub fn new(orders: Orders) -> Self {
        Self { floors: DashMap::new(), orders }
    }

    /// Whether the token still counts.
    ///
    /// The answer may be old by the time it is used: whoever opens a connection asks again once the
    /// connection is where a newer token's connecting or a logout would find it.
    ///
    /// # Errors
    /// [`TokenEnded`] if it was ended by a logout or a newer token.
    pub fn check(&self, claims: &Claims) -> Result<(), TokenEnded> {
        match self.floors.get(&claims.client) {
            Some(floor) if claims.order < floor.order => Err(TokenEnded),
            Some(_) | None => Ok(()),
        }
    }

    /// Ends the tokens that are earlier than this one, which connects.
    ///
    /// Some only if an earlier token may live and this was not recorded yet: then it is to be
    /// written down. A client's first token is told apart by its claims, and costs nothing.
    /// A token that was ended itself ends nothing.
    pub fn connect(&self, claims: &Claims, now: TokenTime) -> Option<Ended> {
        let until = claims.earlier_until.filter(|until| *until > now.seconds())?;
        let (floor, raised) = self.raise(&claims.client, Floor { order: claims.order, until });
        raised.then(|| floor.ended(claims.client.clone()))
    }

    /// Ends all tokens of the client that were minted so far; one minted after this lives.
    ///
    /// `until` is when the last of them is expired anyway, in seconds since the epoch: of one
    /// token that was shown, [`Claims::earlier_until_if_renewed`] tells it; where nothing is known,
    /// it is now plus [`MAX_LIFE_SECONDS`](super::MAX_LIFE_SECONDS).
    pub fn end(&self, client: &ClientId, now: TokenTime, until: u64) -> Ended {
        // A place of its own in the sequence: also within this millisecond, what was minted before
        // is below it and what is minted after is above it.
        let order = self.orders.next(now);
        let (floor, _) = self.raise(client, Floor { order, until });
        floor.ended(client.clone())
    }

    /// Ends again what was ended before a restart, in any order.
    pub fn restore(&self, ended: impl Iterator<Item = Ended>) {
        for Ended { client, floor, until } in ended {
            // Else a token minted in this run might be below a floor of the last one.
            self.orders.observe(floor);
            self.raise(&client, Floor { order: floor, until });
        }
    }

    /// Forgets the floors below which every token is expired by now. Goes through the whole map.
    pub fn forget_expired(&self, now: TokenTime) {
        self.floors.retain(|_, floor| floor.until > now.seconds());
    }

    /// How many clients have ended tokens that could still live.
    pub fn count(&self) -> usize {
        self.floors.len()
    }

    /// The floor of the client once it is `floor` at least, and whether that raised it.
    fn raise(&self, client: &ClientId, floor: Floor) -> (Floor, bool) {
        let mut raised = true;
        let merge = |kept: &mut Floor| {
            raised = kept.order < floor.order;
            *kept = kept.max(floor);
        };
        let kept = *self.floors.entry(client.clone()).and_modify(merge).or_insert(floor);
        (kept, raised)
    }
}

impl Floor {
    /// Ends whatever either ends, for as long as either needs.
    fn max(self, other: Self) -> Self {
        Self { order: self.order.max(other.order), until: self.until.max(other.until) }
    }

    fn ended(self, client: ClientId) -> Ended {
        Ended { client, floor: self.order, until: self.until }
    }
}

impl fmt::Display for TokenEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token was ended by a logout or a newer token")
    }
}

impl std::error::Error for TokenEnded {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::token::{Mint, Minted, Signer};
    use super::*;

    const LIFE: Duration = Duration::from_hours(2);

    struct World {
        signer: Signer,
        live: LiveTokens,
    }

    impl World {
        fn new() -> Self {
            let signer = Signer::new(&[7; 32]);
            let live = LiveTokens::new(signer.orders().clone());
            Self { signer, live }
        }

        fn login(&self, seconds: u64) -> Claims {
            self.mint(seconds, None).claims
        }

        fn renew(&self, old: &Claims, seconds: u64) -> Claims {
            let earlier = old.earlier_until_if_renewed(at(seconds), LIFE);
            self.mint(seconds, Some(earlier)).claims
        }

        fn mint(&self, seconds: u64, earlier_until: Option<u64>) -> Minted {
            let request = Mint {
                client: ann(),
                life: LIFE,
                name: None,
                info: None,
                grants: None,
                line: false,
                earlier_until,
            };
            self.signer.mint(request, at(seconds))
        }

        fn lives(&self, claims: &Claims) -> bool {
            self.live.check(claims).is_ok()
        }
    }

    fn at(seconds: u64) -> TokenTime {
        TokenTime::from_millis(seconds * 1000)
    }

    fn ann() -> ClientId {
        ClientId::parse("ann").unwrap()
    }

    #[test]
    fn minting_alone_ends_nothing() {
        let world = World::new();
        let first = world.login(100);
        let second = world.renew(&first, 200);
        assert!(world.lives(&first) && world.lives(&second));
    }

    #[test]
    fn connecting_with_a_newer_token_ends_the_earlier_ones() {
        let world = World::new();
        let first = world.login(100);
        let second = world.renew(&first, 100);
        let ended = world.live.connect(&second, at(101)).unwrap();
        assert_eq!(ended, Ended { client: ann(), floor: second.order, until: 7_300 });
        assert!(!world.lives(&first) && world.lives(&second));
    }

    #[test]
    fn a_first_token_connects_without_a_record() {
        let world = World::new();
        let first = world.login(100);
        assert_eq!(world.live.connect(&first, at(100)), None);
        assert_eq!(world.live.count(), 0);
        assert!(world.lives(&first));
    }

    #[test]
    fn what_is_recorded_is_not_told_again() {
        let world = World::new();
        let second = world.renew(&world.login(100), 200);
        assert!(world.live.connect(&second, at(201)).is_some());
        assert_eq!(world.live.connect(&second, at(202)), None);
    }

    #[test]
    fn a_token_connects_without_a_record_once_all_earlier_ones_are_expired() {
        let world = World::new();
        let late = world.mint(100, Some(150)).claims;
        assert_eq!(world.live.connect(&late, at(150)), None);
        assert_eq!(world.live.count(), 0);
    }

    #[test]
    fn an_older_token_that_connects_late_ends_nothing() {
        let world = World::new();
        let first = world.login(100);
        let second = world.renew(&first, 200);
        let third = world.renew(&second, 300);
        world.live.connect(&third, at(301)).unwrap();
        assert_eq!(world.live.connect(&second, at(302)), None);
        assert!(!world.lives(&second) && world.lives(&third));
    }

    #[test]
    fn a_token_renewed_twice_has_both_heirs_in_order() {
        let world = World::new();
        let first = world.login(100);
        let elder = world.renew(&first, 7_000);
        let younger = world.renew(&first, 7_100);
        world.live.connect(&younger, at(7_200)).unwrap();
        // The floor is kept for as long as the elder heir lives, not just its parent.
        world.live.forget_expired(at(elder.expires_at - 1));
        assert!(!world.lives(&elder) && world.lives(&younger));
    }

    #[test]
    fn a_logout_ends_what_was_minted_before_it_and_not_after_it_in_one_millisecond() {
        let world = World::new();
        let before = [world.login(100), world.login(100), world.login(100)];
        let ended = world.live.end(&ann(), at(100), before[2].expires_at);
        let after = world.login(100);
        assert!(before.iter().all(|claims| !world.lives(claims)));
        assert!(world.lives(&after));
        assert!(before[2].order < ended.floor && ended.floor < after.order);
    }

    #[test]
    fn a_logout_of_one_client_leaves_the_others_alone() {
        let world = World::new();
        let first = world.login(100);
        world.live.end(&ClientId::parse("bob").unwrap(), at(101), 9_999);
        assert!(world.lives(&first));
    }

    #[test]
    fn logouts_keep_the_later_floor_and_the_longer_time() {
        let world = World::new();
        let first = world.live.end(&ann(), at(100), 9_000);
        let second = world.live.end(&ann(), at(100), 8_000);
        assert!(second.floor > first.floor);
        assert_eq!(second.until, 9_000);
    }

    #[test]
    fn a_restart_revives_nothing_and_new_tokens_live() {
        let world = World::new();
        let first = world.login(100);
        let ended = world.live.end(&ann(), at(100), first.expires_at);
        // The clock of the next run starts where the last one was, or a little before.
        let next = World::new();
        next.live.restore([ended.clone(), ended].into_iter());
        assert!(!next.lives(&first));
        let fresh = next.login(99);
        assert!(next.lives(&fresh));
        assert!(fresh.order > first.order);
    }

    #[test]
    fn records_are_restored_in_any_order() {
        let world = World::new();
        let ended = |floor, until| Ended { client: ann(), floor, until };
        world.live.restore([ended(300, 10), ended(100, 90), ended(200, 50)].into_iter());
        world.live.forget_expired(at(89));
        let told = world.live.end(&ann(), at(0), 0);
        assert_eq!((told.floor, told.until), (301, 90));
    }

    #[test]
    fn a_floor_is_forgotten_when_everything_below_it_is_expired() {
        let world = World::new();
        let first = world.login(100);
        world.live.end(&ann(), at(100), first.expires_at);
        world.live.forget_expired(at(first.expires_at - 1));
        assert!(!world.lives(&first));
        world.live.forget_expired(at(first.expires_at));
        assert_eq!(world.live.count(), 0);
    }

    #[test]
    fn of_two_logouts_and_a_mint_on_threads_each_token_is_on_its_side() {
        let world = World::new();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..500).for_each(|_| drop(world.live.end(&ann(), at(1), 9_999))));
            for _ in 0..500 {
                let claims = world.login(1);
                world.live.end(&ann(), at(1), 9_999);
                assert!(!world.lives(&claims));
            }
        });
        assert!(world.lives(&world.login(1)));
    }
}
