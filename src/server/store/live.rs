//! The checks in the writer's memory, and changes to them that are not on disk yet.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::engine::{Rules, State, next_deadline};
use super::super::scheduler::Deadlines;

/// What the writer knows of a check without asking the disk.
#[derive(Debug, Clone)]
pub(super) struct LiveCheck {
    pub public_id: Uuid,
    pub rules: Rules,
    pub state: State,
}

/// Changes by row.
type Changes = HashMap<i64, LiveCheck>;

/// All checks. A change is first one of a job's, then one of the batch's that the job is in,
/// and counts for everyone once that batch is on disk.
#[derive(Default)]
pub(super) struct Live {
    committed: Changes,
    batch: Changes,
    job: Changes,
    pub deadlines: Deadlines,
}

impl Live {
    pub fn get(&self, row: i64) -> Option<&LiveCheck> {
        self.job
            .get(&row)
            .or_else(|| self.batch.get(&row))
            .or_else(|| self.committed.get(&row))
    }

    pub fn set(&mut self, row: i64, check: LiveCheck) {
        self.job.insert(row, check);
    }

    /// The job is done: keep its changes with the batch, or forget them.
    pub fn end_job(&mut self, keep: bool) {
        let changes = std::mem::take(&mut self.job);
        if keep {
            self.batch.extend(changes);
        }
    }

    /// The batch is on disk. Gives the public ids and rows of what changed.
    pub fn commit(&mut self) -> Vec<(Uuid, i64)> {
        let changes = std::mem::take(&mut self.batch);
        let mut changed = Vec::with_capacity(changes.len());
        for (row, check) in changes {
            self.deadlines
                .set(row, next_deadline(&check.rules, &check.state));
            changed.push((check.public_id, row));
            self.committed.insert(row, check);
        }
        changed
    }

    /// The batch was lost, and with it what had changed.
    pub fn roll_back(&mut self) {
        self.batch.clear();
        self.job.clear();
    }

    /// Sets the deadline of a check anew from what is committed.
    pub fn restore_deadline(&mut self, row: i64) {
        let deadline = self
            .committed
            .get(&row)
            .and_then(|check| next_deadline(&check.rules, &check.state));
        self.deadlines.set(row, deadline);
    }
}
