//! `pakyas check create`: everything typed is checked before anything is asked or sent.

use std::path::Path;

use super::ask::ask;
use super::plan::{self, Plan, seconds};
use super::{Context, name, number, usage};
use crate::client::api::Api;
use crate::client::args::CheckCreate;
use crate::client::delivery::not_a_slug;
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{self, clean};
use crate::client::settings::Selection;
use crate::schedule::{cron_times, crontab, format_duration, parse_duration};
use crate::wire::check::{
    DESCRIPTION_MAX, THRESHOLD_MAX, default_grace_seconds, is_slug, slug_from_name,
};
use crate::wire::{Check, NewCheck};

/// What was typed, settled.
#[derive(Debug)]
struct Wanted {
    name: String,
    slug: String,
    plan: Plan,
    timezone: Option<String>,
    hint: Option<String>,
    /// Where not given, the server chooses.
    grace: Option<u64>,
    grace_is_automatic: bool,
    description: Option<String>,
    tags: Vec<String>,
    max_runtime: Option<u64>,
    misses: Option<u32>,
    failures: Option<u32>,
}

pub fn run(context: &Context, typed: CheckCreate) -> Result<(), Error> {
    let dry_run = typed.dry_run;
    let typed = if typed.interactive {
        complete(typed)?
    } else {
        typed
    };
    let wanted = settle(typed)?;
    if let Some(hint) = &wanted.hint {
        context.talk.note(hint);
    }
    let selection = context.settings.project()?;
    if selection == Selection::None {
        context.settings.key()?;
        return Err(lookup::no_project());
    }
    let api = context.api()?;
    let grace_is_automatic = wanted.grace_is_automatic;
    let new = wanted.into_new(lookup::selected(&api, &selection)?);
    if dry_run {
        return rehearse(context, &api, &new, grace_is_automatic);
    }
    let check: Check = api
        .post("/checks", &new)
        .map_err(|error| match error.kind() {
            Kind::Refused => error.and(&format!(" ({})", lookup::place(&api, &selection).trim())),
            _ => error,
        })?;
    api.remember(|account| account.learn_one(&check));
    if context.globals().quiet && context.format == render::Format::Table {
        return render::print(format!("{}\n", clean(&check.ping_url)).as_bytes());
    }
    render::one(context.format, &check, || card(&check, grace_is_automatic))
}

/// Shows what would be created, and finds out what would stand in its way.
fn rehearse(
    context: &Context,
    api: &Api<'_>,
    new: &NewCheck,
    grace_is_automatic: bool,
) -> Result<(), Error> {
    let projects = api.projects()?;
    let Some(project) = projects.iter().find(|p| p.id == new.project_id) else {
        return Err(lookup::no_project());
    };
    let checks = api.checks(Some(new.project_id))?;
    if checks.iter().any(|check| check.slug == new.slug) {
        return Err(Error::new(
            Kind::Refused,
            format!(
                "The project '{}' has a check '{}' already; choose another slug, or change it: pakyas check update {}",
                clean(&project.name),
                new.slug,
                new.slug
            ),
        ));
    }
    let unasked = match &new.cron_expression {
        Some(_) => ", and the server has not been asked whether it takes the schedule",
        None => "",
    };
    context.talk.note(&format!(
        "This is what would be created; nothing was sent{unasked}"
    ));
    let new = &NewCheck {
        // As every server that speaks API.md chooses it.
        grace_seconds: new
            .grace_seconds
            .or(new.period_seconds.map(default_grace_seconds)),
        ..new.clone()
    };
    render::one(context.format, new, || {
        let mut lines = vec![
            ("Name", clean(&new.name)),
            ("Slug", new.slug.clone()),
            ("Project", clean(&project.name)),
        ];
        lines.extend(schedule(
            new.cron_expression.as_deref(),
            new.period_seconds,
            new.timezone.as_deref(),
        ));
        lines.push(("Grace", grace(new.grace_seconds, grace_is_automatic)));
        if let Some(limit) = new.max_runtime_seconds {
            lines.push(("Max runtime", format_duration(limit)));
        }
        if let Some(text) = &new.description {
            lines.push(("Description", clean(text)));
        }
        if !new.tags.is_empty() {
            lines.push(("Tags", clean(&new.tags.join(", "))));
        }
        let thresholds = [
            ("misses", new.alert_after_miss_pings),
            ("failures", new.alert_after_fail_pings),
        ];
        for (what, count) in thresholds {
            if let Some(count) = count {
                lines.push(("Alert after", format!("{count} {what} in a row")));
            }
        }
        table(&lines)
    })
}

