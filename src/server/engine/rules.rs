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
}
