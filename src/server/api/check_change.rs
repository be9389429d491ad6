//! What a `PUT` of a check makes of it: the fields given, the others as they are. Pure.
//!
//! Clients also send a whole check back in which they changed one field. So where one value has
//! two names, the one that says something new counts.

use super::ApiError;
use super::body::Nulls;
use crate::schedule::crontab;
use crate::wire::{Check, CheckChange, NewCheck, ScheduleType};

/// The check `old` with `change`, still to be held against the limits. `kept` is the period that
/// it goes back to without a cron expression.
///
/// # Errors
/// Where the change contradicts itself.
pub(super) fn merge(
    change: CheckChange,
    nulls: &Nulls,
    old: Check,
    kept: Option<u64>,
) -> Result<NewCheck, ApiError> {
    // An empty cron expression switches to the period, and so does saying so; `null` is as empty.
    let asked_cron = nulls.or_empty("cron_expression", change.cron_expression);
    let is_new =
        |cron: &String| !cron.trim().is_empty() && Some(cron) != old.cron_expression.as_ref();
    let comes_back = asked_cron.is_some() && asked_cron == old.cron_expression;
    let simple = change.schedule_type == Some(ScheduleType::Simple);
    let cron = match asked_cron {
        Some(cron) if simple && is_new(&cron) && old.schedule_type == ScheduleType::Simple => {
            Some(cron)
        }
        Some(cron) if simple && is_new(&cron) => {
            return Err(ApiError::field(
                "schedule_type",
                "It can't be simple with a cron_expression; leave one of them out",
            ));
        }
        _ if simple => None,
        None => old.cron_expression,
        given => given,
    };
    // A new expression may bring a zone of its own.
    let names_zone = cron
        .as_ref()
        .is_some_and(|cron| crontab::read(cron).is_ok_and(|line| line.zone.is_some()));
    let (missing_after_seconds, grace_seconds) = newer(
        change.missing_after_seconds,
        change.grace_seconds,
        old.grace_seconds,
    );

    let (alert_after_miss_pings, missed_before_alert) = newer(
        change.alert_after_miss_pings,
        change.missed_before_alert,
        old.alert_after_miss_pings,
    );
    let (alert_after_fail_pings, alert_after_failures) = newer(
        change.alert_after_fail_pings,
        change.alert_after_failures,
        old.alert_after_fail_pings,
    );
    // Of a cron expression the shortest gap is shown as its period, and comes back with the rest.
    let stays_cron = cron.as_ref().is_some_and(|cron| !cron.trim().is_empty());
    let is_shown = old.schedule_type == ScheduleType::Cron
        && change.period_seconds == old.period_seconds
        && (stays_cron || comes_back);
    let period = change.period_seconds.filter(|_| !is_shown).or(kept);
    let period = period.or(change.period_seconds.filter(|_| !stays_cron));
    // A whole check that was simple and got a cron expression still says so.
    let schedule_type = change.schedule_type.filter(|_| !(simple && cron.is_some()));
    Ok(NewCheck {
        project_id: change.project_id.unwrap_or(old.project_id),
        name: change.name.unwrap_or(old.name),
        slug: change.slug.unwrap_or(old.slug),
        description: nulls
            .or_empty("description", change.description)
            .or(old.description),
        tags: change.tags.unwrap_or(old.tags),
        schedule_type,
        period_seconds: period,
        cron_expression: cron,
        timezone: nulls
            .or_empty("timezone", change.timezone)
            .or(old.timezone.filter(|_| !names_zone)),
        missing_after_seconds,
        grace_seconds,
        max_runtime_seconds: change.max_runtime_seconds.or_else(|| {
            old.max_runtime_seconds
                .filter(|_| !nulls.contain("max_runtime_seconds"))
        }),
        alert_after_miss_pings,
        missed_before_alert,
        alert_after_fail_pings,
        alert_after_failures,
        public_id: None,
        paused: change.paused,
    })
}

/// One value under its two names, of which only the one that counts is left, so that a refusal
/// names it: the first, but where it says what is there already and the second does not.
fn newer<T: PartialEq>(first: Option<T>, second: Option<T>, old: T) -> (Option<T>, Option<T>) {
    match (first, second) {
        (Some(first), Some(second)) if first == old => (None, Some(second)),
        (Some(first), _) => (Some(first), None),
        (None, second) => (None, Some(second.unwrap_or(old))),
    }
}
