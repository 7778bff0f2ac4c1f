//! Bugs while locks are held, and what the timer holds on to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::{Announce, Edge, Leave, Past, Presence, Rules, Seat, Stay, Tell, Visitor};
use crate::channel::ChannelName;
use crate::dialect::{UsersMode, UsersTold};
use crate::identity::ClientId;
use crate::transport::ConnectionId;

/// Panics once it is armed, with client and list locked.
#[derive(Debug, Default)]
struct Mine {
    armed: AtomicBool,
}

impl Tell for Mine {
    fn tell(&self, _: &ChannelName, _: &Arc<UsersTold>) {
        assert!(!self.armed.swap(false, Ordering::Relaxed), "a bug under locks");
    }
}

/// Keeps what was announced.
#[derive(Debug, Default)]
struct Heard(
    Mutex<Vec<(String, Edge)>>,
    Mutex<BTreeMap<String, Vec<String>>>,
    /// Who stays without a connection.
    Mutex<BTreeSet<String>>,
);

impl Heard {
    fn take(&self) -> Vec<(String, Edge)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Who is here by what was announced, and on whose lists.
    fn here(&self) -> Vec<(String, Vec<String>)> {
        self.1.lock().unwrap().clone().into_iter().collect()
    }
}

impl Announce for Heard {
    fn announce(&self, client: &ClientId, edge: Option<Edge>, stay: Option<Stay>) {
        let mut here = self.1.lock().unwrap();
        match stay {
            Some(stay) => {
                let mut alone = self.2.lock().unwrap();
                if stay.is_alone {
                    alone.insert(client.to_string());
                } else {
                    alone.remove(client.as_str());
                }
                let channels = stay.channels.iter().map(ToString::to_string).collect();
                here.insert(client.to_string(), channels);
            }
            None => _ = here.remove(client.as_str()),
        }
        self.0.lock().unwrap().extend(edge.map(|edge| (client.to_string(), edge)));
    }
}

fn visitor(name: &str) -> Visitor {
    Visitor {
        client: ClientId::parse(name).unwrap(),
        name: None,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        shown_ip: Arc::from("127.0.0.1"),
        origin: None,
        is_counted: true,
        token: Some(1),
    }
}

fn presence(mine: &Arc<Mine>) -> Arc<Presence> {
    let tell: Arc<dyn Tell> = Arc::<Mine>::clone(mine);
    Arc::new(Presence::new(rules(), tell, Instant::now()))
}

/// A presence, and what it announces.
fn announcing() -> (Arc<Presence>, Arc<Heard>) {
    let (tell, heard) = (Arc::<Mine>::default(), Arc::<Heard>::default());
    let announce: Arc<dyn Announce> = Arc::<Heard>::clone(&heard);
    let presence = Presence::new(rules(), tell, Instant::now()).announcing(Some(announce));
    (Arc::new(presence), heard)
}

fn seat(number: u64) -> Seat {
    Seat {
        connection: ConnectionId::new(0, number),
        channel: ChannelName::root(),
        users: UsersMode::None,
        is_poll: false,
        takes_direct: true,
        is_line: false,
    }
}

