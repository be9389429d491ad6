//! Single runs: how long they take, whether they end, whether they overlap, how they fail.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::{
    Case, DAY, Finding, Millis, Record, SECOND, Severity, finding, flag, median, percentile,
    round_up, span,
};
use crate::wire::Kind;

/// From how many durations on they say something, and from how many on they have a trend.
const DURATIONS: usize = 8;
const TREND: usize = 12;

/// How many of the newest durations count.
const DURATIONS_MAX: usize = 200;

/// How many failures must end the same way.
const SAME: usize = 3;

/// Two runs may seem to overlap by so much because their pings took different times.
const TOLERANCE: Millis = 2 * SECOND;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    [
        near_limit(case),
        without_end(case),
        repeated_failure(case),
        overlapping(case),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn near_limit(case: &Case<'_>) -> Option<Finding> {
    let limit = case.run_limit().filter(|limit| *limit > 0)?;
    let mut durations: Vec<Millis> = case
        .ends()
        .rev()
        .filter_map(|end| end.duration)
        .take(DURATIONS_MAX)
        .collect();
    durations.reverse();
    if durations.len() < DURATIONS {
        return None;
    }
    let usual = percentile(&durations, 95)?;
    // A limit that nobody set is less precise than one that somebody did.
    let near = if case.check.max_runtime_seconds.is_some() {
        80
    } else {
        90
    };
    let third = durations.len() / 3;
    let (first, last) = (
        median(&durations[..third])?,
        median(&durations[durations.len() - third..])?,
    );
    let creeping = durations.len() >= TREND && last * 10 > first * 13 && last * 10 > limit * 6;
    let percent = usual.saturating_mul(100) / limit;
    if percent < near && !creeping {
        return None;
    }
    let most = durations.iter().copied().max().unwrap_or(usual);
    let suggested = round_up(most + most / 2);
    let limit_name = if case.check.max_runtime_seconds.is_some() {
        "may take"
    } else {
        "may take, by its period and grace,"
    };
    let growth = if creeping {
        format!(" They grow: from {} to {}.", span(first), span(last))
    } else {
        String::new()
    };
    Some(finding(
        "runtime_near_limit",
        Severity::Warning,
        "Its runs take nearly as long as they may",
        format!(
            "A run {limit_name} {}; 95 % of the last {} took up to {} ({percent} % of that), the \
             longest {}.{growth}",
            span(limit),
            durations.len(),
            span(usual),
            span(most),
        ),
        json!({
            "limit_seconds": limit / 1000,
            "p95_duration_ms": usual,
            "longest_ms": most,
            "earlier_median_ms": first,
            "later_median_ms": last,
            "creeping": creeping,
            "runs": durations.len(),
            "suggested_seconds": suggested,
        }),
        vec![case.update(&format!("--max-runtime {}", flag(suggested)))],
    ))
}

fn without_end(case: &Case<'_>) -> Option<Finding> {
    let limit = case.run_limit().unwrap_or(DAY);
    // Of an end that came before its start, as it may on the way, the start is no lost one.
    let ended: HashSet<_> = case.ends().filter_map(Record::run_key).collect();
    let mut settled = 0;
    let mut lost: Vec<&Record> = Vec::new();
    let mut open: Vec<&Record> = Vec::new();
    for record in case.records {
        let key = record.run_key();
        match (record.kind, &key) {
            (Kind::Start, Some(id)) if ended.contains(id) => {
                settled += usize::from(case.now - record.at > limit);
            }
            (Kind::Start, _) => {
                // One that takes the place of another was cancelled, or sent twice.
                let place = open.iter().position(|start| start.run_key() == key);
                if let Some(place) = place {
                    let before = open.remove(place);
                    let is_lost = key.is_none() && record.at - before.at > TOLERANCE;
                    lost.extend(is_lost.then_some(before));
                }
                settled += 1;
                open.push(record);
            }
            // It ends the newest, and what without an id is older.
            (Kind::Success | Kind::Fail, None) => {
                open.pop();
                open.retain(|start| start.run_id.is_some());
            }
            _ => {}
        }
    }
    let is_over = |start: &&Record| case.now - start.at > limit;
    settled -= open.iter().filter(|start| !is_over(start)).count();
    lost.extend(open.into_iter().filter(is_over));
    if lost.len() < 2 || lost.len() * 10 < settled {
        return None;
    }
    let newest = lost.iter().map(|start| start.at).max()?;
    Some(finding(
        "starts_without_end",
        Severity::Warning,
        "Runs start and never end",
        format!(
            "{} of {settled} runs that started never reported an end, the last started {} ago. \
             They are killed, or what runs after them does not report.",
            lost.len(),
            span(case.now - newest),
        ),
        json!({
            "starts": settled,
            "without_end": lost.len(),
            "newest_seconds_ago": (case.now - newest) / 1000,
        }),
        vec![
            format!("pakyas monitor {} -- COMMAND", case.check.slug),
            case.logs(),
        ],
    ))
}

/// How a failure ended: its last line with its numbers left out, else its exit code.
fn way(failure: &Record) -> Option<String> {
    match (&failure.last_line, failure.exit_code) {
        (Some(line), _) => {
            let mut way = String::new();
            for c in line.chars() {
                if !c.is_ascii_digit() {
                    way.push(c);
                } else if !way.ends_with('#') {
                    way.push('#');
                }
            }
            Some(way)
        }
        (None, Some(code)) => Some(format!("\0{code}")),
        (None, None) => None,
    }
}

fn repeated_failure(case: &Case<'_>) -> Option<Finding> {
    // What failed long ago and went well since is over.
    let recent = case.ends().rev().take(5).any(|end| end.kind == Kind::Fail);
    let failures: Vec<&Record> = case
        .ends()
        .rev()
        .filter(|end| end.kind == Kind::Fail)
        .collect();
    let newest = failures.first().filter(|_| recent)?;
    let same = way(newest)?;
    let count = failures
        .iter()
        .take_while(|failure| way(failure).as_ref() == Some(&same))
        .count();
    if count < SAME {
        return None;
    }
    let still = case.ends().next_back().map(|end| end.kind) == Some(Kind::Fail);
    let severity = if still {
        Severity::Error
    } else {
        Severity::Warning
    };
    let how = match (&newest.last_line, newest.exit_code) {
        (Some(line), _) => format!("with the same last line: {line}"),
        (None, Some(code)) => format!("with the exit code {code}"),
        (None, None) => return None,
    };
    Some(finding(
        "repeated_failure",
        severity,
        "It fails the same way again and again",
        format!("The last {count} failures ended {how}"),
        json!({
            "failures": count,
            "last_line": newest.last_line,
            "exit_code": newest.exit_code,
            "newest_seconds_ago": (case.now - newest.at) / 1000,
        }),
        vec![format!(
            "pakyas check logs {} --output last",
            case.check.slug
        )],
    ))
}

fn overlapping(case: &Case<'_>) -> Option<Finding> {
    let ends: HashMap<_, Millis> = case
        .ends()
        .filter_map(|end| Some((end.run_key()?, end.at)))
        .collect();
    // When the run before ended, of those whose end is known.
    let mut until: Option<Millis> = None;
    let (mut runs, mut overlaps, mut most) = (0_usize, 0_usize, 0);
    let mut senders = HashSet::new();
    for start in case.records.iter().filter(|r| r.kind == Kind::Start) {
        let end = start.run_key().and_then(|id| ends.get(&id));
        let Some(end) = end.copied().filter(|end| *end >= start.at) else {
            continue;
        };
        runs += 1;
        senders.extend(start.source_ip.as_deref());
        if let Some(before) = until
            && before - start.at > TOLERANCE
        {
            overlaps += 1;
            most = most.max(before.min(end) - start.at);
        }
        until = until.max(Some(end));
    }
    if overlaps < 2 || overlaps * 20 < runs {
        return None;
    }
    let slug = &case.check.slug;
    let from = match senders.len() {
        0 | 1 => String::new(),
        many => format!(" The starts came from {many} addresses: does it run on several machines?"),
    };
    Some(finding(
        "overlapping_runs",
        Severity::Warning,
        "Runs overlap",
        format!(
            "{overlaps} of {runs} runs began before the one before them had ended, by up to {}.{from}",
            span(most),
        ),
        json!({
            "overlaps": overlaps,
            "runs": runs,
            "longest_overlap_ms": most,
            "senders": senders.len(),
        }),
        vec![format!(
            "flock -n /tmp/{slug}.lock pakyas monitor {slug} -- COMMAND"
        )],
    ))
}
