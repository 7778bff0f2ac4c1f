//! All cameras of this process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use super::flight::Flight;
use super::scene::Scene;
use crate::command::error::CommandError;
use crate::command::output;

/// How long the cameras may take to end: less than an interrupted process has.
const LANDING: Duration = Duration::from_millis(1500);
/// How often a line tells how things are going.
const LINE: Duration = Duration::from_secs(1);

/// Cameras in the air.
pub(crate) struct Fleet {
    scene: Arc<Scene>,
    flights: JoinSet<Result<(), CommandError>>,
    stop: watch::Sender<bool>,
    begun: Instant,
    /// Of the first camera that did not come back.
    error: Option<CommandError>,
}

/// Why the cameras land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// None is left, or none can connect.
    Over,
    /// The user has enough.
    Interrupted,
    /// The time is up.
    TimeIsUp,
}

impl Fleet {
    /// Sends `flights` out, all of which end when `stop` is true.
    pub(crate) fn start(
        scene: Arc<Scene>,
        begun: Instant,
        stop: watch::Sender<bool>,
        flights: Vec<Flight>,
    ) -> Self {
        let mut set = JoinSet::new();
        for flight in flights {
            set.spawn(flight.run());
        }
        Self { scene, flights: set, stop, begun, error: None }
    }

    /// Waits for the end: of `duration`, of the user's patience, or of the last camera. With
    /// `lines`, tells each second how things are going.
    ///
    /// # Errors
    /// Of the first camera that could not go on.
    pub(crate) async fn land(
        mut self,
        duration: Option<Duration>,
        lines: bool,
    ) -> Result<(), CommandError> {
        let why = self.fly(duration, lines).await;
        let elapsed = self.begun.elapsed();
        self.stop.send_replace(true);
        let landing = async {
            while let Some(flown) = self.flights.join_next().await {
                // A user who has enough does not ask why nothing came of it.
                if why == Why::TimeIsUp {
                    self.landed(flown);
                }
            }
        };
        let _ = timeout(LANDING, landing).await;
        if self.scene.was_open() {
            output::status(&self.scene.tally.summary(elapsed));
        }
        self.error.map_or(Ok(()), Err)
    }

    async fn fly(&mut self, duration: Option<Duration>, lines: bool) -> Why {
        let mut stopped = self.stop.subscribe();
        let mut ticks = interval_at(self.begun + LINE, LINE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let end = sleep(duration.unwrap_or(Duration::MAX));
        tokio::pin!(end);
        loop {
            tokio::select! {
                // A camera that was stopped must not pass for one that has ended by itself.
                biased;
                _ = stopped.wait_for(|stop| *stop) => return Why::Interrupted,
                () = &mut end => return Why::TimeIsUp,
                _ = ticks.tick(), if lines => {
                    output::status(&self.scene.tally.line(self.scene.cameras));
                }
                flown = self.flights.join_next() => match flown {
                    None => return Why::Over,
                    Some(flown) => self.landed(flown),
                },
            }
            if self.error.is_some() && !self.scene.was_open() {
                return Why::Over;
            }
        }
    }

    /// A camera has ended; the first error of all is what the command ends with.
    fn landed(&mut self, flown: Result<Result<(), CommandError>, JoinError>) {
        let flown =
            flown.unwrap_or_else(|bug| Err(CommandError::Runtime(std::io::Error::other(bug))));
        if let Err(error) = flown {
            self.error.get_or_insert(error);
        }
    }
}
