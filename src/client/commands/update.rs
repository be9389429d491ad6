//! `pakyas check update|pause|resume|delete`: checks that are there already.

use serde_json::json;

use super::create::{tags, threshold};
use super::plan::{self, Plan, seconds};
use super::{Context, confirm, name, usage};
use crate::client::api::Api;
use crate::client::args::{CheckDelete, CheckUpdate};
use crate::client::delivery::not_a_slug;
use crate::client::error::Error;
use crate::client::lookup;
use crate::client::render::{self, clean};
use crate::wire::check::{DESCRIPTION_MAX, is_slug};
use crate::wire::{Check, CheckChange, ScheduleType};

pub fn update(context: &Context, typed: CheckUpdate) -> Result<(), Error> {
    let wanted = typed.check.clone();
    let (mut change, hint) = settle(typed)?;
    if let Some(hint) = &hint {
        context.talk.note(hint);
    }
    if change == CheckChange::default() {
        return Err(usage(
            "'pakyas check update' needs something to change, as --grace 30m; see pakyas check update --help",
        ));
    }
    let (api, check) = find(context, &wanted)?;
    if change.period_seconds.is_some() && check.schedule_type == ScheduleType::Cron {
        // As API.md has it, this is what makes the period count.
        change.cron_expression = Some(String::new());
    }
    let is_cron = check.schedule_type == ScheduleType::Cron || change.cron_expression.is_some();
    if change
        .timezone
        .as_ref()
        .is_some_and(|zone| !zone.is_empty())
        && !is_cron
    {
        return Err(usage(plan::ZONE_WITHOUT_CRON));
    }
    let after: Check = api.put(&format!("/checks/{}", check.id), &change)?;
    api.remember(|account| account.learn_one(&after));
    context
        .talk
        .note(&format!("Changed the check '{}'", clean(&after.slug)));
    render::one(context.format, &after, String::new)
}

/// What is to change, and what else is to be said.
fn settle(typed: CheckUpdate) -> Result<(CheckChange, Option<String>), Error> {
    let schedule = plan::settle(plan::Typed {
        period: typed.period,
        every: typed.every,
        cron: typed.cron,
        tz: typed.tz,
        grace: typed.grace,
        missing_after: typed.missing_after,
    })?;
    let (period_seconds, cron_expression) = match schedule.plan {
        Some(Plan::Every(seconds)) => (Some(seconds), None),
        Some(Plan::Cron(expression)) => (None, Some(expression)),
        None => (None, None),
    };
    if let Some(slug) = typed.slug.as_ref().filter(|slug| !is_slug(slug)) {
        return Err(not_a_slug(slug));
    }
    let too_long = |text: &&String| text.chars().count() > DESCRIPTION_MAX;
    if typed.description.as_ref().filter(too_long).is_some() {
        return Err(usage(format!(
            "--description may have up to {DESCRIPTION_MAX} characters"
        )));
    }
    let change = CheckChange {
        name: typed.name.map(|text| name("--name", &text)).transpose()?,
        slug: typed.slug,
        description: typed.description,
        tags: typed.tags.as_deref().map(tags),
        period_seconds,
        cron_expression,
        timezone: schedule.timezone,
        grace_seconds: schedule.grace,
        max_runtime_seconds: typed
            .max_runtime
            .map(|text| seconds("--max-runtime", &text, 1))
            .transpose()?,
        alert_after_miss_pings: threshold(
            "--alert-after-miss-pings",
            typed.alert_after_miss_pings.as_deref(),
        )?,
        alert_after_fail_pings: threshold(
            "--alert-after-fail-pings",
            typed.alert_after_fail_pings.as_deref(),
        )?,
        ..CheckChange::default()
    };
    Ok((change, schedule.hint))
}

pub fn pause(context: &Context, wanted: &str, paused: bool) -> Result<(), Error> {
    let (api, check) = find(context, wanted)?;
    let (verb, told) = if paused {
        ("pause", "Paused")
    } else {
        ("resume", "Resumed")
    };
    api.act("PATCH", &format!("/checks/{}/{verb}", check.id))?;
    context
        .talk
        .note(&format!("{told} the check '{}'", clean(&check.slug)));
    let result = json!({ "id": check.id, "slug": check.slug, "paused": paused });
    render::one(context.format, &result, String::new)
}

pub fn delete(context: &Context, typed: &CheckDelete) -> Result<(), Error> {
    let (api, check) = find(context, &typed.check)?;
    let slug = clean(&check.slug);
    confirm(
        &format!("Delete the check '{slug}' and its history?"),
        typed.yes,
    )?;
    api.act("DELETE", &format!("/checks/{}", check.id))?;
    api.remember(|account| account.forget(check.public_id));
    context.talk.note(&format!("Deleted the check '{slug}'"));
    let result = json!({ "id": check.id, "slug": check.slug, "deleted": true });
    render::one(context.format, &result, String::new)
}

fn find<'a>(context: &'a Context, wanted: &str) -> Result<(Api<'a>, Check), Error> {
    let api = context.api()?;
    let check = lookup::check_or_id(&api, &context.settings.project()?, wanted)?;
    Ok((api, check))
}
