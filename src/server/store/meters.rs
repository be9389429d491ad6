//! What the store counts about itself, for whoever wants to look.

use std::sync::atomic::{AtomicI64, Ordering};

use super::super::histogram::{Histogram, SECONDS, SIZES};
use crate::wire::Status;

const STATUSES: [Status; 6] = [
    Status::New,
    Status::Up,
    Status::Late,
    Status::Down,
    Status::Overrunning,
    Status::Paused,
];

/// Numbers of the store since its start.
pub struct Meters {
    /// Seconds from the begin of a write transaction until it is on disk.
    pub commits: Histogram,
    /// Writes that shared a transaction.
    pub batches: Histogram,
    /// Seconds from a check's deadline until what follows from it is on disk.
    pub lag: Histogram,
    checks: [AtomicI64; STATUSES.len()],
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            commits: Histogram::new(SECONDS),
            batches: Histogram::new(SIZES),
            lag: Histogram::new(SECONDS),
            checks: Default::default(),
        }
    }
}

impl Meters {
    /// How many checks have each status.
    pub fn checks(&self) -> impl Iterator<Item = (Status, i64)> {
        STATUSES
            .into_iter()
            .zip(&self.checks)
            .map(|(status, count)| (status, count.load(Ordering::Relaxed)))
    }

    /// A check's status has changed; none where there is no check before or after.
    pub(super) fn status_changed(&self, before: Option<Status>, after: Option<Status>) {
        for (status, by) in [(before, -1), (after, 1)] {
            let place = STATUSES.iter().position(|known| Some(*known) == status);
            if let Some(place) = place {
                self.checks[place].fetch_add(by, Ordering::Relaxed);
            }
        }
    }
}
