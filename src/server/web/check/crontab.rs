//! The schedule of a check for the programs that start its job. Where one of them can't say it,
//! there is a word in its place that none of them takes: a line that is nearly right makes a job
//! that is well go down.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::timing::every;
use crate::schedule::cron::Cron;
use crate::schedule::cron::plain::Plain;
use crate::schedule::{cron_times, zone};
use crate::server::engine::Millis;
use crate::wire::Check;

/// What stands where a person has to put times of their own.
const PLACEHOLDER: &str = "SCHEDULE";

/// GitHub starts nothing more often than that, minutes ("Events that trigger workflows").
const GITHUB_LEAST: u16 = 5;

/// Five fields, or the word in their place.
pub(super) struct Times {
    pub fields: String,
    /// What has to be known about them.
    note: Option<String>,
}

impl Times {
    /// The hint of the lines that they are in.
    pub fn with(&self, hint: String) -> String {
        match &self.note {
            Some(note) => format!("{note} {hint}"),
            None => hint,
        }
    }

    fn known(plain: &Plain) -> Self {
        Self {
            fields: plain.text(),
            note: None,
        }
    }

    fn unknown(why: &str) -> Self {
        Self {
            fields: PLACEHOLDER.to_owned(),
            note: Some(format!(
                "{why}: put times of your own in the place of {PLACEHOLDER}."
            )),
        }
    }
}

/// The schedule in each program's way.
pub(super) struct Lines {
    pub crontab: Times,
    pub kubernetes: Times,
    pub github: Times,
    /// By whose clock the times are; none where that is all the same.
    pub zone: Option<String>,
}

impl Lines {
    /// `org_zone` counts where the check has no zone of its own.
    pub fn of(check: &Check, org_zone: &str, now: Millis) -> Self {
        match &check.cron_expression {
            Some(expression) => {
                let zone = check.timezone.as_deref().unwrap_or(org_zone);
                Self::of_cron(expression, zone, now)
            }
            None => Self::of_period(check.period_seconds.unwrap_or_default()),
        }
    }

    fn of_period(period: u64) -> Self {
        let plain = cron_times(period).and_then(|times| Plain::of(&times));
        let Some(plain) = plain else {
            let why = format!("Five fields can't say {}", every(period));
            let unknown = || Times::unknown(&why);
            return Self {
                crontab: unknown(),
                kubernetes: unknown(),
                github: unknown(),
                zone: None,
            };
        };
        Self {
            crontab: Times::known(&plain),
            kubernetes: Times::known(&plain),
            github: not_too_often(&plain).unwrap_or_else(|| Times::known(&plain)),
            zone: None,
        }
    }

    fn of_cron(expression: &str, zone: &str, now: Millis) -> Self {
        let Some(plain) = Plain::of(expression) else {
            let unknown =
                |who: &str| Times::unknown(&format!("{who} knows no L, W or # as in {expression}"));
            return Self {
                crontab: unknown("A crontab"),
                kubernetes: unknown("Kubernetes"),
                github: unknown("GitHub"),
                zone: Some(zone.to_owned()),
            };
        };
        let unclear = |who: &str| {
            let why = format!("{who} may read the days of {expression} otherwise");
            (!plain.is_clear()).then(|| Times::unknown(&why))
        };
        Self {
            crontab: Times::known(&plain),
            kubernetes: unclear("Kubernetes").unwrap_or_else(|| Times::known(&plain)),
            github: unclear("GitHub")
                .or_else(|| not_too_often(&plain))
                .unwrap_or_else(|| by_utc(expression, &plain, zone, now)),
            zone: Some(zone.to_owned()),
        }
    }
}

fn not_too_often(plain: &Plain) -> Option<Times> {
    let why = format!("GitHub starts nothing more often than every {GITHUB_LEAST} minutes");
    let often = plain.is_oftener_than(GITHUB_LEAST);
    often.then(|| Times::unknown(&why))
}

