//! One camera from its login to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::account::Account;
use super::echo::Awaited;
use super::link::Link;
use super::pace::Pace;
use super::path::Route;
use super::place::Place;
use super::recovery::Recovery;
use super::scene::Scene;
use super::tally::Event;
use crate::command::error::CommandError;
use crate::command::follow::{Ending, Message};
use crate::command::output::printable;

/// How long the last echoes may take.
const LAST_ECHO: Duration = Duration::from_millis(300);

/// A camera that goes its way, tells where it is, and hears where others are.
pub(crate) struct Flight {
    pub(crate) index: u16,
    pub(crate) scene: Arc<Scene>,
    pub(crate) account: Account,
    pub(crate) route: Route,
    pub(crate) pace: Pace,
    /// When all cameras set out.
    pub(crate) begun: Instant,
    /// True once they are to end.
    pub(crate) stop: watch::Receiver<bool>,
}

/// How a camera was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// Connected, and closed in good order, which has ended its presence.
    Closed,
    /// Between two connections, or before the first.
    Between,
}

/// What is known of one connection.
#[derive(Default)]
struct Talk {
    awaited: Awaited,
    /// The gateway has told that it takes something not; what it says again is only counted.
    was_refused: bool,
}

impl Flight {
    /// Flies until it is stopped, over as many connections as that takes.
    ///
    /// # Errors
    /// What no new connection mends; when it is stopped before any camera was ever connected, why
    /// that was.
    pub(crate) async fn run(mut self) -> Result<(), CommandError> {
        let account = self.account.clone();
        let mut recovery = Recovery::new(self.index, Arc::clone(&self.scene), account);
        let flown = self.connections(&mut recovery).await;
        if !matches!(flown, Ok(Stopped::Closed)) {
            self.account.leave().await;
        }
        match flown {
            Ok(Stopped::Between) if !self.scene.was_open() => recovery.last().map_or(Ok(()), Err),
            Ok(_) => Ok(()),
            Err(error) => {
                self.gave_up(&error);
                Err(error)
            }
        }
    }

    async fn connections(&mut self, recovery: &mut Recovery) -> Result<Stopped, CommandError> {
        let mut again = false;
        while let Some(opened) = self.open().await {
            let ending = match opened {
                Ok(link) => {
                    recovery.opened();
                    self.connected(again);
                    again = true;
                    let flown = self.fly(link, recovery).await;
                    self.scene.tally.add(Event::Disconnected);
                    match flown {
                        Some(ending) => ending,
                        None => return Ok(Stopped::Closed),
                    }
                }
                Err(ending) => ending,
            };
            let wait = recovery.judge(ending).await?;
            if timeout(wait, stopped(&mut self.stop)).await.is_ok() {
                break;
            }
        }
        Ok(Stopped::Between)
    }

    /// A connection, when it is this camera's turn; `None` if it is stopped before.
    async fn open(&mut self) -> Option<Result<Link, Ending>> {
        let opening = async {
            // The semaphore is never closed; without a turn it would go on all the same.
            let _turn = self.scene.openings.acquire().await;
            Link::open(self.account.plan().await?).await
        };
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => None,
            opened = opening => Some(opened),
        }
    }

    fn connected(&mut self, again: bool) {
        self.scene.opened();
        self.scene.tally.add(Event::Connected { again });
        self.scene.tell(self.index, "connected");
        self.pace.resume(Instant::now());
    }

    fn gave_up(&self, error: &CommandError) {
        self.scene.tally.add(Event::GaveUp);
        // One alone is told of by the error that its command ends with.
        if self.scene.cameras > 1 && self.scene.was_open() {
            self.scene.tell(self.index, &format!("does not come back: {error}"));
        }
    }

    /// Speaks and listens until the connection ends; `None` if it was stopped and closed.
    async fn fly(&mut self, mut link: Link, recovery: &mut Recovery) -> Option<Ending> {
        let mut talk = Talk::default();
        loop {
            let flown = tokio::select! {
                () = stopped(&mut self.stop) => {
                    self.wind_up(link, talk).await;
                    return None;
                }
                message = link.next() => message.map(|text| {
                    recovery.heard();
                    self.hear(&text, &mut talk);
                }),
                () = sleep_until(self.pace.due()) => self.speak(&mut link, &mut talk).await,
            };
            if let Err(ending) = flown {
                return Some(ending);
            }
        }
    }

    /// Waits for what is still under way, but not for long, and closes.
    async fn wind_up(&self, mut link: Link, mut talk: Talk) {
        let echoes = async {
            while !talk.awaited.is_empty()
                && let Ok(text) = link.next().await
            {
                self.hear(&text, &mut talk);
            }
        };
        let _ = timeout(LAST_ECHO, echoes).await;
        link.close().await;
    }

    async fn speak(&mut self, link: &mut Link, talk: &mut Talk) -> Result<(), Ending> {
        let now = Instant::now();
        let (due, skipped) = self.pace.take(now);
        let place = self.route.at(due.saturating_duration_since(self.begun));
        talk.awaited.sent(place, now);
        link.send(place.to_string()).await?;
        self.scene.tally.add(Event::Sent { skipped });
        Ok(())
    }

    fn hear(&self, text: &str, talk: &mut Talk) {
        if let Some(place) = Place::read(text) {
            let took = talk.awaited.came_back(place, Instant::now());
            self.scene.tally.add(took.map_or(Event::Other, Event::Echoed));
        } else if matches!(Message::read(text), Message::Error) {
            self.scene.tally.add(Event::Refused);
            if !std::mem::replace(&mut talk.was_refused, true) {
                self.scene.tell(self.index, &printable(text));
            }
        }
    }
}

/// Waits until cameras are to end. Who tells that lives as long as they do.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
