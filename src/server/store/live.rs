//! The checks in the writer's memory, and changes to them that are not on disk yet.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::engine::{Absence, Millis, Rules, State, next_deadline_after};
use super::super::scheduler::Deadlines;
use super::Meters;

/// What the writer knows of a check without asking the disk.
#[derive(Debug, Clone)]
pub(super) struct LiveCheck {
    pub public_id: Uuid,
    pub rules: Rules,
    pub state: State,
}

/// Changes by row; `None` is a check that was deleted.
type Changes = HashMap<i64, Option<LiveCheck>>;

/// What a batch has changed for those who take pings.
#[derive(Default)]
pub(super) struct Published {
    /// Public ids and rows of what is there.
    pub there: Vec<(Uuid, i64)>,
    /// Public ids of what is gone.
    pub gone: Vec<Uuid>,
}

/// All checks. A change is first one of a job's, then one of the batch's that the job is in,
/// and counts for everyone once that batch is on disk.
#[derive(Default)]
pub(super) struct Live {
    committed: HashMap<i64, LiveCheck>,
    batch: Changes,
    job: Changes,
    pub deadlines: Deadlines,
    /// When the store was away last.
    pub absence: Absence,
    /// How many pings a check has taken since it was last [`Live::take_crowded`].
    taken: HashMap<i64, u32>,
    /// How many of them make a crowd; none where nobody counts.
    pub crowd: Option<u32>,
    crowded: Vec<i64>,
}

impl Live {
    pub fn get(&self, row: i64) -> Option<&LiveCheck> {
        match self.job.get(&row).or_else(|| self.batch.get(&row)) {
            Some(changed) => changed.as_ref(),
            None => self.committed.get(&row),
        }
    }

    pub fn set(&mut self, row: i64, check: LiveCheck) {
        self.job.insert(row, Some(check));
    }

    pub fn remove(&mut self, row: i64) {
        self.job.insert(row, None);
    }

    /// A ping came; one too many counted, because its batch was lost, does no harm.
    pub fn count_ping(&mut self, row: i64) {
        let Some(crowd) = self.crowd else {
            return;
        };
        let taken = self.taken.entry(row).or_default();
        *taken += 1;
        if *taken >= crowd {
            *taken = 0;
            self.crowded.push(row);
        }
    }

    /// The checks that have taken many pings since this was last asked.
    pub fn take_crowded(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.crowded)
    }

    /// The job is done: keep its changes with the batch, or forget them.
    pub fn end_job(&mut self, keep: bool) {
        let changes = std::mem::take(&mut self.job);
        if keep {
            self.batch.extend(changes);
        }
    }

    /// The batch is on disk.
    pub fn commit(&mut self, meters: &Meters) -> Published {
        let mut published = Published::default();
        for (row, check) in std::mem::take(&mut self.batch) {
            meters.status_changed(
                self.committed.get(&row).map(|check| check.state.status),
                check.as_ref().map(|check| check.state.status),
            );
            match check {
                Some(check) => {
                    let at = next_deadline_after(&self.absence, &check.rules, &check.state);
                    self.deadlines.set(row, at);
                    published.there.push((check.public_id, row));
                    self.committed.insert(row, check);
                }
                None => {
                    self.deadlines.set(row, None);
                    self.taken.remove(&row);
                    let gone = self.committed.remove(&row);
                    published.gone.extend(gone.map(|check| check.public_id));
                }
            }
        }
        published
    }

    /// The checks that have seen something later than `now`.
    pub fn ahead_of(&self, now: Millis) -> Vec<i64> {
        let ahead = |check: &LiveCheck| check.state.seen() > now;
        let rows = self.committed.iter().filter(|(_, check)| ahead(check));
        rows.map(|(&row, _)| row).collect()
    }

    /// The batch was lost, and with it what had changed.
    pub fn roll_back(&mut self) {
        self.batch.clear();
        self.job.clear();
    }

    /// The deadline of a check as it is committed.
    pub fn deadline(&self, row: i64) -> Option<Millis> {
        let check = self.committed.get(&row)?;
        next_deadline_after(&self.absence, &check.rules, &check.state)
    }

    /// Sets all deadlines anew, since the store was away.
    pub fn restore_deadlines(&mut self) {
        let rows: Vec<i64> = self.committed.keys().copied().collect();
        for row in rows {
            self.restore_deadline(row);
        }
    }

    /// Sets the deadline of a check anew from what is committed.
    pub fn restore_deadline(&mut self, row: i64) {
        self.deadlines.set(row, self.deadline(row));
    }
}
