//! The doctor: what is wrong with a check, read from its history.
//!
//! Pure: it is given the check, its circumstances and a bounded list of its newest pings, and
//! must know neither disk nor clock. A finding needs enough samples to be more than chance; a
//! regular history has none.

mod circumstances;
mod delivery;
pub mod hour;
mod rhythm;
mod runs;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use super::engine::Millis;
use crate::wire::history::{Finding, Health, Severity};
use crate::wire::ping::run_key;
use crate::wire::{Check, Kind};

/// How many of the newest pings are looked at.
pub const USUAL: u32 = 300;

/// How many with `deep`.
pub const DEEP: u32 = 5_000;

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// A ping, as far as the doctor is concerned. No logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it says.
    pub kind: Kind,
    /// Its exit code, where it gave one.
    pub exit_code: Option<u8>,
    /// When it happened.
    pub at: Millis,
    /// When it arrived.
    pub received_at: Millis,
    /// How long the run took, milliseconds.
    pub duration: Option<Millis>,
    /// Pairs a start with its end.
    pub run_id: Option<String>,
    /// Who sent it.
    pub source_ip: Option<String>,
    /// How far the sender's clock was ahead of ours, milliseconds, where it was far.
    pub clock_off: Option<Millis>,
    /// The last line of a failed run's output.
    pub last_line: Option<String>,
}

impl Record {
    fn is_end(&self) -> bool {
        matches!(self.kind, Kind::Success | Kind::Fail)
    }

    /// What its run is known by, where it gives an id.
    fn run_key(&self) -> Option<Cow<'_, str>> {
        self.run_id.as_deref().map(run_key)
    }
}

/// Alerts that a channel could not be told of lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The channel's name.
    pub channel: String,
    /// How many.
    pub count: u32,
    /// When the last was given up.
    pub last_at: Millis,
    /// What the target answered to it.
    pub answer: String,
}

/// What else counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Since when the check is what it is.
    pub status_since: Millis,
    /// How many channels hear of it.
    pub recipients: u32,
    /// The zone of a schedule that has none of its own.
    pub org_zone: String,
    /// What could not be delivered, by channel.
    pub undelivered: Vec<Undelivered>,
}

/// A check and all that is known of it.
struct Case<'a> {
    check: &'a Check,
    facts: &'a Facts,
    /// Oldest first.
    records: &'a [Record],
    now: Millis,
}

impl Case<'_> {
    /// The period, where it has one and no cron expression.
    fn period(&self) -> Option<Millis> {
        let seconds = self.check.period_seconds;
        seconds
            .filter(|_| self.check.cron_expression.is_none())
            .map(millis)
    }

    fn grace(&self) -> Millis {
        millis(self.check.grace_seconds)
    }

    /// How long a run may take: what was said, else until the end of the next one is missed.
    /// None where that depends on a cron expression.
    fn run_limit(&self) -> Option<Millis> {
        let said = self.check.max_runtime_seconds.map(millis);
        said.or_else(|| Some(self.period()? + self.grace()))
    }

    fn ends(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter().filter(|record| record.is_end())
    }

    /// `pakyas check update` of this check, with these flags.
    fn update(&self, flags: &str) -> String {
        format!("pakyas check update {} {flags}", self.check.slug)
    }

    fn logs(&self) -> String {
        format!("pakyas check logs {}", self.check.slug)
    }
}

fn millis(seconds: u64) -> Millis {
    Millis::try_from(seconds)
        .unwrap_or(Millis::MAX)
        .saturating_mul(1000)
}

