//! The newest runs of a check, and between them those that never came, each at its own time.

use rusqlite::{Connection, params};

use super::schedules::Schedules;
use super::{StoreError, checks};
use crate::server::engine::{Millis, Rules};
use crate::wire::{Kind, Status};

/// How many of a check's newest pings are looked through for the ends of its runs.
const DEPTH: i64 = 200;

/// How many of its newest changes of status are looked through for the times it was down.
const CHANGES: i64 = 100;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Success,
    /// Badly.
    Failure,
    /// It was expected, and nothing came.
    Missing,
}

/// A run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// When it ended, or was due.
    pub at: Millis,
    /// How it ended.
    pub end: End,
    /// How long it took, milliseconds.
    pub duration: Option<i64>,
}

/// A time in which the check was down.
struct Outage {
    from: Millis,
    until: Millis,
    /// When the first end was due that did not come, where silence brought it down.
    expected: Option<Millis>,
    /// Whether silence did: else a failure.
    by_silence: bool,
}

/// What strips are read with: the schedules that were read already.
#[derive(Default)]
pub struct Strips(Schedules);

impl Strips {
    /// The newest `count` runs of the check in `row`, oldest first, those that are missing at
    /// `now` among them.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn read(
        &mut self,
        connection: &Connection,
        row: i64,
        count: usize,
        now: Millis,
    ) -> Result<Vec<Bar>, StoreError> {
        let (rules, state) = checks::known(connection, row, &mut self.0)?;
        let mut bars = ends(connection, row, count)?;
        // Before the oldest end that is shown nothing is of interest.
        let from = match bars.first() {
            Some(oldest) if bars.len() == count => oldest.at,
            _ => Millis::MIN,
        };
        // A run that is under way may still be the one that is missing.
        let until = state.running_well_since().unwrap_or(now);
        let mut outages = outages(connection, row, until)?;
        if state.status == Status::Down {
            // What the check itself knows of this outage is never older than what was written
            // of it, nor is it forgotten with the history.
            let since = match outages.pop_if(|last| last.until == until) {
                Some(now) => now,
                None => Outage {
                    from: state.since,
                    until,
                    expected: None,
                    by_silence: state.failures == 0,
                },
            };
            let has_ended_since = bars.last().is_some_and(|last| last.at >= since.from);
            outages.push(Outage {
                expected: state
                    .expected
                    .filter(|_| !has_ended_since)
                    .or(since.expected),
                ..since
            });
        }
        for outage in outages.iter().filter(|outage| outage.until >= from) {
            let missing = missing(&rules, outage, &bars, count);
            bars.extend(missing);
        }
        bars.sort_by_key(|bar| bar.at);
        bars.dedup_by(|next, one| *next == *one && one.end == End::Missing);
        Ok(bars.split_off(bars.len() - bars.len().min(count)))
    }
}

/// The newest ends of runs, oldest first.
fn ends(connection: &Connection, row: i64, count: usize) -> Result<Vec<Bar>, StoreError> {
    let mut ends = Vec::new();
    let mut pings = connection.prepare_cached(
        "SELECT kind, created_at, duration_ms FROM ping WHERE check_row = ?
         ORDER BY created_at DESC, row DESC LIMIT ?",
    )?;
    let mut rows = pings.query(params![row, DEPTH])?;
    while let Some(ping) = rows.next()? {
        let kind: String = ping.get(0)?;
        let end = match Kind::from_name(&kind) {
            Some(Kind::Success) => End::Success,
            Some(Kind::Fail) => End::Failure,
            _ => continue,
        };
        ends.push(Bar {
            at: ping.get(1)?,
            end,
            duration: ping.get(2)?,
        });
        if ends.len() == count {
            break;
        }
    }
    ends.reverse();
    Ok(ends)
}

/// When the check was down, oldest first; the last time until `now` where it still is.
fn outages(connection: &Connection, row: i64, now: Millis) -> Result<Vec<Outage>, StoreError> {
    let mut changes = connection.prepare_cached(
        "SELECT occurred_at, to_status, source, expected_at FROM event
         WHERE check_row = ? AND kind = 'status_changed'
         ORDER BY effective_at DESC, row DESC LIMIT ?",
    )?;
    let mut rows = changes.query(params![row, CHANGES])?;
    let mut until = now;
    let mut outages = Vec::new();
    while let Some(change) = rows.next()? {
        let (from, to, source): (Millis, String, String) =
            (change.get(0)?, change.get(1)?, change.get(2)?);
        if Status::from_name(&to) == Some(Status::Down) {
            outages.push(Outage {
                from,
                until,
                by_silence: source != "ping",
                expected: change.get(3)?,
            });
        }
        until = from;
    }
    outages.reverse();
    Ok(outages)
}

