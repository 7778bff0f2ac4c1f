//! The ways a camera goes.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};
use std::time::Duration;

use clap::ValueEnum;

use super::place::Place;

/// How a camera moves.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Round and round
    Circle,
    /// To and fro
    Line,
    /// Here and there, never faster than around the circle
    Walk,
    /// Nowhere: the same position again and again
    Still,
}

/// The size of a path. Units: metres; `period` is the time of one round, of a line there and back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) path: Path,
    pub(crate) radius: f64,
    pub(crate) height: f64,
    pub(crate) period: Duration,
}

/// The path of one camera: where it is at any time, however often it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    shape: Shape,
    /// The part of a round that it is ahead of the first camera.
    lead: f64,
    along_x: Wander,
    along_z: Wander,
}

/// Three slow waves on each other, which together stay within -1 and 1 and seem to have no aim.
#[derive(Debug, Clone, Copy)]
struct Wander([Wave; 3]);

/// One of them. Units: `rate` is in waves a round, `begin` in waves.
#[derive(Debug, Clone, Copy)]
struct Wave {
    share: f64,
    rate: f64,
    begin: f64,
}

/// The share of each wave, the least rate, and what chance adds to that at most. The sum of each
/// share with its highest rate is 1, which is what keeps a walk at the speed of the circle.
const WAVES: [(f64, f64, f64); 3] = [(0.5, 0.2, 0.4), (0.3, 0.6, 0.6), (0.2, 1.2, 0.5)];

impl Route {
    /// The path of camera `index` out of `count`, which stand evenly along it; `chance` gives a
    /// number from 0 to 1 each time, and decides where a walk goes.
    pub(crate) fn new(
        shape: Shape,
        index: u16,
        count: u16,
        mut chance: impl FnMut() -> f64,
    ) -> Self {
        Self {
            shape,
            lead: f64::from(index) / f64::from(count.max(1)),
            along_x: Wander::new(&mut chance),
            along_z: Wander::new(&mut chance),
        }
    }

    /// Where the camera is `elapsed` after it began.
    pub(crate) fn at(&self, elapsed: Duration) -> Place {
        let rounds = elapsed.as_secs_f64() / self.shape.period.as_secs_f64();
        let (x, z) = match self.shape.path {
            Path::Circle => on_circle(rounds + self.lead),
            Path::Still => on_circle(self.lead),
            Path::Line => (on_line(rounds + self.lead), 0.0),
            // A square within the circle.
            Path::Walk => {
                (self.along_x.at(rounds) * FRAC_1_SQRT_2, self.along_z.at(rounds) * FRAC_1_SQRT_2)
            }
        };
        let radius = self.shape.radius;
        Place::rounded(x * radius, self.shape.height, z * radius)
    }
}

impl Wander {
    fn new(chance: &mut impl FnMut() -> f64) -> Self {
        Self(WAVES.map(|(share, least, more)| Wave {
            share,
            rate: least + more * chance(),
            begin: chance(),
        }))
    }

    fn at(&self, rounds: f64) -> f64 {
        let height = |wave: &Wave| wave.share * (TAU * (wave.rate * rounds + wave.begin)).sin();
        self.0.iter().map(height).sum()
    }
}

fn on_circle(rounds: f64) -> (f64, f64) {
    let angle = TAU * rounds.fract();
    (angle.cos(), angle.sin())
}