impl Wanted {
    fn into_new(self, project_id: uuid::Uuid) -> NewCheck {
        let (period_seconds, cron_expression) = match self.plan {
            Plan::Every(seconds) => (Some(seconds), None),
            Plan::Cron(expression) => (None, Some(expression)),
        };
        NewCheck {
            project_id,
            name: self.name,
            slug: self.slug,
            period_seconds,
            cron_expression,
            timezone: self.timezone,
            grace_seconds: self.grace,
            description: self.description,
            tags: self.tags,
            max_runtime_seconds: self.max_runtime,
            alert_after_miss_pings: self.misses,
            alert_after_fail_pings: self.failures,
            ..NewCheck::default()
        }
    }
}

/// Asks for what is not given and can't be done without, and for the grace.
fn complete(mut typed: CheckCreate) -> Result<CheckCreate, Error> {
    let slug = typed.positional_slug.take().or(typed.slug.take());
    if typed.name.is_none() {
        let asked = ask("Name, for people", slug.as_deref(), |text| {
            name("The name", text)
        })?;
        typed.name = Some(asked);
    }
    typed.slug = match slug {
        Some(slug) => Some(slug),
        None => {
            let suggested = slug_from_name(typed.name.as_deref().unwrap_or_default());
            let asked = ask("Slug, for commands", Some(&suggested), |text| {
                if is_slug(text) {
                    Ok(text.to_owned())
                } else {
                    Err(not_a_slug(text))
                }
            })?;
            Some(asked)
        }
    };
    if typed.period.is_none() && typed.every.is_none() && typed.cron.is_none() {
        let question = "How often it runs (5m, 1h, 1 day), or when (0 2 * * *, @daily)";
        let (period, cron) = ask(question, None, |text| {
            let (period, cron) = if parse_duration(text).is_ok() {
                (Some(text.to_owned()), None)
            } else {
                (None, Some(text.to_owned()))
            };
            plan::settle(plan::Typed {
                period: period.clone(),
                cron: cron.clone(),
                ..plan::Typed::default()
            })?;
            Ok((period, cron))
        })?;
        (typed.period, typed.cron) = (period, cron);
    }
    let has_zone = |text: &str| crontab::read(text).is_ok_and(|line| line.zone.is_some());
    let needs_zone = typed.cron.as_deref().is_some_and(|text| !has_zone(text));
    if needs_zone && typed.tz.is_none() {
        typed.tz = ask("Time zone (Asia/Manila)", Some(OWN_ZONE), |text| {
            if text == OWN_ZONE {
                return Ok(None);
            }
            plan::zone(text).map(Some)
        })?;
    }
    if typed.grace.is_none() && typed.missing_after.is_none() {
        let grace = ask("How late it may be", Some(AUTO), |text| {
            if text != AUTO {
                seconds("The grace", text, 0)?;
            }
            Ok(text.to_owned())
        })?;
        typed.grace = Some(grace).filter(|text| text != AUTO);
    }
    Ok(typed)
}

/// The answer that leaves the grace to us.
const AUTO: &str = "auto";

/// The answer that leaves the time zone to the server.
const OWN_ZONE: &str = "the organization's";

