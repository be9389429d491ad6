//! Figures of a check's history, computed from it and from nothing else: how much of a time it
//! was up, and what is usual for its runs.

use crate::server::engine::Millis;
use crate::server::store::check_page::Step;
use crate::wire::Status;

const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;

/// For which times uptime is told.
pub(super) const WINDOWS: [(&str, Millis); 4] = [
    ("24 hours", DAY),
    ("7 days", 7 * DAY),
    ("30 days", 30 * DAY),
    ("90 days", 90 * DAY),
];

/// What is usual can't be told from fewer runs.
const USUAL_FROM: usize = 5;

/// How a check fared in the time that it was watched: neither new nor paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Uptime {
    /// How long it was up or late, milliseconds: late is within its grace.
    pub up: Millis,
    /// How long it was down or overrunning, milliseconds.
    pub down: Millis,
}

impl Uptime {
    /// Of the last `window` milliseconds; none where it was not watched in them at all.
    pub fn of(steps: &[Step], now: Millis, window: Millis) -> Option<Self> {
        let mut sum = Self { up: 0, down: 0 };
        for (index, step) in steps.iter().enumerate() {
            let end = steps.get(index + 1).map_or(now, |next| next.at).min(now);
            let lasted = (end - step.at.max(now - window)).max(0);
            match step.status {
                Status::Up | Status::Late => sum.up += lasted,
                Status::Down | Status::Overrunning => sum.down += lasted,
                Status::New | Status::Paused => {}
            }
        }
        (sum.watched() > 0).then_some(sum)
    }

    pub fn watched(self) -> Millis {
        self.up + self.down
    }

    /// In percent, rounded down, so that only what was never down has 100.
    pub fn percent(self) -> String {
        let parts = i128::from(self.up) * 10_000 / i128::from(self.watched().max(1));
        match parts {
            10_000 => "100 %".to_owned(),
            parts => format!("{}.{:02} %", parts / 100, parts % 100),
        }
    }
}

/// Between what most values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usual {
    /// The 10th percentile.
    pub low: i64,
    /// The median.
    pub middle: i64,
    /// The 90th percentile.
    pub high: i64,
}

/// What is usual for these values; none where they are too few.
pub(super) fn usual(mut values: Vec<i64>) -> Option<Usual> {
    if values.len() < USUAL_FROM {
        return None;
    }
    values.sort_unstable();
    // Nearest rank: the smallest that so many percent are not above.
    let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
    Some(Usual {
        low: rank(10),
        middle: rank(50),
        high: rank(90),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 100 * DAY;

    fn step(ago: Millis, status: Status) -> Step {
        Step {
            at: NOW - ago,
            status,
        }
    }

    #[test]
    fn time_before_the_first_ping_and_paused_time_do_not_count() {
        let steps = [
            step(20 * HOUR, Status::New),
            step(10 * HOUR, Status::Up),
            step(8 * HOUR, Status::Paused),
            step(2 * HOUR, Status::Down),
            step(HOUR, Status::Late),
        ];
        let uptime = Uptime::of(&steps, NOW, DAY).unwrap();
        assert_eq!((uptime.up, uptime.down), (3 * HOUR, HOUR));
        assert_eq!(uptime.percent(), "75.00 %");
    }

    #[test]
    fn what_was_never_watched_is_not_known() {
        assert_eq!(Uptime::of(&[step(DAY, Status::New)], NOW, DAY), None);
        let steps = [step(3 * DAY, Status::Up), step(2 * DAY, Status::Paused)];
        assert_eq!(Uptime::of(&steps, NOW, DAY), None);
        assert_eq!(Uptime::of(&steps, NOW, 7 * DAY).unwrap().percent(), "100 %");
        assert_eq!(Uptime::of(&[], NOW, DAY), None);
    }

    #[test]
    fn only_what_is_in_the_window_counts() {
        let steps = [step(3 * DAY, Status::Down), step(DAY / 2, Status::Up)];
        let uptime = Uptime::of(&steps, NOW, DAY).unwrap();
        assert_eq!((uptime.up, uptime.down), (DAY / 2, DAY / 2));
    }

    #[test]
    fn a_second_down_in_a_year_is_not_one_hundred_percent() {
        let uptime = Uptime {
            up: 365 * DAY,
            down: 1000,
        };
        assert_eq!(uptime.percent(), "99.99 %");
    }

    #[test]
    fn the_usual_is_told_from_five_values_on() {
        assert_eq!(usual(vec![1, 2, 3, 4]), None);
        let usual = usual((1..=100).rev().collect()).unwrap();
        assert_eq!((usual.low, usual.middle, usual.high), (10, 50, 90));
    }
}