fn rules() -> Rules {
    Rules {
        timeout: Duration::from_mins(1),
        linger: Duration::ZERO,
        restart: Duration::from_secs(30),
        coalesce: Duration::ZERO,
        max_list: 10,
        max_diff: 20,
        connections_per_client: 16,
        clients: 1000,
        inbox_bytes: 1 << 20,
        inbox_bytes_per_address: 1 << 20,
    }
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_opening_a_connection_leaves_nobody_behind() {
    let presence = presence(&Arc::default());
    presence.login(&visitor("ann"), Instant::now()).unwrap();
    for name in ["ann", "bob"] {
        let seat = Seat {
            connection: ConnectionId::new(0, 1),
            channel: ChannelName::parse("room").unwrap(),
            users: UsersMode::List,
            is_poll: false,
            takes_direct: true,
            is_line: false,
        };
        let attach = || {
            let open = |_| panic!("a bug in opening");
            presence.attach(&visitor(name), seat, Instant::now(), open)
        };
        assert!(catch_unwind(AssertUnwindSafe(attach)).is_err());
    }
    // Ann has logged in, and stays for her time; Bob was never there.
    assert_eq!(presence.page(&ChannelName::root(), None, 100).count, 1);
    assert_eq!(presence.page(&ChannelName::parse("room").unwrap(), None, 100).count, 0);
    assert_eq!(presence.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bug_under_locks_leaves_them_to_everyone_else() {
    let mine = Arc::new(Mine::default());
    let presence = presence(&mine);
    let timer = Arc::clone(&presence);
    let timer = tokio::spawn(async move { timer.run_timer().await });
    presence.login(&visitor("ann"), Instant::now()).unwrap();

    mine.armed.store(true, Ordering::Relaxed);
    let login = || presence.login(&visitor("bob"), Instant::now());
    assert!(catch_unwind(AssertUnwindSafe(login)).is_err());
    // The same list, and the same client.
    presence.login(&visitor("eve"), Instant::now()).unwrap();
    presence.login(&visitor("bob"), Instant::now()).unwrap();
    let list = presence.page(&ChannelName::root(), None, 100);
    assert_eq!(list.count, 3, "{list:?}");

    // In the time of one of them: the timer goes on, and the others end in theirs.
    mine.armed.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(!mine.armed.load(Ordering::Relaxed));
    assert!(!timer.is_finished());
    assert_eq!(presence.page(&ChannelName::root(), None, 100).count, 0);
    presence.login(&visitor("eve"), Instant::now()).unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(presence.find(&ClientId::parse("eve").unwrap()).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_timer_lets_go_of_a_crowd_that_has_left() {
    let presence = presence(&Arc::default());
    let timer = Arc::clone(&presence);
    let timer = tokio::spawn(async move { timer.run_timer().await });
    // Login, an answered poll and one that was left: three times, each sooner than the last.
    for number in 0..500 {
        let visitor = visitor(&format!("client-{number}"));
        presence.login(&visitor, Instant::now()).unwrap();
        for (poll, leave) in [(1, Leave::Poll(Duration::from_secs(20))), (2, Leave::Dropped)] {
            let connection = ConnectionId::new(0, poll);
            let seat = Seat {
                connection,
                channel: ChannelName::root(),
                users: UsersMode::None,
                is_poll: true,
                takes_direct: true,
                is_line: false,
            };
            presence.attach(&visitor, seat, Instant::now(), |_| ()).unwrap();
            presence.detach(&visitor.client, connection, leave, Instant::now());
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(presence.is_empty());
    presence.sweep();
    assert_eq!(presence.timer.len(), 0);
    assert!(!timer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_stay_is_announced_once_and_only_if_it_had_a_connection() {
    let (presence, heard) = announcing();
    let now = Instant::now();
    let (ann, bob) = (visitor("ann"), visitor("bob"));
    presence.login(&ann, now).unwrap();
    presence.login(&bob, now).unwrap();
    presence.logout(&bob.client, now);
    assert!(heard.take().is_empty());

    for number in [1, 2] {
        presence.attach(&ann, seat(number), now, |_| ()).unwrap();
    }
    presence.detach(&ann.client, ConnectionId::new(0, 1), Leave::Clean, now);
    assert_eq!(heard.take(), [("ann".to_owned(), Edge::Connected)]);
    presence.detach(&ann.client, ConnectionId::new(0, 2), Leave::Clean, now);
    presence.logout(&ann.client, now);
    assert_eq!(heard.take(), [("ann".to_owned(), Edge::Disconnected)]);

    presence.attach(&ann, seat(3), now, |_| ()).unwrap();
    presence.announce_the_end(|| {});
    presence.logout(&ann.client, now);
    let both = [Edge::Connected, Edge::Disconnected].map(|edge| ("ann".to_owned(), edge));
    assert_eq!(heard.take(), both);
}

#[tokio::test(start_paused = true)]
async fn nobody_without_a_token_is_announced() {
    let (presence, heard) = announcing();
    let nobody = Visitor { token: None, ..visitor("nobody") };
    presence.attach(&nobody, seat(1), Instant::now(), |_| ()).unwrap();
    presence.detach(&nobody.client, ConnectionId::new(0, 1), Leave::Clean, Instant::now());
    assert!(heard.take().is_empty());
}

#[test]
fn a_client_that_ends_and_begins_on_many_threads_is_announced_in_turns() {
    let (presence, heard) = announcing();
    std::thread::scope(|scope| {
        for thread in 1..=4_u64 {
            let presence = &presence;
            scope.spawn(move || {
                let ann = visitor("ann");
                for number in 0..500 {
                    let seat = seat(thread * 1000 + number);
                    let connection = seat.connection;
                    presence.attach(&ann, seat, Instant::now(), |_| ()).unwrap();
                    if number % 7 == 0 {
                        presence.logout(&ann.client, Instant::now());
                    }
                    presence.detach(&ann.client, connection, Leave::Clean, Instant::now());
                }
            });
        }
    });
    assert!(presence.is_empty());
    let edges: Vec<Edge> = heard.take().into_iter().map(|(_, edge)| edge).collect();
    assert!(edges.len() >= 4);
    for turn in edges.chunks(2) {
        assert_eq!(turn, [Edge::Connected, Edge::Disconnected]);
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_client_is_is_announced_at_each_change_and_not_without_one() {
    let (presence, heard) = announcing();
    let (ann, now) = (visitor("ann"), Instant::now());
    let here = |channels: &[&str]| {
        vec![("ann".to_owned(), channels.iter().map(ToString::to_string).collect::<Vec<_>>())]
    };
    presence.login(&ann, now).unwrap();
    assert_eq!(heard.here(), here(&[""]));
    let room = Seat { channel: ChannelName::parse("room").unwrap(), ..seat(1) };
    presence.attach(&ann, room, now, |_| ()).unwrap();
    assert_eq!(heard.here(), here(&["", "room"]));
    // Nothing that anybody would have to know after a restart.
    heard.1.lock().unwrap().clear();
    presence.login(&ann, now).unwrap();
    presence.touch(&ann, &ChannelName::root(), now).unwrap();
    presence.attach(&ann, seat(2), now, |_| ()).unwrap();
    presence.detach(&ann.client, ConnectionId::new(0, 2), Leave::Dropped, now);
    assert_eq!(heard.here(), []);
    presence.announce_all(|| {});
    assert_eq!(heard.here(), here(&["", "room"]));
    presence.logout(&ann.client, now);
    assert_eq!(heard.here(), []);
}

#[tokio::test(start_paused = true)]
async fn who_was_here_may_come_back_in_its_time_and_nobody_notices() {
    let (presence, heard) = announcing();
    let timer = Arc::clone(&presence);
    let _timer = tokio::spawn(async move { timer.run_timer().await });
    let channels = || vec![ChannelName::root(), ChannelName::parse("room").unwrap()];
    for name in ["ann", "bob", "eve"] {
        let (visitor, is_announced) = (visitor(name), name != "eve");
        let past =
            Past { visitor, channels: channels(), has_line: false, is_alone: false, is_announced };
        presence.restore(&past, Instant::now()).unwrap();
    }
    let version = |channel: &ChannelName| presence.page(channel, None, 100).version;
    assert!(channels().iter().all(|channel| presence.page(channel, None, 100).count == 3));
    tokio::time::sleep(Duration::from_secs(29)).await;
    presence.attach(&visitor("ann"), seat(1), Instant::now(), |_| ()).unwrap();
    assert!(channels().iter().all(|channel| version(channel) == 0));
    assert!(heard.take().is_empty());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(heard.take(), [("bob".to_owned(), Edge::Disconnected)]);
    assert_eq!(presence.page(&ChannelName::root(), None, 100).count, 1);
    assert_eq!(presence.page(&channels()[1], None, 100).count, 0);
    presence.detach(&visitor("ann").client, ConnectionId::new(0, 1), Leave::Clean, Instant::now());
    assert_eq!(heard.take(), [("ann".to_owned(), Edge::Disconnected)]);
}

#[tokio::test(start_paused = true)]
async fn who_stays_without_a_connection_is_known_to_after_a_restart_too() {
    let (presence, heard) = announcing();
    let timer = Arc::clone(&presence);
    let _timer = tokio::spawn(async move { timer.run_timer().await });
    let (ann, root) = (visitor("ann"), ChannelName::root());
    let is_alone = || heard.2.lock().unwrap().contains("ann");
    let now = Instant::now();
    presence.login(&ann, now).unwrap();
    assert!(is_alone());
    for number in 1..=2 {
        presence.attach(&ann, seat(number), now, |_| ()).unwrap();
        assert!(!is_alone());
        assert!(presence.refresh(&ann.client, &root, now));
        presence.detach(
            &ann.client,
            ConnectionId::new(0, number),
            Leave::Poll(Duration::from_secs(20)),
            now,
        );
        assert!(!is_alone(), "it is to come back");
        assert!(presence.refresh(&ann.client, &root, now));
        assert!(is_alone());
    }
    presence.logout(&ann.client, now);

    for is_alone in [true, false] {
        let visitor = visitor(if is_alone { "posts" } else { "streams" });
        let channels = vec![root.clone()];
        let past = Past { visitor, channels, has_line: false, is_alone, is_announced: true };
        presence.restore(&past, now).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(heard.take().last().unwrap(), &("streams".to_owned(), Edge::Disconnected));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(heard.take(), [("posts".to_owned(), Edge::Disconnected)]);
}
