//! Posters, listeners, and a node that is killed again and again.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::common::client::Transport;
use super::common::http::{Connection, Request};
use super::common::node::{Login, TestNode};
use super::common::{id_of, offset_of, value_of};
use super::follower::follow;
use super::{all, reads};

const POSTERS: usize = 8;
/// How long a life of the node may be at the most, behind its start.
const LIFE: u64 = 300;

/// What a poster was told of its posts: their numbers with their ids, in its order.
type Acknowledged = Vec<(u64, String)>;

/// Kills `node`, which has a durable root, `crashes` times while eight post and four listen, one over each transport. Then:
/// every acknowledged post is in history, once, in one order consistent with each poster's own;
/// everybody who listened heard exactly that; offsets rise by one.
///
/// Between its death and its next life `cut` may do something to what it left.
pub(crate) async fn survive(
    mut node: TestNode,
    crashes: u32,
    cut: impl Fn(&TestNode, &mut Random),
) {
    let mut random = Random::of_environment();
    let address = node.address();
    let goes_on = Arc::new(AtomicBool::new(true));
    let mut posters = Vec::new();
    for poster in 0..POSTERS {
        let (login, goes_on) = (node.login().await, Arc::clone(&goes_on));
        posters.push(tokio::spawn(post(address, login, poster, goes_on)));
    }
    let mut listeners = Vec::new();
    for transport in Transport::ALL {
        let login = node.login().await;
        listeners.push(tokio::spawn(follow(address, login, transport, "the end")));
    }
    for _ in 0..crashes {
        tokio::time::sleep(Duration::from_millis(random.below(LIFE))).await;
        node.signal("KILL").await;
        node.exit().await;
        cut(&node, &mut random);
        node.start_again().await;
        reads(&node).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    goes_on.store(false, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for poster in posters {
        acknowledged.push(poster.await.unwrap());
    }
    let alice = node.login().await;
    node.post(&alice, "the end").await;
    let kept = all(&node, &alice, "since", "0").await;
    check(&kept, &acknowledged);
    for listener in listeners {
        let heard = listener.await.unwrap();
        assert_eq!(heard.len(), kept.len());
        assert!(heard == kept, "heard something else");
    }
}

/// Posts numbers one after the other, each until it is acknowledged where it has a key; else once.
async fn post(
    address: SocketAddr,
    login: Login,
    poster: usize,
    goes_on: Arc<AtomicBool>,
) -> Acknowledged {
    let is_keyed = poster.is_multiple_of(2);
    let (mut acknowledged, mut number) = (Vec::new(), 0);
    let mut connection = None;
    while goes_on.load(Ordering::Relaxed) {
        let answer = attempt(address, &login, &mut connection, (poster, number)).await;
        if let Some(answer) = &answer {
            acknowledged.push((number, id_of(answer).to_owned()));
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if answer.is_some() || !is_keyed {
            number += 1;
        }
    }
    acknowledged
}

async fn attempt(
    address: SocketAddr,
    login: &Login,
    kept: &mut Option<Connection>,
    (poster, number): (usize, u64),
) -> Option<Value> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::try_open(address, None).await.ok()?,
    };
    let value = json!({ "value": format!("{poster}:{number}"), "key": key(poster, number) });
    let request = Request::post("/post").bearer(&login.token).json(&value);
    connection.write(&request.bytes(address, true)).await;
    let answer = connection.try_response().await?;
    *kept = Some(connection);
    // A database that is not there yet, or anything else that is told.
    (answer.status == 200).then(|| answer.json())
}

fn key(poster: usize, number: u64) -> String {
    format!("{poster}-{number}")
}

fn check(kept: &[Value], acknowledged: &[Acknowledged]) {
    let offsets = kept.iter().map(|message| offset_of(id_of(message)));
    assert!(offsets.eq(1..=kept.len() as u64), "offsets rise by one");
    let epochs: HashSet<_> = kept.iter().map(|message| id_of(message).split('-').next()).collect();
    assert_eq!(epochs.len(), 1, "{epochs:?}");
    let mut places: HashMap<&str, (usize, &str)> = HashMap::new();
    for (place, message) in kept.iter().enumerate() {
        let earlier = places.insert(value_of(message), (place, id_of(message)));
        assert!(earlier.is_none(), "twice: {message}");
    }
    for (poster, acknowledged) in acknowledged.iter().enumerate() {
        let mut before = 0;
        for (number, id) in acknowledged {
            let value = format!("{poster}:{number}");
            let (place, found) =
                places.get(value.as_str()).unwrap_or_else(|| panic!("{value} is lost"));
            assert_eq!(found, id, "{value} has another place");
            assert!(*place >= before, "{value} came before its poster's earlier one");
            before = *place;
        }
    }
    let count: usize = acknowledged.iter().map(Vec::len).sum();
    eprintln!("{} kept, {count} acknowledged", kept.len());
    assert!(count > 0, "nothing was acknowledged");
}

/// Random numbers of a seed that is printed: `CRASH_SEED` gives it again.
pub(crate) struct Random(u64);

impl Random {
    fn of_environment() -> Self {
        let given = std::env::var("CRASH_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or_else(|| getrandom::u64().unwrap());
        eprintln!("CRASH_SEED={seed}");
        Self(seed)
    }

    /// The next, below `bound`. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
    /// generators", `SplitMix64`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
