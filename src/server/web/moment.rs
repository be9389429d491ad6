//! Times on pages: in words for people, exact for whoever points at them, and for programs. What
//! is here is in UTC; script.js turns it into the reader's own zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::server::clock::now;
use crate::server::engine::Millis;

/// A time, for people and for programs.
pub(super) struct Moment {
    /// For `datetime`.
    pub iso: String,
    /// For `title`.
    pub exact: String,
    /// How far it is from now, and which way.
    pub words: String,
    /// How far alone.
    pub far: String,
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
            far: far(at, now),
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

/// How long something lasts, in its two largest units at most: `45s`, `2h 5m`, `3d`. As the
/// client and the alerts have it.
pub(super) fn lasting(millis: Millis) -> String {
    let seconds = millis.unsigned_abs() / 1000;
    let both = |large: u64, unit: char, small: u64, part: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit} {small}{part}"),
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => both(seconds / 60, 'm', seconds % 60, 's'),
        3_600..172_800 => both(seconds / 3_600, 'h', seconds % 3_600 / 60, 'm'),
        _ => both(seconds / 86_400, 'd', seconds % 86_400 / 3_600, 'h'),
    }
}

/// How far a time is from now, and which way.
pub(super) fn relative(at: Millis, now: Millis) -> String {
    let far = far(at, now);
    if at > now {
        format!("in {far}")
    } else {
        format!("{far} ago")
    }
}

/// How far a time is from now, to the nearest second, minute or day.
fn far(at: Millis, now: Millis) -> String {
    const SECOND: u64 = 1000;
    const MINUTE: u64 = 60 * SECOND;
    const DAY: u64 = 24 * 60 * MINUTE;
    let distance = at.abs_diff(now);
    let nearest = |unit: u64| distance.saturating_add(unit / 2) / unit * unit;
    let unit = if nearest(SECOND) < MINUTE {
        SECOND
    } else if nearest(MINUTE) < 2 * DAY {
        MINUTE
    } else {
        DAY
    };
    lasting(Millis::try_from(nearest(unit)).unwrap_or(Millis::MAX))
}

/// A part of a sentence: text, or a time that the sentence has in UTC.
pub(super) struct Part {
    pub text: String,
    pub at: Option<Moment>,
}

/// A sentence about a check in parts, so that its times can be told as all others are.
pub(super) fn parts(sentence: &str, now: Millis) -> Vec<Part> {
    /// As `alerts::message::utc` writes it.
    const LENGTH: usize = "2026-11-20 18:00:00".len();
    const END: &str = " UTC";
    let text = |text: &str| Part {
        text: text.to_owned(),
        at: None,
    };
    let (mut parts, mut told) = (Vec::new(), 0);
    for (end, _) in sentence.match_indices(END) {
        let Some(begin) = end.checked_sub(LENGTH).filter(|begin| *begin >= told) else {
            continue;
        };
        let time = sentence.get(begin..end);
        let Some(time) = time.and_then(|text| DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok())
        else {
            continue;
        };
        let Ok(at) = TimeZone::UTC.to_timestamp(time) else {
            continue;
        };
        parts.push(text(&sentence[told..begin]));
        told = end + END.len();
        parts.push(Part {
            text: String::new(),
            at: Some(Moment::new(at.as_millisecond(), now)),
        });
    }
    parts.push(text(&sentence[told..]));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_in_two_units_and_rounded_beyond_two_days() {
        const HOUR: Millis = 3_600_000;
        for (millis, words) in [
            (400, "0s"),
            (59_000, "59s"),
            (59_900, "1m"),
            (90_000, "2m"),
            (3_599_000, "1h"),
            (5_400_000, "1h 30m"),
            (17 * HOUR + 59 * 60_000 + 50_000, "18h"),
            (41 * HOUR + 30_000, "41h 1m"),
            (48 * HOUR - 10_000, "2d"),
            (60 * HOUR - 1, "2d"),
            (60 * HOUR, "3d"),
            (90 * 24 * HOUR - 5_000, "90d"),
        ] {
            assert_eq!(relative(millis, 0), format!("in {words}"), "{millis}");
            assert_eq!(relative(0, millis), format!("{words} ago"), "{millis}");
        }
        relative(Millis::MAX, Millis::MIN);
    }

    #[test]
    fn what_lasts_is_told_in_two_units() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (150, "2m 30s"),
            (7_500, "2h 5m"),
            (86_400, "24h"),
            (180_000, "2d 2h"),
        ] {
            assert_eq!(lasting(seconds * 1000), words);
        }
    }

    #[test]
    fn the_times_of_a_sentence_are_found_and_the_rest_stays() {
        let told = |sentence: &str| -> Vec<String> {
            let parts = parts(sentence, 0);
            let words = parts.into_iter().map(|part| match part.at {
                Some(at) => at.iso,
                None => part.text,
            });
            words.collect()
        };
        assert_eq!(
            told("a is down: it was expected at 2026-11-20 18:00:00 UTC and has not reported"),
            [
                "a is down: it was expected at ",
                "2026-11-20T18:00:00Z",
                " and has not reported"
            ]
        );
        for sentence in [
            "",
            " UTC",
            "99 UTC",
            "2026-13-20 18:00:00 UTC",
            "ä8-11-20 18:00:00 UTC",
        ] {
            assert_eq!(told(sentence), [sentence]);
        }
    }
}
