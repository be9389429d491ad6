//! Cron: `expression`, and in a second line a zone. Occurrences go forward, are counted as they
//! come, and do not depend on how the expression is spaced.

use jiff::tz::TimeZone;
use pakyas::schedule::cron::{Cron, words};
use pakyas::schedule::zone;

/// The last Sunday of March 2026, a few hours before Europe's clocks are set.
const MOMENTS: [i64; 3] = [1_774_742_400_000, 1_792_880_000_000, 0];

/// A year, milliseconds.
const YEAR: i64 = 366 * 86_400_000;

pub fn target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (expression, zone) = text.split_once('\n').unwrap_or((text, "UTC"));
    let zone = match zone::named(zone) {
        Ok((name, zone)) => {
            assert_eq!(zone::named(&name).unwrap().0, name);
            zone
        }
        Err(why) => {
            assert!(!why.to_string().is_empty());
            TimeZone::UTC
        }
    };
    let cron = match Cron::parse(expression, zone.clone()) {
        Ok(cron) => cron,
        Err(why) => {
            assert!(why.to_string().chars().count() < 4_000, "{why}");
            return;
        }
    };
    let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
    assert_eq!(Cron::parse(&fields.join(" "), zone).as_ref(), Ok(&cron));
    if let Some(words) = words::of(expression) {
        assert_eq!(words::of(&fields.join(" ")), Some(words));
    }
    for moment in MOMENTS {
        let mut at = moment;
        let mut count = 0;
        while let Some(next) = cron.next_after(at) {
            assert!(next > at, "{next} is not after {at}");
            if count == 20 || next > moment + 5 * YEAR {
                break;
            }
            assert_eq!(cron.next_after(next - 1), Some(next), "just before {next}");
            assert_eq!(cron.count(at, next), 1);
            assert_eq!(cron.count(at, next - 1), 0);
            (at, count) = (next, count + 1);
        }
        assert_eq!(cron.count(moment, at), count);
    }
    assert!(cron.shortest_gap(MOMENTS[0]) >= 60);
}