/// Everything that is wrong with the check, the worst first. `records` are its newest pings,
/// oldest first.
pub fn examine(check: &Check, facts: &Facts, records: &[Record], now: Millis) -> Vec<Finding> {
    let case = Case {
        check,
        facts,
        records,
        now,
    };
    let mut findings = circumstances::findings(&case);
    findings.extend(runs::findings(&case));
    findings.extend(rhythm::finding(&case));
    findings.extend(hour::other_hour(&case));
    findings.extend(delivery::findings(&case));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// What the findings come to, and a sentence that says so. `looked_at` pings were there, of
/// the `depth` that would have been looked at.
pub fn sum_up(
    check: &Check,
    findings: &[Finding],
    looked_at: usize,
    depth: u32,
) -> (Health, String) {
    let worst = findings.iter().map(|finding| finding.severity).max();
    let health = match worst {
        Some(Severity::Error) => Health::Critical,
        Some(Severity::Warning) => Health::AttentionNeeded,
        Some(Severity::Info) | None => Health::Healthy,
    };
    let basis = match looked_at {
        0 => "no ping has come yet".to_owned(),
        1 => "1 ping looked at".to_owned(),
        all if all < depth as usize => format!("{all} pings looked at, which is all there are"),
        some => format!("the newest {some} pings looked at"),
    };
    let count = |severity, name: &str| {
        let number = findings.iter().filter(|f| f.severity == severity).count();
        let s = if number == 1 || name == "info" {
            ""
        } else {
            "s"
        };
        (number > 0).then(|| format!("{number} {name}{s}"))
    };
    let counts: Vec<String> = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Info, "info"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let found = if counts.is_empty() {
        "nothing is wrong".to_owned()
    } else {
        counts.join(", ")
    };
    (health, format!("{}: {found} ({basis})", check.name))
}

fn finding(
    code: &str,
    severity: Severity,
    title: &str,
    description: String,
    details: Value,
    suggested_actions: Vec<String>,
) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        title: title.to_owned(),
        description,
        details,
        suggested_actions,
    }
}

/// The value that `percent` % of these are not above (nearest rank); none where there are none.
fn percentile(values: &[Millis], percent: usize) -> Option<Millis> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn median(values: &[Millis]) -> Option<Millis> {
    percentile(values, 50)
}

/// Durations as people choose them, seconds.
const ROUND: [Millis; 32] = [
    1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 180, 300, 600, 900, 1_200, 1_800, 2_700, 3_600, 5_400,
    7_200, 10_800, 14_400, 21_600, 28_800, 43_200, 86_400, 172_800, 259_200, 604_800, 1_209_600,
    2_678_400, 31_622_400,
];

/// The round duration that is nearest by ratio, seconds; where none is near, whole units.
fn nearest_round(millis: Millis) -> u64 {
    let far = |round: Millis| (millis as f64 / (round * SECOND) as f64).ln().abs();
    let best = ROUND
        .into_iter()
        .min_by(|a, b| far(*a).total_cmp(&far(*b)))
        .unwrap_or(1);
    let seconds = if far(best) < 0.15 {
        best
    } else {
        let unit = [DAY, HOUR, MINUTE]
            .into_iter()
            .find(|unit| millis >= 3 * unit)
            .unwrap_or(SECOND);
        ((millis + unit / 2) / unit).max(1) * (unit / SECOND)
    };
    seconds.unsigned_abs()
}

/// The smallest round duration that is not below this, seconds.
fn round_up(millis: Millis) -> u64 {
    let found = ROUND.into_iter().find(|round| round * SECOND >= millis);
    found.unwrap_or(ROUND[ROUND.len() - 1]).unsigned_abs()
}

/// A duration with no more digits than a person wants: to the second below ten minutes, to the
/// minute below two days, else to the hour.
fn span(millis: Millis) -> String {
    let millis = millis.max(0);
    if millis < 10 * SECOND {
        return super::alerts::message::milliseconds(millis.unsigned_abs());
    }
    let unit = match millis {
        ..600_000 => SECOND,
        600_000..172_800_000 => MINUTE,
        _ => HOUR,
    };
    let whole = (millis + unit / 2) / unit * unit;
    crate::schedule::format_duration((whole / SECOND).unsigned_abs())
}

/// A duration as one word, so that it needs no quotes. 31 days are not 4 weeks and 3 days.
fn flag(seconds: u64) -> String {
    if seconds > 0 && seconds.is_multiple_of(86_400) && !seconds.is_multiple_of(604_800) {
        return format!("{}d", seconds / 86_400);
    }
    crate::schedule::format_duration(seconds).replace(' ', "")
}
