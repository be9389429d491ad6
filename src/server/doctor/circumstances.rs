//! What needs no statistics: a check that is silent, down, paused, or that nobody hears of.

use serde_json::json;

use super::{Case, DAY, Finding, Severity, finding, span};
use crate::wire::Status;

/// How long a pause may last before it may have been forgotten.
const PAUSED: i64 = 7 * DAY;
const PAUSED_LONG: i64 = 30 * DAY;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    [
        trouble(case),
        no_channel(case),
        never_pinged(case),
        paused(case),
    ]
    .into_iter()
    .flatten()
    .chain(undelivered(case))
    .collect()
}

/// It is not well at this moment.
fn trouble(case: &Case<'_>) -> Option<Finding> {
    let since = case.now - case.facts.status_since;
    let (code, title, what) = match case.check.status {
        Status::Down => ("down", "It is down now", "down"),
        Status::Overrunning => (
            "overrunning",
            "A run takes longer than it may",
            "overrunning",
        ),
        _ => return None,
    };
    let (misses, failures) = (
        case.check.consecutive_missed_pings,
        case.check.consecutive_failures,
    );
    let why = match (misses, failures) {
        (0, 0) if case.check.running && case.check.began_since(case.facts.status_since) => {
            "an expected run was missing, and one is under way".to_owned()
        }
        (0, 0) if case.check.running => "a run has started and not ended".to_owned(),
        (0, 0) => "it has not reported".to_owned(),
        (0, _) => format!("{} in a row", count(failures, "failure")),
        (_, 0) => format!("{} missing", count(misses, "expected run")),
        _ => format!(
            "{} in a row, and {} missing since",
            count(failures, "failure"),
            count(misses, "expected run")
        ),
    };
    Some(finding(
        code,
        Severity::Error,
        title,
        format!("It has been {what} for {}: {why}.", span(since)),
        json!({
            "status": case.check.status,
            "for_seconds": since / 1000,
            "consecutive_missed_pings": case.check.consecutive_missed_pings,
            "consecutive_failures": case.check.consecutive_failures,
        }),
        vec![
            format!("pakyas check tail {} --since 1d", case.check.slug),
            format!("pakyas check logs {} --output last", case.check.slug),
        ],
    ))
}

fn count(number: u32, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

fn no_channel(case: &Case<'_>) -> Option<Finding> {
    (case.facts.recipients == 0).then(|| {
        finding(
            "no_channel",
            Severity::Error,
            "Nobody would hear of it",
            "There is no alert channel for this check: when it goes down, nobody is told."
                .to_owned(),
            json!({"recipient_count": 0}),
            vec![
                "pakyas channel create --kind email --name ops --target you@example.com".to_owned(),
            ],
        )
    })
}

fn never_pinged(case: &Case<'_>) -> Option<Finding> {
    if case.check.status != Status::New || !case.records.is_empty() {
        return None;
    }
    let age = case.now - case.check.created_at.as_millisecond();
    // By then a first run should have come.
    let patience = case.period().unwrap_or(DAY) + case.grace();
    let severity = if age > patience {
        Severity::Warning
    } else {
        Severity::Info
    };
    Some(finding(
        "never_pinged",
        severity,
        "No ping has ever come",
        format!(
            "It was created {} ago and has not been pinged. A check that is new alerts nobody.",
            span(age)
        ),
        json!({"created_seconds_ago": age / 1000}),
        vec![
            format!("pakyas monitor {} -- COMMAND", case.check.slug),
            format!("pakyas --verbose ping {}", case.check.slug),
        ],
    ))
}

fn paused(case: &Case<'_>) -> Option<Finding> {
    let since = case.now - case.facts.status_since;
    if case.check.status != Status::Paused || since < PAUSED {
        return None;
    }
    let severity = if since < PAUSED_LONG {
        Severity::Info
    } else {
        Severity::Warning
    };
    Some(finding(
        "paused_long",
        severity,
        "It has been paused for long",
        format!(
            "It has been paused for {}: nothing is expected and nobody is alerted.",
            span(since)
        ),
        json!({"paused_seconds": since / 1000}),
        vec![format!("pakyas check resume {}", case.check.slug)],
    ))
}

fn undelivered(case: &Case<'_>) -> Vec<Finding> {
    let found = case.facts.undelivered.iter().map(|channel| {
        let quoted = channel.channel.replace('\'', "'\\''");
        finding(
            "alerts_undelivered",
            Severity::Error,
            "Alerts could not be delivered",
            format!(
                "{} to the channel '{}' could not be delivered in the last 30 days, the last {} \
                 ago: {}.",
                count(channel.count, "alert"),
                channel.channel,
                span(case.now - channel.last_at),
                match channel.answer.trim_end_matches('.') {
                    "" => "it gave no reason",
                    reason => reason,
                }
            ),
            json!({
                "channel": channel.channel,
                "count": channel.count,
                "last_answer": channel.answer,
            }),
            vec![format!("pakyas channel test '{quoted}'")],
        )
    });
    found.collect()
}
