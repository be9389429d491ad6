//! `pakyas check create`: everything typed is checked before anything is asked or sent.

use super::{Context, name, number, usage};
use crate::client::args::CheckCreate;
use crate::client::delivery::not_a_slug;
use crate::client::error::Error;
use crate::client::lookup;
use crate::client::render::{self, clean};
use crate::client::settings::Selection;
use crate::schedule::{MAX_SECONDS, MIN_PERIOD_SECONDS, format_duration, parse_duration};
use crate::wire::check::{THRESHOLD_MAX, default_grace_seconds, is_slug, slug_from_name};
use crate::wire::{Check, NewCheck};

/// What was typed, settled.
struct Wanted {
    name: String,
    slug: String,
    period: u64,
    grace: u64,
    grace_is_ours: bool,
    description: Option<String>,
    tags: Vec<String>,
    max_runtime: Option<u64>,
    misses: Option<u32>,
    failures: Option<u32>,
}

pub fn run(context: &Context, typed: CheckCreate) -> Result<(), Error> {
    let wanted = settle(typed)?;
    let selection = context.settings.project()?;
    if selection == Selection::None {
        context.settings.key()?;
        return Err(lookup::no_project());
    }
    let api = context.api()?;
    let new = NewCheck {
        project_id: lookup::selected(&api, &selection)?,
        name: wanted.name,
        slug: wanted.slug,
        period_seconds: Some(wanted.period),
        grace_seconds: Some(wanted.grace),
        description: wanted.description,
        tags: wanted.tags,
        max_runtime_seconds: wanted.max_runtime,
        alert_after_miss_pings: wanted.misses,
        alert_after_fail_pings: wanted.failures,
        ..NewCheck::default()
    };
    let check: Check = api.post("/checks", &new)?;
    api.remember(|account| account.learn_one(&check));
    if context.globals().quiet && context.format == render::Format::Table {
        return render::print(format!("{}\n", clean(&check.ping_url)).as_bytes());
    }
    render::one(context.format, &check, || {
        card(&check, wanted.grace_is_ours)
    })
}

fn settle(typed: CheckCreate) -> Result<Wanted, Error> {
    let slug = match (typed.positional_slug, typed.slug) {
        (Some(one), Some(other)) if one != other => {
            return Err(usage(format!(
                "Two slugs are given, '{}' and '{}'; leave one out",
                one.escape_debug(),
                other.escape_debug()
            )));
        }
        (one, other) => one.or(other),
    };
    let (name, slug) = match (typed.name, slug) {
        (Some(typed), Some(slug)) => (name("--name", &typed)?, slug),
        (None, Some(slug)) => (slug.clone(), slug),
        (Some(typed), None) => {
            let name = name("--name", &typed)?;
            let slug = slug_from_name(&name);
            if slug.is_empty() {
                return Err(usage(format!(
                    "No slug can be made of the name '{}'; give one with --slug (a-z, 0-9 and -)",
                    name.escape_debug()
                )));
            }
            (name, slug)
        }
        (None, None) => {
            return Err(usage(
                "'pakyas check create' needs a name or a slug: pakyas check create --name \"Daily Backup\" --period 1d",
            ));
        }
    };
    if !is_slug(&slug) {
        return Err(not_a_slug(&slug));
    }
    let Some(period) = typed.period else {
        return Err(usage(
            "'pakyas check create' needs --period: how often the job runs, as 3600, 5m, \"1h 30m\" or \"2 days\"",
        ));
    };
    let period = seconds("--period", &period, MIN_PERIOD_SECONDS)?;
    let typed_grace = typed.grace.as_deref();
    let grace = typed_grace
        .map(|text| seconds("--grace", text, 0))
        .transpose()?;
    Ok(Wanted {
        name,
        slug,
        period,
        grace: grace.unwrap_or_else(|| default_grace_seconds(period)),
        grace_is_ours: grace.is_none(),
        description: typed.description.filter(|text| !text.is_empty()),
        tags: typed.tags.as_deref().map(tags).unwrap_or_default(),
        max_runtime: typed
            .max_runtime
            .map(|text| seconds("--max-runtime", &text, 1))
            .transpose()?,
        misses: threshold(
            "--alert-after-miss-pings",
            typed.alert_after_miss_pings.as_deref(),
        )?,
        failures: threshold(
            "--alert-after-fail-pings",
            typed.alert_after_fail_pings.as_deref(),
        )?,
    })
}

