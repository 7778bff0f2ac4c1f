//! Bugs while locks are held, and what the timer holds on to.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Leave, Presence, Rules, Seat, Tell, Visitor};
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
    let rules = Rules {
        timeout: Duration::from_mins(1),
        linger: Duration::ZERO,
        coalesce: Duration::ZERO,
        max_list: 10,
        max_diff: 20,
        connections_per_client: 16,
        clients: 1000,
    };
    let tell: Arc<dyn Tell> = Arc::<Mine>::clone(mine);
    Arc::new(Presence::new(rules, tell, Instant::now()))
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
                is_line: false,
            };
            presence.attach(&visitor, seat, Instant::now(), |_| ()).unwrap();
            presence.detach(&visitor.client, connection, leave, Instant::now());
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(presence.is_empty());
    assert!(presence.planned() <= 64, "{}", presence.planned());
    assert!(!timer.is_finished());
}
