//! Schedules as the tables have them, turned into those of the engine.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::engine::Schedule;
use crate::schedule::cron::{BadCron, Cron};
use crate::schedule::zone;

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