/// The runs that were missing in an outage, by the reckoning with which they are counted: from
/// what was due first, and again after each end that came meanwhile. `ends`: oldest first, what
/// is missing elsewhere may be among them.
fn missing(rules: &Rules, outage: &Outage, ends: &[Bar], most: usize) -> Vec<Bar> {
    let began = |end: &Bar| end.at.saturating_sub(end.duration.unwrap_or(0).max(0));
    let after = |end: &Bar| rules.expected_after(end.at, end.duration);
    let ends = || ends.iter().filter(|bar| bar.end != End::Missing);
    let mut expected = match outage.by_silence {
        // Of a run that never finished it is not written down.
        true => outage.expected.or_else(|| {
            let before = ends().take_while(|end| end.at < outage.from);
            before.last().map(after)
        }),
        false => None,
    };
    let mut due = Vec::new();
    let mut add = |expected: Option<Millis>, until| {
        due.extend(expected.map_or(Vec::new(), |at| rules.missing(at, until, most)));
    };
    for end in ends().filter(|end| (outage.from..=outage.until).contains(&end.at)) {
        add(expected, began(end));
        expected = (end.at < outage.until).then(|| after(end));
    }
    add(expected, outage.until);
    if due.is_empty() && outage.by_silence {
        due.push(outage.from);
    }
    due.into_iter()
        .map(|at| Bar {
            at,
            end: End::Missing,
            duration: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::engine::{Schedule, Windows};

    const HOUR: Millis = 3_600_000;

    fn hourly() -> Rules {
        Rules {
            schedule: Schedule::Period(HOUR),
            grace: 60_000,
            max_runtime: None,
            miss_threshold: 1,
            fail_threshold: 1,
            windows: Windows::default(),
        }
    }

    fn bar(hour: Millis, end: End) -> Bar {
        Bar {
            at: hour * HOUR,
            end,
            duration: None,
        }
    }

    fn hours(outage: &Outage, ends: &[Bar]) -> Vec<Millis> {
        let missing = missing(&hourly(), outage, ends, 30);
        missing.iter().map(|bar| bar.at / HOUR).collect()
    }

    #[test]
    fn each_run_that_did_not_come_is_missing_until_one_came() {
        let silent = Outage {
            from: 2 * HOUR + 60_000,
            until: 10 * HOUR,
            expected: Some(2 * HOUR),
            by_silence: true,
        };
        let ends = [bar(1, End::Success), bar(10, End::Success)];
        assert_eq!(hours(&silent, &ends), [2, 3, 4, 5, 6, 7, 8, 9]);
        // One that fails among them is what was due last, and the next is due after it.
        let ends = [
            bar(1, End::Success),
            bar(6, End::Failure),
            bar(10, End::Success),
        ];
        assert_eq!(hours(&silent, &ends), [2, 3, 4, 5, 7, 8, 9]);
    }

    #[test]
    fn silence_after_a_failure_is_missing_runs_and_the_failure_is_none() {
        let failed = Outage {
            from: 2 * HOUR,
            until: 5 * HOUR + 90_000,
            expected: Some(3 * HOUR),
            by_silence: false,
        };
        assert_eq!(hours(&failed, &[bar(2, End::Failure)]), [3, 4, 5]);
        let ends = [
            bar(2, End::Failure),
            bar(3, End::Failure),
            bar(4, End::Failure),
        ];
        assert_eq!(hours(&failed, &ends), [5]);
    }

    #[test]
    fn a_run_that_never_finished_is_missing_even_where_no_other_is() {
        let never = Outage {
            from: 2 * HOUR,
            until: 2 * HOUR + 1,
            expected: None,
            by_silence: true,
        };
        assert_eq!(hours(&never, &[bar(1, End::Success)]), [2]);
        assert_eq!(hours(&never, &[]), [2]);
    }
}