/// From -1 to 1 and back at one speed.
fn on_line(rounds: f64) -> f64 {
    1.0 - 4.0 * (rounds.fract() - 0.5).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [Path; 4] = [Path::Circle, Path::Line, Path::Walk, Path::Still];

    fn shape(path: Path) -> Shape {
        Shape { path, radius: 5.0, height: 1.6, period: Duration::from_secs(10) }
    }

    /// Numbers from 0 to 1 that are the same in each run.
    fn chance(mut state: u32) -> impl FnMut() -> f64 {
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state) / f64::from(u32::MAX)
        }
    }

    fn route(path: Path, index: u16, count: u16) -> Route {
        Route::new(shape(path), index, count, chance(u32::from(index)))
    }

    fn coordinates(place: Place) -> (f64, f64, f64) {
        let value: serde_json::Value = serde_json::from_str(&place.to_string()).unwrap();
        let number = |name: &str| value[name].as_f64().unwrap();
        (number("x"), number("y"), number("z"))
    }

    fn distance(one: Place, other: Place) -> f64 {
        let (one, other) = (coordinates(one), coordinates(other));
        (one.0 - other.0).hypot(one.1 - other.1).hypot(one.2 - other.2)
    }

    #[test]
    fn a_circle_is_closed_and_round() {
        let circle = route(Path::Circle, 0, 1);
        for step in 0..100 {
            let elapsed = Duration::from_millis(step * 100);
            let place = circle.at(elapsed);
            assert!(distance(place, circle.at(elapsed + Duration::from_secs(10))) < 0.002);
            let (x, y, z) = coordinates(place);
            assert!((x.hypot(z) - 5.0).abs() < 0.002, "{place}");
            assert!((y - 1.6).abs() < f64::EPSILON, "{place}");
        }
        assert_eq!(circle.at(Duration::ZERO).to_string(), r#"{"x":5,"y":1.6,"z":0}"#);
        let quarter = circle.at(Duration::from_millis(2500)).to_string();
        assert_eq!(quarter, r#"{"x":0,"y":1.6,"z":5}"#);
    }

    #[test]
    fn a_line_goes_there_and_back() {
        let line = route(Path::Line, 0, 1);
        let at = |seconds| line.at(Duration::from_secs_f64(seconds)).to_string();
        assert_eq!(at(0.0), r#"{"x":-5,"y":1.6,"z":0}"#);
        assert_eq!(at(2.5), r#"{"x":0,"y":1.6,"z":0}"#);
        assert_eq!(at(5.0), r#"{"x":5,"y":1.6,"z":0}"#);
        assert_eq!(at(7.5), at(2.5));
        assert_eq!(at(10.0), at(0.0));
    }

    #[test]
    fn nobody_is_faster_than_around_the_circle_or_farther_from_the_middle() {
        let step = Duration::from_millis(50);
        let most = TAU * 5.0 / 10.0 * step.as_secs_f64() + 0.002;
        for path in PATHS {
            for index in 0..20 {
                let route = route(path, index, 20);
                let mut before = route.at(Duration::ZERO);
                for number in 1..2000 {
                    let place = route.at(step * number);
                    assert!(distance(before, place) <= most, "{path:?}: {before} to {place}");
                    let (x, _, z) = coordinates(place);
                    assert!(x.hypot(z) <= 5.002, "{path:?}: {place}");
                    before = place;
                }
            }
        }
    }

    #[test]
    fn a_walk_turns_and_is_another_each_time() {
        let (one, other) = (route(Path::Walk, 1, 2), route(Path::Walk, 2, 2));
        let speed = |number: u32| {
            let from = Duration::from_millis(100) * number;
            distance(one.at(from), one.at(from + Duration::from_millis(100)))
        };
        let speeds: Vec<f64> = (0..600).map(speed).collect();
        // Neither straight on nor by leaps: slow at times, and a little slower or faster each time.
        assert!(speeds.iter().any(|speed| *speed > 0.1) && speeds.iter().any(|speed| *speed < 0.1));
        assert!(speeds.windows(2).all(|two| (two[0] - two[1]).abs() < 0.05), "{speeds:?}");
        assert!(distance(one.at(Duration::ZERO), other.at(Duration::ZERO)) > 0.1);
    }

    #[test]
    fn several_are_spread_evenly_along_the_path() {
        for path in [Path::Circle, Path::Still] {
            let places: Vec<Place> =
                (0..8).map(|index| route(path, index, 8).at(Duration::from_secs(3))).collect();
            let side = 2.0 * 5.0 * (TAU / 16.0).sin();
            for (index, place) in places.iter().enumerate() {
                let next = places[(index + 1) % 8];
                assert!((distance(*place, next) - side).abs() < 0.003, "{path:?}: {places:?}");
            }
        }
        let at = |index| route(Path::Line, index, 4).at(Duration::ZERO);
        let xs = [0, 1, 2, 3].map(|index| coordinates(at(index)).0);
        assert_eq!(xs.map(|x| format!("{x}")), ["-5", "0", "5", "0"]);
    }

    #[test]
    fn who_stands_still_stands_still() {
        let still = route(Path::Still, 1, 4);
        assert_eq!(still.at(Duration::ZERO), still.at(Duration::from_secs(7)));
    }
}
