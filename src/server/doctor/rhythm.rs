//! How often it runs and how regularly, against the period and the grace that it was given.

use std::borrow::Cow;

use serde_json::json;

use super::{
    Case, Finding, Millis, Severity, flag, median, nearest_round, percentile, round_up, span,
};

/// From how many intervals on a rhythm is one.
const INTERVALS: usize = 6;

/// Of so many intervals, percent, must be near the median for it to be the rhythm.
const STEADY: usize = 70;

/// From how many silences on jitter is usual.
const SILENCES: usize = 10;

/// The period, else the grace; who has the wrong period learns nothing from the grace.
pub(super) fn finding(case: &Case<'_>) -> Option<Finding> {
    let period = case.period()?;
    period_misfit(case, period).or_else(|| grace_too_short(case, period))
}

fn period_misfit(case: &Case<'_>, period: Millis) -> Option<Finding> {
    // From begin to begin: durations vary more than schedules do.
    let mut begins: Vec<Millis> = case
        .ends()
        .map(|end| end.at - end.duration.unwrap_or(0))
        .collect();
    begins.sort_unstable();
    let intervals: Vec<Millis> = begins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let usual = median(&intervals).filter(|usual| *usual > 0)?;
    let near = |interval: &&Millis| (**interval - usual).abs() * 4 <= usual;
    let steady = intervals.iter().filter(near).count();
    if intervals.len() < INTERVALS || steady * 100 < intervals.len() * STEADY {
        return None;
    }
    let slower = usual * 4 > period * 5;
    let faster = usual * 4 < period * 3;
    if !slower && !faster {
        return None;
    }
    let suggested = nearest_round(usual);
    let consequence = if slower {
        "It is late, or down, before each run."
    } else {
        "Runs that go missing between are not noticed."
    };
    Some(super::finding(
        "period_mismatch",
        Severity::Warning,
        "The period does not fit how often it runs",
        format!(
            "Its period is {}, but it usually runs every {} ({steady} of the last {} intervals). \
             {consequence}",
            span(period),
            span(usual),
            intervals.len(),
        ),
        json!({
            "period_seconds": period / 1000,
            "observed_seconds": usual / 1000,
            "suggested_seconds": suggested,
            "intervals": intervals.len(),
        }),
        vec![case.update(&format!("--period {}", flag(suggested)))],
    ))
}

/// How long it was silent after each end: until the next start or end. Where another run was
/// open meanwhile nothing was expected, and there is no silence.
fn silences(case: &Case<'_>) -> Vec<Millis> {
    let mut open: Vec<Option<Cow<'_, str>>> = Vec::new();
    let mut silent_since = None;
    let mut silences = Vec::new();
    for record in case.records {
        silences.extend(silent_since.take().map(|since| record.at - since));
        let id = record.run_key();
        if record.is_end() {
            match &id {
                Some(_) => open.retain(|other| *other != id),
                None => {
                    open.pop();
                    open.retain(Option::is_some);
                }
            }
            silent_since = open.is_empty().then_some(record.at);
        } else {
            open.retain(|other| *other != id);
            open.push(id);
            // Starts whose ends never come must not cover the rest.
            if open.len() > 10 {
                open.remove(0);
            }
        }
    }
    silences
}

fn grace_too_short(case: &Case<'_>, period: Millis) -> Option<Finding> {
    let grace = case.grace();
    // What is later than this was a run that went missing, which is no jitter.
    let outage = period / 2;
    let lateness: Vec<Millis> = silences(case)
        .into_iter()
        .map(|silence| (silence - period).max(0))
        .filter(|late| *late <= outage)
        .collect();
    let usual = percentile(&lateness, 90)?;
    if lateness.len() < SILENCES || usual <= grace {
        return None;
    }
    let most = lateness.iter().copied().max().unwrap_or(usual);
    let over = lateness.iter().filter(|late| **late > grace).count();
    let suggested = round_up(most + most / 10);
    Some(super::finding(
        "grace_too_short",
        Severity::Warning,
        "The grace is shorter than its usual delay",
        format!(
            "Its grace is {}, but {over} of the last {} runs came later than that, up to {} late. \
             Each of them is a false alarm.",
            span(grace),
            lateness.len(),
            span(most),
        ),
        json!({
            "grace_seconds": grace / 1000,
            "p90_late_seconds": usual / 1000,
            "most_late_seconds": most / 1000,
            "late": over,
            "runs": lateness.len(),
            "suggested_seconds": suggested,
        }),
        vec![case.update(&format!("--grace {}", flag(suggested)))],
    ))
}
