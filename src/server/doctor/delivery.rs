//! How pings get here: late, or from a machine whose clock is wrong.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Case, Finding, MINUTE, Millis, Severity, finding, median, span};

/// What arrives later than this is late.
const LATE: Millis = MINUTE;

/// How many must be late, and what share of all (one in so many).
const LATE_LEAST: usize = 3;
const LATE_SHARE: usize = 10;

/// From how many pings of one sender on its clock is judged.
const CLOCK_LEAST: usize = 3;

/// How many of a sender's newest pings are looked at: a clock that was set right is right.
const CLOCK_NEWEST: usize = 20;

/// A clock that is further off than this makes jobs run at the wrong time.
const CLOCK_FAR: Millis = MINUTE;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    [delivered_late(case), clock_off(case)]
        .into_iter()
        .flatten()
        .collect()
}

fn delivered_late(case: &Case<'_>) -> Option<Finding> {
    let late: Vec<Millis> = case
        .records
        .iter()
        .map(|record| record.received_at - record.at)
        .filter(|late| *late > LATE)
        .collect();
    if late.len() < LATE_LEAST || late.len() * LATE_SHARE < case.records.len() {
        return None;
    }
    let usual = median(&late)?;
    let most = late.iter().copied().max()?;
    // Only then does lateness alarm anybody.
    let severity = if most > case.grace() {
        Severity::Warning
    } else {
        Severity::Info
    };
    Some(finding(
        "delivered_late",
        severity,
        "Reports arrive late",
        format!(
            "{} of the last {} pings arrived more than a minute after they happened, usually {} \
             and up to {} later. The machine is often offline, or this server is hard to reach \
             from it.",
            late.len(),
            case.records.len(),
            span(usual),
            span(most),
        ),
        json!({
            "late": late.len(),
            "pings": case.records.len(),
            "median_late_ms": usual,
            "most_late_ms": most,
        }),
        vec![
            "pakyas spool list".to_owned(),
            format!("pakyas --verbose ping {}", case.check.slug),
        ],
    ))
}

fn clock_off(case: &Case<'_>) -> Option<Finding> {
    let mut senders: BTreeMap<&str, Vec<Option<Millis>>> = BTreeMap::new();
    for record in case.records.iter().rev() {
        let sender = record.source_ip.as_deref().unwrap_or_default();
        let seen = senders.entry(sender).or_default();
        if seen.len() < CLOCK_NEWEST {
            seen.push(record.clock_off);
        }
    }
    let (sender, off, count) = senders
        .into_iter()
        .filter_map(|(sender, seen)| {
            let off: Vec<Millis> = seen.iter().flatten().copied().collect();
            let enough = off.len() >= CLOCK_LEAST && off.len() * 2 > seen.len();
            Some((sender, median(&off)?, off.len())).filter(|_| enough)
        })
        .max_by_key(|(_, off, _)| off.abs())?;
    let severity = if off.abs() > CLOCK_FAR {
        Severity::Warning
    } else {
        Severity::Info
    };
    let direction = if off > 0 { "ahead" } else { "behind" };
    let whose = match sender {
        "" => "the sender".to_owned(),
        address => address.to_owned(),
    };
    Some(finding(
        "clock_off",
        severity,
        "The clock of its machine is wrong",
        format!(
            "The clock of {whose} is {} {direction} by this server's, as its last {count} pings \
             say. Its jobs run at the wrong time; what it reports is told by age, and stays right.",
            span(off.abs()),
        ),
        json!({"source_ip": sender, "off_ms": off, "pings": count}),
        vec!["sudo timedatectl set-ntp true".to_owned()],
    ))
}
