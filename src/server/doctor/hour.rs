//! Runs that come regularly at another hour than a cron expression says: by the clock of another
//! zone, or since the clocks were changed. So it is told to the doctor's reader, and in alerts.

use jiff::Timestamp;
use serde_json::json;

use super::{Case, Finding, HOUR, MINUTE, Millis, Record, SECOND, Severity, finding, flag, span};
use crate::schedule::cron::Cron;
use crate::schedule::cron::plain::Plain;
use crate::schedule::zone;
use crate::wire::Kind;

/// From how many runs in a row on another hour is no chance.
const RUNS: usize = 3;

/// How many of the newest runs are looked at.
pub const NEWEST: usize = 20;

/// Of those runs, percent, must begin at the times of the other clock.
const MOST: usize = 80;

/// How much before its time a run may begin.
const EARLY: Millis = MINUTE;

/// How much after it, where the begin is known, and where it is only known when it ended. The
/// second is short, so that a job which takes an hour is not taken for one that began then.
const LATE: Millis = 10 * MINUTE;
const LATE_END: Millis = 2 * MINUTE;

/// An expression that occurs more often than this fits any zone.
const SHORTEST_GAP: Millis = 3 * HOUR;

/// How far a zone may be from another, and the step in which they are.
const FARTHEST: Millis = 14 * HOUR;
const STEP: Millis = HOUR / 2;

/// Zones that are worth naming, after UTC and the organization's: one for each offset and each
/// way to change the clock where many people live.
const ZONES: [&str; 18] = [
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Bangkok",
    "Asia/Manila",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// When a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Begin {
    at: Millis,
    /// How much after its time it may be.
    late: Millis,
}

/// By which clock the runs come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Clock {
    /// That of this zone.
    Of(String),
    /// That of the schedule's zone as it was until this moment, when it was set forward or back
    /// by so much.
    NotSet(Millis, Millis),
    /// One that is so much behind the schedule's; ahead where that is negative.
    Off(Millis),
}

/// That runs come regularly at another hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherHour {
    clock: Clock,
    zone: String,
    runs: usize,
}

impl OtherHour {
    /// Looks at the newest pings, oldest first, of a check with this cron expression in this
    /// zone; `org_zone` is a zone that its machines may be in.
    pub fn of(expression: &str, zone: &str, org_zone: &str, records: &[Record]) -> Option<Self> {
        let parse = |name: &str| {
            let zone = zone::named(name).ok()?.1;
            Cron::parse(expression, zone).ok()
        };
        let begins = begins(records);
        let own = parse(zone)?;
        let is_own = |begin: &Begin| fits(&own, *begin, 0);
        let strange = begins.iter().rev().take_while(|begin| !is_own(begin));
        let first = begins.len() - strange.count();
        let (usual, strange) = begins.split_at(first);
        if strange.len() < RUNS
            || Millis::try_from(own.shortest_gap(strange[0].at)).ok()? * SECOND < SHORTEST_GAP
        {
            return None;
        }
        let are = |cron: &Cron, off: Millis| {
            let fitting = strange.iter().filter(|begin| fits(cron, **begin, off));
            // The newest must, so that what has been mended is over.
            let newest = strange.iter().rev().take(RUNS);
            newest.copied().all(|begin| fits(cron, begin, off))
                && fitting.count() * 100 >= strange.len() * MOST
        };
        let not_set = || {
            let (last, first) = (usual.last()?.at, strange[0].at);
            let (set, by) = clock_set(zone, last).filter(|(set, _)| *set <= first)?;
            are(&own, by).then_some(Clock::NotSet(set, by))
        };
        let other = || {
            let names = ["UTC", org_zone].into_iter().chain(ZONES);
            let mut others = names.filter(|name| !name.eq_ignore_ascii_case(zone));
            let found = others.find(|name| parse(name).is_some_and(|cron| are(&cron, 0)));
            found.map(|name| Clock::Of(name.to_owned()))
        };
        let off = || {
            let steps = (1..=FARTHEST / STEP).flat_map(|step| [step * STEP, -step * STEP]);
            let mut offs = steps.filter(|off| are(&own, *off));
            offs.next().map(Clock::Off)
        };
        Some(Self {
            clock: not_set().or_else(other).or_else(off)?,
            zone: zone.to_owned(),
            runs: strange.len(),
        })
    }

