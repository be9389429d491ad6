//! What a person decided about a check: its schedule, its limits, and when nobody is told.

use std::sync::Arc;

use super::Millis;
use super::windows::Windows;
use crate::schedule::cron::Cron;

/// How long before its occurrence a run may begin at most and still be that occurrence's.
const EARLY_MAX: Millis = 60_000;

/// Nor may it be earlier than this part of the time from its occurrence to the ones around it:
/// of a job that runs each minute, six seconds.
const EARLY_PART: Millis = 10;

const MINUTE: Millis = 60_000;

/// When a check is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// So long after the end before, milliseconds, at least one second.
    Period(Millis),
    /// As a cron expression says.
    Cron(Arc<Cron>),
}

/// What a person decided about a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// When it is expected.
    pub schedule: Schedule,
    /// How long after the expected time it is only late, milliseconds.
    pub grace: Millis,
    /// How long a run may take, milliseconds.
    pub max_runtime: Option<Millis>,
    /// Alert after so many missed pings in a row, at least 1.
    pub miss_threshold: u32,
    /// Alert after so many failures in a row, at least 1.
    pub fail_threshold: u32,
    /// The maintenance windows that it is in, now and later.
    pub windows: Windows,
}

impl Rules {
    /// When the end after one at `moment` is expected.
    pub(super) fn next_after(&self, moment: Millis) -> Millis {
        match &self.schedule {
            Schedule::Period(period) => moment.saturating_add(*period),
            // Where no calendar reaches, nothing is expected any more.
            Schedule::Cron(cron) => cron.next_after(moment).unwrap_or(Millis::MAX),
        }
    }

    /// When the end after that of a run is expected which began at `began` and ended at `ended`.
    ///
    /// A host whose clock is ahead of ours runs its job shortly before the occurrence that it
    /// is for, which then must not be expected once more. By its begin it is told from a long
    /// run that only ends at such a moment: that was for the occurrence before. A clock may be
    /// ahead as far as grace lets it be behind, within [`EARLY_MAX`] and [`EARLY_PART`].
    pub(super) fn next_after_run(&self, began: Millis, ended: Millis) -> Millis {
        let next = self.next_after(ended);
        match &self.schedule {
            Schedule::Cron(cron) if self.is_early(cron, began, next) => self.next_after(next),
            Schedule::Cron(_) | Schedule::Period(_) => next,
        }
    }

    /// When the end is expected after one at `ended`, of a run that took `duration` where that
    /// is known.
    pub fn expected_after(&self, ended: Millis, duration: Option<Millis>) -> Millis {
        self.next_after_run(ended.saturating_sub(duration.unwrap_or(0)), ended)
    }

    /// Whether what began at `began` is for the occurrence after it.
    fn is_early(&self, cron: &Cron, began: Millis, occurrence: Millis) -> bool {
        let ahead = occurrence.saturating_sub(began);
        if ahead > EARLY_MAX.min(self.grace) {
            return false;
        }
        let (near, after) = (ahead * EARLY_PART, cron.next_after(occurrence));
        cron.next_after(occurrence - near) == Some(occurrence)
            && after.is_none_or(|after| after - occurrence >= near)
    }

    /// When the `count`th missing ping was due, where the first was due at `expected`. Takes
    /// `count` steps, which is a threshold: at most 100.
    fn due(&self, expected: Millis, count: u32) -> Millis {
        let further = count.saturating_sub(1);
        match &self.schedule {
            Schedule::Period(period) => {
                expected.saturating_add(period.saturating_mul(Millis::from(further)))
            }
            Schedule::Cron(_) => (0..further).fold(expected, |due, _| self.next_after(due)),
        }
    }

    /// When the `count`th ping in a row is missing, where the first was due at `expected`.
    pub(super) fn missed_at(&self, expected: Millis, count: u32) -> Millis {
        self.due(expected, count).saturating_add(self.grace)
    }

    /// Until when a run that started at `started` counts as running well.
    pub(super) fn run_limit(&self, started: Millis) -> Millis {
        match self.max_runtime {
            Some(max) => started.saturating_add(max),
            None => self.next_after(started).saturating_add(self.grace),
        }
    }

    /// How many expected pings are missing at `now`, where the first was due at `expected`.
    pub(super) fn misses(&self, expected: Millis, now: Millis) -> u32 {
        let until = now.saturating_sub(self.grace);
        if until < expected {
            return 0;
        }
        let further = match &self.schedule {
            Schedule::Period(period) => until.abs_diff(expected) / period.max(&1).unsigned_abs(),
            Schedule::Cron(cron) => cron.count(expected, until),
        };
        u32::try_from(further.saturating_add(1)).unwrap_or(u32::MAX)
    }

    /// Which expected pings are missing at `now`, where the first was due at `expected`: when
    /// each was due, oldest first. Of more than `most`, the last.
    pub fn missing(&self, expected: Millis, now: Millis, most: usize) -> Vec<Millis> {
        let total = self.misses(expected, now);
        let wanted = total.min(u32::try_from(most).unwrap_or(u32::MAX));
        match &self.schedule {
            Schedule::Period(period) => (total - wanted..total)
                .map(|step| expected.saturating_add(period.saturating_mul(Millis::from(step))))
                .collect(),
            Schedule::Cron(cron) => {
                let until = now.saturating_sub(self.grace);
                // The first may be years ago: the walk begins where about so many are left.
                let mut back = MINUTE.saturating_mul(Millis::from(wanted));
                let first = loop {
                    let from = until.saturating_sub(back);
                    if from <= expected {
                        break Some(expected);
                    }
                    if cron.count(from, until) >= u64::from(wanted) {
                        break cron.next_after(from);
                    }
                    back = back.saturating_mul(4);
                };
                let mut due: Vec<Millis> = std::iter::successors(first, |at| cron.next_after(*at))
                    .take_while(|at| *at <= until && wanted > 0)
                    .collect();
                due.split_off(due.len() - due.len().min(wanted as usize))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn rules(schedule: Schedule) -> Rules {
        Rules {
            schedule,
            grace: 5 * MINUTE,
            max_runtime: None,
            miss_threshold: 1,
            fail_threshold: 1,
            windows: Windows::default(),
        }
    }

    #[test]
    fn each_missing_ping_stands_where_it_was_due_and_there_are_as_many_as_are_counted() {
        let hour = 60 * MINUTE;
        let hourly = rules(Schedule::Period(hour));
        assert!(hourly.missing(hour, hour + 5 * MINUTE - 1, 30).is_empty());
        assert_eq!(
            hourly.missing(hour, 3 * hour + 6 * MINUTE, 30),
            [hour, 2 * hour, 3 * hour]
        );
        assert_eq!(
            hourly.missing(hour, 900 * hour, 2),
            [898 * hour, 899 * hour]
        );
        for expression in ["0 * * * *", "*/7 2 * * *", "30 4 1 * *", "@yearly"] {
            let cron = Cron::parse(expression, TimeZone::UTC).unwrap();
            let first = cron.next_after(0).unwrap();
            let rules = rules(Schedule::Cron(Arc::new(cron)));
            for now in [first, first + 5 * MINUTE, 40 * 24 * hour, 90_000 * hour] {
                let due = rules.missing(first, now, 30);
                let count = rules.misses(first, now);
                assert_eq!(due.len() as u32, count.min(30), "{expression} at {now}");
                assert!(due.is_sorted() && due.iter().all(|at| at + rules.grace <= now));
                if let Some(last) = due.last() {
                    assert!(rules.next_after(*last) + rules.grace > now);
                }
            }
        }
    }
}
