//! When a check is expected, in words, and the next times of it.

use jiff::tz::TimeZone;

use crate::schedule::cron::{Cron, words};
use crate::schedule::zone;
use crate::server::engine::Millis;
use crate::server::web::moment::lasting;
use crate::wire::{Check, Status};

/// How many of the next times are told.
const NEXT: usize = 5;

/// "Every day at 02:00, Asia/Manila; 30m grace"; of a cron expression that words can't say
/// it has the rest only. `org_zone` counts where the check has no zone of its own.
pub(super) fn in_words(check: &Check, org_zone: &str) -> String {
    let when = match (&check.cron_expression, check.period_seconds) {
        (Some(expression), _) => {
            let zone = check.timezone.as_deref().unwrap_or(org_zone);
            let words = words::of(expression).unwrap_or_else(|| "as cron has it".to_owned());
            format!("{words}, {zone}")
        }
        (None, period) => every(period.unwrap_or(0)),
    };
    let mut text = format!("{when}; {} grace", seconds(check.grace_seconds));
    if let Some(most) = check.max_runtime_seconds {
        text += &format!("; a run may take {}", seconds(most));
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// "every hour", "every 1h 30m".
pub(super) fn every(period: u64) -> String {
    match period {
        1 => "every second".to_owned(),
        60 => "every minute".to_owned(),
        3_600 => "every hour".to_owned(),
        86_400 => "every day".to_owned(),
        604_800 => "every week".to_owned(),
        period => format!("every {}", seconds(period)),
    }
}

fn seconds(seconds: u64) -> String {
    let millis = i64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    match seconds {
        86_400 => "1 day".to_owned(),
        _ => lasting(millis),
    }
}

/// The next times at which it is expected. None while it is paused, and none where only its
/// first report can tell.
pub(super) fn upcoming(check: &Check, org_zone: &str, now: Millis) -> Vec<Millis> {
    if check.status == Status::Paused {
        return Vec::new();
    }
    let expected = check.next_ping_expected_at.map(|at| at.as_millisecond());
    if let Some(expression) = &check.cron_expression {
        let name = check.timezone.as_deref().unwrap_or(org_zone);
        let zone = zone::named(name).map_or(TimeZone::UTC, |(_, zone)| zone);
        let Ok(cron) = Cron::parse(expression, zone) else {
            return Vec::new();
        };
        let first = match expected {
            // It may have reported before its time, and then the one after that is expected.
            Some(expected) if expected > now => Some(expected),
            _ => cron.next_after(now),
        };
        return std::iter::successors(first, |at| cron.next_after(*at))
            .take(NEXT)
            .collect();
    }
    let (Some(expected), Some(period)) = (expected, check.period_seconds) else {
        return Vec::new();
    };
    let period = i64::try_from(period).unwrap_or(i64::MAX / 1000).max(1) * 1000;
    let over = if expected > now {
        0
    } else {
        (now - expected) / period + 1
    };
    (0..NEXT as i64)
        .map(|step| expected.saturating_add((over + step).saturating_mul(period)))
        .collect()
}