/// Tags as typed: separated by commas, without white space around them.
pub(super) fn tags(text: &str) -> Vec<String> {
    let tags = text.split(',').map(str::trim);
    tags.filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

/// How many in a row before an alert, as typed after `flag`.
pub(super) fn threshold(flag: &str, text: Option<&str>) -> Result<Option<u32>, Error> {
    let Some(text) = text else {
        return Ok(None);
    };
    let count = number(flag, text, 1, u64::from(THRESHOLD_MAX))?;
    Ok(u32::try_from(count).ok())
}

pub(super) fn seconds(flag: &str, text: &str, least: u64) -> Result<u64, Error> {
    let seconds = parse_duration(text).map_err(|bad| usage(format!("{flag}: {bad}")))?;
    if (least..=MAX_SECONDS).contains(&seconds) {
        return Ok(seconds);
    }
    Err(usage(format!(
        "{flag}: {} is out of range; it may be from {} to {} (366 days)",
        text.escape_debug(),
        format_duration(least),
        format_duration(MAX_SECONDS)
    )))
}

/// What a person needs next.
fn card(check: &Check, grace_is_ours: bool) -> String {
    let period = check.period_seconds.unwrap_or_default();
    let auto = if grace_is_ours { " (auto)" } else { "" };
    format!(
        "Created the check '{}' in the project '{}'\n\
         \n\
         Slug       {}\n\
         Period     {}\n\
         Grace      {}{auto}\n\
         Public id  {}\n\
         Ping URL   {}\n\
         \n\
         {}\n",
        clean(&check.name),
        clean(&check.project_name),
        clean(&check.slug),
        format_duration(period),
        format_duration(check.grace_seconds),
        check.public_id,
        clean(&check.ping_url),
        next_step(period, &clean(&check.slug)),
    )
}

/// The line with which the job is watched: for the crontab, where cron can start it that often.
fn next_step(period: u64, slug: &str) -> String {
    match cron_times(period) {
        Some(times) => format!("In the crontab:\n{times} pakyas monitor {slug} -- COMMAND"),
        None => format!("Where the job is started:\npakyas monitor {slug} -- COMMAND"),
    }
}

/// The five fields with which cron starts a job that often, where it can.
fn cron_times(period: u64) -> Option<String> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 3_600;
    const DAY: u64 = 86_400;
    Some(match period {
        MINUTE => "* * * * *".to_owned(),
        HOUR => "0 * * * *".to_owned(),
        DAY => "0 2 * * *".to_owned(),
        604_800 => "0 2 * * 1".to_owned(),
        _ if period < HOUR && period.is_multiple_of(MINUTE) && HOUR.is_multiple_of(period) => {
            format!("*/{} * * * *", period / MINUTE)
        }
        _ if period < DAY && period.is_multiple_of(HOUR) && DAY.is_multiple_of(period) => {
            format!("0 */{} * * *", period / HOUR)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(name: Option<&str>, slug: Option<&str>, period: &str) -> CheckCreate {
        CheckCreate {
            positional_slug: None,
            name: name.map(str::to_owned),
            slug: slug.map(str::to_owned),
            period: Some(period.to_owned()),
            grace: None,
            ..CheckCreate::default()
        }
    }

    #[test]
    fn name_and_slug_stand_in_for_each_other() {
        let wanted =
            settle(typed(Some("Daily Backup"), None, "1d")).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(wanted.slug, "daily-backup");
        let wanted = settle(typed(None, Some("db-backup"), "1d")).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(wanted.name, "db-backup");
        assert_eq!((wanted.grace, wanted.grace_is_ours), (3_600, true));
    }

    #[test]
    fn cron_lines_are_offered_where_cron_can_keep_the_period() {
        for (period, line) in [
            (60, Some("* * * * *")),
            (300, Some("*/5 * * * *")),
            (3_600, Some("0 * * * *")),
            (21_600, Some("0 */6 * * *")),
            (86_400, Some("0 2 * * *")),
            (604_800, Some("0 2 * * 1")),
            (5, None),
            (420, None),
            (90, None),
        ] {
            assert_eq!(cron_times(period).as_deref(), line, "{period}");
        }
    }
}