fn settle(typed: CheckCreate) -> Result<Wanted, Error> {
    let loose = typed.name.is_some() && typed.positional_slug.is_some();
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
        let error = not_a_slug(&slug);
        return Err(match loose {
            true => error.and("; if it belongs to the name, put that in quotes: --name \"My Job\""),
            false => error,
        });
    }
    let schedule = plan::settle(plan::Typed {
        period: typed.period,
        every: typed.every,
        cron: typed.cron,
        tz: typed.tz,
        grace: typed.grace,
        missing_after: typed.missing_after,
    })?;
    let Some(plan) = schedule.plan else {
        return Err(usage(
            "'pakyas check create' needs --period: how often the job runs, as 3600, 5m, \"1h 30m\" or \"2 days\"; or --cron \"0 2 * * *\"",
        ));
    };
    let description = typed.description.filter(|text| !text.is_empty());
    if description
        .as_ref()
        .is_some_and(|text| text.chars().count() > DESCRIPTION_MAX)
    {
        return Err(usage(format!(
            "--description may have up to {DESCRIPTION_MAX} characters"
        )));
    }
    Ok(Wanted {
        name,
        slug,
        plan,
        timezone: schedule.timezone,
        hint: schedule.hint,
        grace: schedule.grace,
        grace_is_automatic: schedule.grace.is_none(),
        description,
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

/// What a person needs next.
fn card(check: &Check, grace_is_automatic: bool) -> String {
    let mut lines = vec![("Slug", clean(&check.slug))];
    lines.extend(schedule(
        check.cron_expression.as_deref(),
        check.period_seconds,
        check.timezone.as_deref(),
    ));
    lines.extend([
        (
            "Grace",
            grace(Some(check.grace_seconds), grace_is_automatic),
        ),
        ("Public id", check.public_id.to_string()),
        ("Ping URL", clean(&check.ping_url)),
    ]);
    format!(
        "Created the check '{}' in the project '{}'\n\n{}\n{}\n",
        clean(&check.name),
        clean(&check.project_name),
        table(&lines),
        next_step(check),
    )
}

fn table(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.len()).max();
    let width = width.unwrap_or_default() + 2;
    lines
        .iter()
        .map(|(label, value)| format!("{label:<width$}{value}\n"))
        .collect()
}

/// When it is expected, as one or two lines of a card.
fn schedule(
    cron: Option<&str>,
    period: Option<u64>,
    timezone: Option<&str>,
) -> Vec<(&'static str, String)> {
    match cron.filter(|text| !text.is_empty()) {
        Some(cron) => [Some(("Cron", clean(cron)))]
            .into_iter()
            .chain([timezone.map(|zone| ("Time zone", clean(zone)))])
            .flatten()
            .collect(),
        None => vec![("Period", format_duration(period.unwrap_or_default()))],
    }
}

fn grace(seconds: Option<u64>, is_ours: bool) -> String {
    match seconds {
        Some(seconds) if is_ours => format!("{} (auto)", format_duration(seconds)),
        Some(seconds) => format_duration(seconds),
        None => "chosen by the server (auto)".to_owned(),
    }
}

/// The line with which the job is watched: for the crontab, where cron can start it then.
fn next_step(check: &Check) -> String {
    let slug = clean(&check.slug);
    let cron = check.cron_expression.as_deref();
    let (times, zone) = match cron.filter(|text| !text.is_empty()) {
        Some(expression) => {
            let zone = check.timezone.as_deref().unwrap_or(OWN_ZONE);
            let times = Some(expression).filter(|text| is_for_crontabs(text));
            (times.map(clean), format!(" (time zone: {})", clean(zone)))
        }
        None => (
            cron_times(check.period_seconds.unwrap_or_default()),
            String::new(),
        ),
    };
    match times {
        Some(times) => format!(
            "In the crontab{zone}:\n{times} {} monitor {slug} -- COMMAND",
            for_cron(std::env::current_exe().ok().as_deref())
        ),
        None => format!("Where the job is started:\npakyas monitor {slug} -- COMMAND"),
    }
}

/// What a crontab calls this program: cron daemons look for it in /usr/bin and /bin, and where it
/// is not found the job does not run. A path that would have to be quoted is left to people.
fn for_cron(program: Option<&Path>) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    match program.and_then(Path::to_str) {
        Some("/usr/bin/pakyas" | "/bin/pakyas") | None => "pakyas",
        Some(path) if path.chars().all(plain) => path,
        Some(_) => "pakyas",
    }
}

/// Whether cron daemons know all of an expression: they have no `L`, `W`, `#` and `?`.
fn is_for_crontabs(expression: &str) -> bool {
    let text = expression.to_ascii_uppercase();
    let others = text.replace("JUL", "").replace("WED", "");
    text.starts_with('@') || !others.contains(['L', 'W', '#', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crontab_names_the_program_so_that_cron_finds_it() {
        for (program, name) in [
            (Some("/usr/local/bin/pakyas"), "/usr/local/bin/pakyas"),
            (Some("/usr/bin/pakyas"), "pakyas"),
            (Some("/home/me/my tools/pakyas"), "pakyas"),
            (None, "pakyas"),
        ] {
            assert_eq!(for_cron(program.map(Path::new)), name);
        }
    }

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
        assert_eq!((wanted.grace, wanted.grace_is_automatic), (None, true));
    }

    #[test]
    fn the_grace_of_a_cron_expression_is_left_to_the_server() {
        let wanted = settle(CheckCreate {
            positional_slug: Some("db-backup".to_owned()),
            cron: Some("0 2 * * *".to_owned()),
            ..CheckCreate::default()
        })
        .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((wanted.grace, wanted.grace_is_automatic), (None, true));
        assert_eq!(wanted.plan, Plan::Cron("0 2 * * *".to_owned()));
    }
}
