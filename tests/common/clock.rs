//! A wall clock that jumps by days: libfaketime's, from the Debian package `faketime`; `tests/install.sh`
//! brings it.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::http::Request;
use super::node::{Home, Setup, TestNode};
use super::until;

/// What its nodes sign with.
pub const SECRET: &str = "a-secret-of-the-clock-tests-0123456789";

/// A node that believes what a file says of the time.
pub struct Clock {
    pub days: i64,
    home: Home,
}

impl Clock {
    pub fn right() -> Self {
        let clock = Self { days: 0, home: Home::fresh() };
        clock.write();
        clock
    }

    /// A node under this clock, with a configuration.
    pub fn setup(&self, config: &str) -> Setup {
        let config = format!("{config}\n[log]\nlevel = \"debug\"");
        Setup::default()
            .config(&config)
            .env("PUSHGATE_SECRET", SECRET)
            .env("LD_PRELOAD", library().to_str().unwrap())
            .env("FAKETIME_TIMESTAMP_FILE", self.file().to_str().unwrap())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("time")
    }

    /// Sets the clock to its days.
    pub fn write(&self) {
        let new = self.home.path().join("new");
        std::fs::write(&new, format!("{:+}d\n", self.days)).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    /// Sets the clock to so many days from now, and waits until the node's log says so.
    pub async fn jump(&mut self, node: &TestNode, days: i64) {
        self.days = days;
        self.write();
        let off = async || {
            assert_eq!(Request::get("/healthz").send(node).await.status, 200);
            let log = node.output();
            let stamps = log.lines().filter_map(|line| line.split_whitespace().next());
            let last: Option<Timestamp> = stamps.filter_map(|text| text.parse().ok()).next_back();
            let wanted = Timestamp::now() + SignedDuration::from_hours(days * 24);
            last.map_or(i64::MAX, |last| last.duration_since(wanted).as_secs().abs())
        };
        until("a clock that has jumped", off, |off| *off < 3600).await;
    }
}

/// Where the library is.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let places = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    places.into_iter().find(|path| path.exists()).unwrap_or_else(|| {
        panic!(
            "libfaketime is missing: `sh tests/install.sh` installs it (apt-get install faketime)"
        )
    })
}
