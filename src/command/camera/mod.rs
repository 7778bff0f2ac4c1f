//! `pushgate camera`: a camera without Unity, or a thousand, for trying things out and as load that
//! feels real.
//!
//! [`Fleet`] holds the cameras of a process and tells how they fare (`tally`). Each
//! is a [`Flight`], which keeps one connection (`link`) alive: it logs in
//! (`account`), speaks at its `pace` of the `place` where its `path` has led it, knows its own
//! positions when they come back (`echo`), and judges each ending (`recovery`) as a subscription
//! does. Cameras differ from `follow` in that they speak, and in that there may be many: they are
//! tasks and not threads.

mod account;
mod echo;
mod fleet;
mod flight;
mod latency;
mod link;
mod pace;
mod path;
mod place;
mod recovery;
mod scene;
mod tally;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::Channel;
use super::error::CommandError;
use super::interrupt;
use super::options::Connect;
use account::Account;
use fleet::Fleet;
use flight::Flight;
use pace::{Pace, stagger};
use path::{Route, Shape};
use scene::Scene;

pub use path::Path;

/// What `--help` says first.
pub(super) const ABOUT: &str = "Move a camera through a scene, as a Unity client would.

Logs in, connects a WebSocket, and sends a position at an even pace; what comes back is counted. One
line a second tells how it goes where standard error is a terminal: positions sent, echoed, how long
the echoes took, and how many came of others. Reconnects by itself. Ends at Ctrl-C, or after
--duration, with a line about all of it.";

/// What `--help` says last.
const EXAMPLE: &str = "Examples:
  pushgate camera --rate 10 --path circle
  pushgate camera camera/hall --count 50 --path walk --radius 20 --duration 60";

/// The arguments of `pushgate camera`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub struct CameraArgs {
    /// The scene: `camera`, or `camera/NAME` for one of its own [default: camera]
    #[arg(value_name = "CHANNEL")]
    scene: Option<String>,

    /// The scene, as the other commands take it
    #[arg(short, long, value_name = "CHANNEL", conflicts_with = "scene")]
    channel: Option<String>,

    /// Positions a second, 0.1 to 100
    #[arg(long, value_name = "N", default_value = "10", value_parser = between(0.1, 100.0))]
    #[arg(allow_negative_numbers = true)]
    rate: f64,

    /// The way to go
    #[arg(long, value_name = "PATH", default_value = "circle")]
    path: Path,

    /// How far from the middle the way leads, in metres, 0 to 10000
    #[arg(long, value_name = "METRES", default_value = "5", value_parser = between(0.0, 1e4))]
    #[arg(allow_negative_numbers = true)]
    radius: f64,

    /// How high the camera is, in metres, -10000 to 10000; `y` on the wire
    #[arg(long, value_name = "METRES", default_value = "1.6", value_parser = between(-1e4, 1e4))]
    #[arg(allow_negative_numbers = true)]
    height: f64,

    /// The time of one round in seconds, 0.1 to 86400
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = between(0.1, 86_400.0))]
    #[arg(allow_negative_numbers = true)]
    period: f64,

    /// How many cameras, 1 to 1000, evenly along the way; each is a client of its own, unless a
    /// token is given
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000), allow_negative_numbers = true)]
    count: u16,

    /// End after so many seconds, 0.1 to 31536000
    #[arg(long, value_name = "SECONDS", value_parser = between(0.1, 31_536_000.0))]
    #[arg(allow_negative_numbers = true)]
    duration: Option<f64>,

    /// Tell how it goes each second, also where standard error is no terminal
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    connect: Connect,

    /// Do not log in and use no token, on a channel that takes anyone
    #[arg(long, conflicts_with = "name", help_heading = "Connection")]
    anonymous: bool,
}

/// A number that is no less and no more; `NaN` is neither.
fn between(least: f64, most: f64) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(_) => Err(format!("it is not in {least} to {most}")),
        Err(_) => Err(format!("it is not a number in {least} to {most}")),
    }
}

/// Flies until the user has enough.
pub(crate) fn run(args: &CameraArgs) -> Result<(), CommandError> {
    let name = args.scene.as_ref().or(args.channel.as_ref());
    let channel = Channel::parse(name.map_or("camera", String::as_str))?;
    let scene = Arc::new(Scene::new(args.connect.gateway_of_many()?, channel, args.count));
    let accounts = (0..args.count).map(|index| args.account(index, &scene));
    let accounts: Vec<Account> = accounts.collect::<Result<_, _>>()?;

    let (stop, _) = watch::channel(false);
    let interrupted = stop.clone();
    interrupt::watch(move || {
        interrupted.send_replace(true);
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)?;
    let done = runtime.block_on(async {
        let begun = Instant::now();
        let flights = (0..).zip(accounts).map(|(index, account)| Flight {
            index,
            scene: Arc::clone(&scene),
            account,
            route: Route::new(args.shape(), index, args.count, chance),
            pace: Pace::new(begun + stagger(args.rate, index, args.count), args.rate),
            begun,
            stop: stop.subscribe(),
        });
        let fleet = Fleet::start(Arc::clone(&scene), begun, stop.clone(), flights.collect());
        let lines = args.verbose || io::stderr().is_terminal();
        fleet.land(args.duration.map(Duration::from_secs_f64), lines).await
    });
    // A login that nobody waits for any longer must not hold the end up.
    runtime.shutdown_background();
    done
}

impl CameraArgs {
    fn shape(&self) -> Shape {
        Shape {
            path: self.path,
            radius: self.radius,
            height: self.height,
            period: Duration::from_secs_f64(self.period),
        }
    }

    /// Who camera `index` is: it logs in at once, so that it has a client id of its own.
    fn account(&self, index: u16, scene: &Arc<Scene>) -> Result<Account, CommandError> {
        let mut connect = self.connect.clone();
        if self.anonymous {
            (connect.token, connect.key) = (None, None);
        } else if self.count > 1 {
            let name = connect.name.filter(|name| !name.is_empty());
            connect.name = name.map(|name| format!("{name} {}", u32::from(index) + 1));
        }
        let identity = connect.identity()?;
        let identity = if self.anonymous { identity } else { identity.logged_in() };
        Ok(Account::new(identity, Arc::clone(scene), self.anonymous))
    }
}

/// A number from 0 to 1; without a source of chance, the one in the middle.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        let rate = between(0.1, 100.0);
        assert_eq!(rate("10"), Ok(10.0));
        assert_eq!(rate("0.1"), Ok(0.1));
        for wrong in ["0", "0.09", "100.1", "-1", "NaN", "inf", "1e999", "", "ten", "1,5"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn chance_is_from_nothing_to_one() {
        for _ in 0..1000 {
            assert!((0.0..=1.0).contains(&chance()));
        }
    }
}