/// GitHub's clock is UTC, whatever the zone is.
fn by_utc(expression: &str, plain: &Plain, name: &str, now: Millis) -> Times {
    let zone = zone::named(name).map_or(TimeZone::UTC, |(_, zone)| zone);
    let at = |at: Millis| Timestamp::from_millisecond(at).unwrap_or_default();
    let is_set = zone.following(at(now)).next().is_some();
    let ahead = zone.to_offset(at(now)).seconds();
    let exact = (!is_set && ahead % 60 == 0).then(|| plain.in_utc(ahead / 60));
    if let Some(plain) = exact.flatten() {
        let is_utc = ahead == 0;
        return Times {
            fields: plain.text(),
            note: Some(match is_utc {
                true => "GitHub's schedule is in UTC, as this one.".to_owned(),
                false => format!("GitHub's schedule is in UTC: this is {expression} in {name}."),
            }),
        };
    }
    let next = Cron::parse(expression, zone.clone())
        .ok()
        .and_then(|cron| cron.next_after(now));
    let example = next.map_or(String::new(), |next| {
        let utc = at(next).strftime("%H:%M").to_string();
        let there = at(next).to_zoned(zone).strftime("%H:%M").to_string();
        let until = match is_set {
            true => ", until the clocks change there",
            false => "",
        };
        format!(" ({there} there is {utc} UTC{until})")
    });
    Times::unknown(&format!(
        "GitHub's schedule is in UTC, in which this one of {name} can't be said{example}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 12:00 UTC.
    const NOW: Millis = 1_795_521_600_000;

    #[test]
    fn a_period_that_cron_can_t_say_is_no_line_that_is_nearly_right() {
        for period in [420, 5_400, 18_000, 172_800] {
            let lines = Lines::of_period(period);
            for times in [&lines.crontab, &lines.kubernetes, &lines.github] {
                assert_eq!(times.fields, "SCHEDULE", "{period}");
                assert!(times.with(String::new()).contains("can't say every "));
            }
        }
        let lines = Lines::of_period(7_200);
        assert_eq!(lines.github.fields, "0 */2 * * *");
        let lines = Lines::of_period(60);
        assert_eq!(lines.kubernetes.fields, "* * * * *");
        assert_eq!(lines.github.fields, "SCHEDULE");
    }

    #[test]
    fn github_gets_the_times_by_utc_where_that_is_exact() {
        for (expression, zone, fields, words) in [
            (
                "0 2 * * *",
                "Asia/Manila",
                "0 18 * * *",
                "0 2 * * * in Asia/Manila",
            ),
            ("0 2 * * *", "UTC", "0 2 * * *", "in UTC, as this one"),
            (
                "0 2 1 * *",
                "Asia/Manila",
                "SCHEDULE",
                "(02:00 there is 18:00 UTC)",
            ),
            (
                "0 2 * * *",
                "Europe/Berlin",
                "SCHEDULE",
                "(02:00 there is 01:00 UTC, until the clocks change there)",
            ),
        ] {
            let lines = Lines::of_cron(expression, zone, NOW);
            assert_eq!(lines.github.fields, fields, "{expression} {zone}");
            let hint = lines.github.with(String::new());
            assert!(hint.contains(words), "{hint}");
            assert_eq!(lines.crontab.fields, expression);
            assert_eq!(lines.kubernetes.fields, expression);
            assert_eq!(lines.zone.as_deref(), Some(zone));
        }
    }

    #[test]
    fn what_only_this_server_knows_of_cron_goes_nowhere() {
        let lines = Lines::of_cron("45 23 L * *", "UTC", NOW);
        for times in [&lines.crontab, &lines.kubernetes, &lines.github] {
            assert_eq!(times.fields, "SCHEDULE");
            assert!(times.with(String::new()).contains("no L, W or #"));
        }
        let lines = Lines::of_cron("0 2 */2 * 1", "UTC", NOW);
        assert_eq!(lines.crontab.fields, "0 2 */2 * 1");
        assert_eq!(lines.kubernetes.fields, "SCHEDULE");
    }
}
