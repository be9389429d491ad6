//! Times on pages: in words for people, exact for whoever points at them, and for programs. What
//! is here is in UTC; script.js turns it into the reader's own zone.

use jiff::Timestamp;

use crate::server::clock::now;
use crate::server::engine::Millis;

/// A time, for people and for programs.
pub(super) struct Moment {
    /// For `datetime`.
    pub iso: String,
    /// For `title`.
    pub exact: String,
    /// How far it is from now.
    pub words: String,
    /// By the clock, to the minute.
    pub clock: String,
}

impl Moment {
    pub fn new(at: Millis, now: Millis) -> Self {
        let time = timestamp(at);
        Self {
            iso: time.to_string(),
            exact: time.strftime("%F %T UTC").to_string(),
            words: relative(at, now),
            clock: clock(at),
        }
    }

    /// The same of what the API tells, seen from this moment.
    pub fn of(at: Timestamp) -> Self {
        Self::new(at.as_millisecond(), now())
    }
}

fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_second(at.div_euclid(1000)).unwrap_or_default()
}

/// The form that script.js looks for where a time is part of a text.
pub(super) fn clock(at: Millis) -> String {
    timestamp(at).strftime("%F %H:%M UTC").to_string()
}

/// How long something lasts, in its two largest units at most: `45 s`, `2 h 5 min`, `3 days`.
pub(super) fn lasting(millis: Millis) -> String {
    let seconds = millis.unsigned_abs() / 1000;
    let both = |large: u64, unit: &str, small: u64, part: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {part}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => both(seconds / 60, "min", seconds % 60, "s"),
        3_600..172_800 => both(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => both(seconds / 86_400, "days", seconds % 86_400 / 3_600, "h"),
    }
}

pub(super) fn relative(at: Millis, now: Millis) -> String {
    let seconds = at.abs_diff(now) / 1000;
    let far = match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    if at > now {
        format!("in {far}")
    } else {
        format!("{far} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now_on() {
        assert_eq!(relative(0, 90_000), "1 min ago");
        assert_eq!(relative(7_200_000, 0), "in 2 h");
    }

    #[test]
    fn what_lasts_is_told_in_two_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (150, "2 min 30 s"),
            (7_500, "2 h 5 min"),
            (86_400, "24 h"),
            (180_000, "2 days 2 h"),
        ] {
            assert_eq!(lasting(seconds * 1000), words);
        }
    }
}
