//! Schedules as the tables have them, turned into those of the engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;

use super::super::engine::{Millis, Schedule};
use crate::schedule::cron::{BadCron, Cron};
use crate::schedule::zone;

/// For how many expressions the shortest gap is kept.
const GAPS_MAX: usize = 10_000;

/// The shortest gaps that were found: a walk through five years, and asked for with each check
/// that is shown.
static GAPS: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

/// The shortest time between two occurrences of a cron expression, seconds, but for days on which
/// a clock is set.
pub(super) fn shortest_gap(expression: &str, now: Millis) -> u64 {
    let mut gaps = GAPS.lock().unwrap_or_else(PoisonError::into_inner);
    let gaps = gaps.get_or_insert_default();
    if let Some(known) = gaps.get(expression) {
        return *known;
    }
    // What the table has was read before it was put there.
    let found = Cron::parse(expression, TimeZone::UTC).map_or(0, |cron| cron.shortest_gap(now));
    if gaps.len() >= GAPS_MAX {
        gaps.clear();
    }
    gaps.insert(expression.to_owned(), found);
    found
}

/// Cron expressions that were read already: many checks share a few, and reading one takes
/// longer than anything else about a check.
#[derive(Default)]
pub(super) struct Schedules(HashMap<(String, String), Arc<Cron>>);

impl Schedules {
    /// The schedule of a check: its cron expression in its own time zone, else in the
    /// organization's, else in UTC; its period, seconds, where it has no cron expression.
    ///
    /// # Errors
    /// [`BadCron`] where the expression is none.
    pub fn get(
        &mut self,
        period: i64,
        cron: Option<&str>,
        own_zone: Option<&str>,
        org_zone: &str,
    ) -> Result<Schedule, BadCron> {
        let Some(expression) = cron else {
            return Ok(Schedule::Period(period.saturating_mul(1000).max(1000)));
        };
        let name = own_zone.unwrap_or(org_zone);
        let key = (expression.to_owned(), name.to_owned());
        if let Some(known) = self.0.get(&key) {
            return Ok(Schedule::Cron(Arc::clone(known)));
        }
        let zone = zone::named(name).map_or(TimeZone::UTC, |(_, zone)| zone);
        let cron = Arc::new(Cron::parse(expression, zone)?);
        self.0.insert(key, Arc::clone(&cron));
        Ok(Schedule::Cron(cron))
    }
}