    /// A sentence for people, without its end.
    pub fn sentence(&self) -> String {
        let (zone, runs) = (&self.zone, self.runs);
        match &self.clock {
            Clock::Of(other) => {
                format!("Its last {runs} runs began at the times of {other}, not of {zone}")
            }
            Clock::NotSet(at, by) => format!(
                "Since the clocks were set {} in {zone} on {}, its runs begin {} {}: what starts \
                 them does not follow",
                if *by > 0 { "forward" } else { "back" },
                date(*at, zone),
                span(by.abs()),
                if *by > 0 { "later" } else { "earlier" },
            ),
            Clock::Off(by) => format!(
                "Its last {runs} runs began {} {} than its times by the clock of {zone}",
                span(by.abs()),
                if *by > 0 { "later" } else { "earlier" },
            ),
        }
    }
}

/// When the runs began, oldest first: the starts, or what is known by the ends.
fn begins(records: &[Record]) -> Vec<Begin> {
    let starts = records.iter().any(|record| record.kind == Kind::Start);
    let wanted = records
        .iter()
        .filter(|record| (record.kind == Kind::Start) == starts && record.kind != Kind::Log);
    let mut begins: Vec<Begin> = wanted
        .map(|record| Begin {
            at: record.at.saturating_sub(record.duration.unwrap_or(0)),
            late: match starts || record.duration.is_some() {
                true => LATE,
                false => LATE_END,
            },
        })
        .collect();
    begins.sort_unstable_by_key(|begin| begin.at);
    begins.split_off(begins.len().saturating_sub(NEWEST))
}

/// Whether a run began when the expression occurs, or so much later.
fn fits(cron: &Cron, begin: Begin, off: Millis) -> bool {
    let at = begin.at.saturating_sub(off);
    let next = cron.next_after(at.saturating_sub(begin.late).saturating_sub(1));
    next.is_some_and(|next| next <= at.saturating_add(EARLY))
}

/// When the clock of a zone is set next after `moment`, and by how much forward.
fn clock_set(name: &str, moment: Millis) -> Option<(Millis, Millis)> {
    let zone = zone::named(name).ok()?.1;
    let at = Timestamp::from_millisecond(moment).ok()?;
    let before = zone.to_offset(at).seconds();
    let set = zone.following(at).next()?;
    let by = Millis::from(set.offset().seconds() - before) * SECOND;
    (by != 0).then_some((set.timestamp().as_millisecond(), by))
}

fn date(at: Millis, name: &str) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    let zone = zone::named(name).map_or(jiff::tz::TimeZone::UTC, |(_, zone)| zone);
    at.to_zoned(zone).date().to_string()
}

/// That a cron check runs at another hour than it says.
pub(super) fn other_hour(case: &Case<'_>) -> Option<Finding> {
    let expression = case.check.cron_expression.as_deref()?;
    let org_zone = &case.facts.org_zone;
    let zone = case.check.timezone.as_deref().unwrap_or(org_zone);
    let found = OtherHour::of(expression, zone, org_zone, case.records)?;
    let (code, title, more, actions) = match &found.clock {
        Clock::Of(other) => (
            "other_time_zone",
            "It runs by the clock of another time zone",
            format!("Give the check that zone, or the machine's cron {zone}."),
            vec![case.update(&format!("--tz {other}"))],
        ),
        Clock::NotSet(at, by) => (
            "clock_change",
            "Its runs do not follow the change of the clocks",
            format!(
                "Have what starts it follow {zone} (CRON_TZ in a crontab), or give its times in UTC."
            ),
            utc_before(expression, zone, *at - 1)
                .map(|times| case.update(&format!("--cron \"{times}\" --tz UTC")))
                .into_iter()
                .chain([format!(
                    "pakyas check update {} --grace {}",
                    case.check.slug,
                    flag(((by.abs() + case.grace()) / SECOND).unsigned_abs())
                )])
                .collect(),
        ),
        Clock::Off(_) => (
            "other_hour",
            "It runs at another hour than it says",
            "Is the machine's clock or its time zone another one?".to_owned(),
            vec![case.logs(), case.update("--tz ZONE")],
        ),
    };
    let other = match &found.clock {
        Clock::Of(other) => Some(other),
        _ => None,
    };
    Some(finding(
        code,
        Severity::Warning,
        title,
        format!("{}. {more}", found.sentence()),
        json!({
            "time_zone": zone,
            "observed_time_zone": other,
            "off_seconds": match &found.clock {
                Clock::Of(_) => None,
                Clock::NotSet(_, by) | Clock::Off(by) => Some(by / SECOND),
            },
            "runs": found.runs,
        }),
        actions,
    ))
}

/// The times of an expression in UTC, as they were in a zone at that moment.
fn utc_before(expression: &str, name: &str, moment: Millis) -> Option<String> {
    let zone = zone::named(name).ok()?.1;
    let at = Timestamp::from_millisecond(moment).ok()?;
    let ahead = zone.to_offset(at).seconds() / 60;
    Some(Plain::of(expression)?.in_utc(ahead)?.text())
}
