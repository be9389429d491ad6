//! `pakyas check …`: list, show, sync. Creating, changing and the history have files of their own.

use jiff::Timestamp;

use super::{Context, create, doctor, inspect, logs, tail, update};
use crate::client::args::CheckCommand;
use crate::client::error::Error;
use crate::client::lookup;
use crate::client::render::{self, Table, clean, coloured, milliseconds, or_dash, relative, utc};
use crate::client::settings::Selection;
use crate::schedule::format_duration;
use crate::wire::Check;

pub fn run(context: &Context, command: CheckCommand) -> Result<i32, Error> {
    match command {
        CheckCommand::Create(typed) => create::run(context, typed),
        CheckCommand::List(_) => list(context),
        CheckCommand::Show(typed) => show(context, &typed.slug),
        CheckCommand::Logs(typed) => logs::run(context, &typed),
        CheckCommand::Update(typed) => update::update(context, typed),
        CheckCommand::Pause(typed) => update::pause(context, &typed.check, true),
        CheckCommand::Resume(typed) => update::pause(context, &typed.check, false),
        CheckCommand::Delete(typed) => update::delete(context, &typed),
        CheckCommand::Sync(_) => sync(context),
        CheckCommand::Inspect(typed) => inspect::run(context, &typed),
        CheckCommand::Doctor(typed) => return doctor::run(context, &typed),
        CheckCommand::Tail(typed) => tail::run(context, &typed),
    }?;
    Ok(0)
}

/// How often it is expected: the period, or the cron expression.
fn schedule(check: &Check) -> String {
    match (&check.cron_expression, check.period_seconds) {
        (Some(cron), _) if !cron.is_empty() => cron.clone(),
        (_, Some(period)) => format_duration(period),
        _ => "-".to_owned(),
    }
}

/// The checks of the project that is meant.
pub(super) fn checks(context: &Context) -> Result<Vec<Check>, Error> {
    let selection = context.settings.project()?;
    if selection == Selection::None {
        // Whoever is not logged in learns of that first.
        context.settings.key()?;
        return Err(lookup::no_project());
    }
    let api = context.api()?;
    let id = lookup::selected(&api, &selection)?;
    let name = match &selection {
        Selection::Id(_, name) => name.as_deref(),
        Selection::Named(name) => Some(name.as_str()),
        Selection::None => None,
    };
    lookup::checks_of(&api, id, name)
}

fn list(context: &Context) -> Result<(), Error> {
    let checks = checks(context)?;
    if checks.is_empty() {
        context.talk.note(
            "There are no checks in this project yet. Make one: pakyas check create --name NAME --period 1h",
        );
    }
    render::list(context.format, &checks, || {
        if checks.is_empty() {
            return String::new();
        }
        let now = Timestamp::now();
        let mut table = Table::new(
            &[
                "NAME",
                "SLUG",
                "STATUS",
                "PERIOD",
                "GRACE",
                "LAST PING",
                "EXPECTED",
            ],
            &[0],
        );
        for check in &checks {
            table.row([
                check.name.clone(),
                check.slug.clone(),
                check.status.as_str().to_owned(),
                schedule(check),
                format_duration(check.grace_seconds),
                or_dash(check.last_ping_at.map(|at| relative(at, now))),
                or_dash(check.next_ping_expected_at.map(|at| relative(at, now))),
            ]);
        }
        table.text(context.screen)
    })
}

fn show(context: &Context, text: &str) -> Result<(), Error> {
    let api = context.api()?;
    let check = lookup::check_or_id(&api, &context.settings.project()?, text)?;
    render::one(context.format, &check, || {
        card(&check, context.screen.colours)
    })
}

/// All of one check, a line for each thing.
fn card(check: &Check, colours: bool) -> String {
    let now = Timestamp::now();
    let at = |time: Option<Timestamp>| {
        or_dash(time.map(|t| format!("{} ({})", utc(t), relative(t, now))))
    };
    let mut status = check.status.as_str().to_owned();
    if colours {
        status = coloured(&status);
    }
    if check.running {
        status.push_str(", running");
    }
    let mut lines = vec![
        ("Name", clean(&check.name)),
        ("Slug", clean(&check.slug)),
        ("Status", status),
        ("Project", clean(&check.project_name)),
        ("Period", clean(&schedule(check))),
        ("Grace", format_duration(check.grace_seconds)),
    ];
    if let Some(zone) = &check.timezone {
        lines.push(("Time zone", clean(zone)));
    }
    if let Some(limit) = check.max_runtime_seconds {
        lines.push(("Max runtime", format_duration(limit)));
    }
    if let Some(text) = &check.description {
        lines.push(("Description", clean(text)));
    }
    if !check.tags.is_empty() {
        lines.push(("Tags", clean(&check.tags.join(", "))));
    }
    lines.extend([
        ("Last ping", at(check.last_ping_at)),
        ("Last start", at(check.last_start_at)),
        (
            "Last run took",
            or_dash(check.last_duration_ms.map(milliseconds)),
        ),
        ("Expected", at(check.next_ping_expected_at)),
        (
            "Misses in a row",
            format!(
                "{} (alert after {})",
                check.consecutive_missed_pings, check.alert_after_miss_pings
            ),
        ),
        (
            "Failures in a row",
            format!(
                "{} (alert after {})",
                check.consecutive_failures, check.alert_after_fail_pings
            ),
        ),
        ("Ping URL", clean(&check.ping_url)),
        ("Public id", check.public_id.to_string()),
        ("Id", check.id.to_string()),
        ("Created", utc(check.created_at)),
    ]);
    lines
        .iter()
        .map(|(name, value)| format!("{name:<19}{value}\n"))
        .collect()
}

fn sync(context: &Context) -> Result<(), Error> {
    let api = context.api()?;
    api.projects()?;
    let checks = api.checks(None)?;
    // A cache that can't be written is the one thing that this command is about.
    api.shelf
        .update(|account| account.learn(None, &checks))
        .map_err(|why| {
            Error::new(
                crate::client::error::Kind::Refused,
                format!("The cache was not refreshed: {why}"),
            )
        })?;
    context
        .talk
        .note(&format!("The cache knows {} checks now", checks.len()));
    Ok(())
}
