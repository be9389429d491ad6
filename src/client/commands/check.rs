//! `pakyas check …`: list, show, sync. Creating, changing and the history have files of their own.

use jiff::Timestamp;

use serde_json::json;

use super::{Context, create, doctor, inspect, logs, tail, update, usage};
use crate::client::args::{CheckCommand, CheckList};
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{
    self, Screen, Table, clean, coloured, milliseconds, or_dash, relative,
};
use crate::client::settings::{Selection, same_name};
use crate::schedule::format_duration;
use crate::wire::{Check, Status};

pub fn run(context: &Context, command: CheckCommand) -> Result<i32, Error> {
    match command {
        CheckCommand::Create(typed) => create::run(context, typed),
        CheckCommand::List(typed) => list(context, &typed),
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

/// Those of `statuses`, as typed: each may hold several, with commas between them.
fn statuses(typed: &[String]) -> Result<Vec<Status>, Error> {
    let names = typed.iter().flat_map(|text| text.split(','));
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    let of = |name: &str| {
        Status::from_name(&name.to_lowercase()).ok_or_else(|| {
            usage(format!(
                "--status: '{}' is not a status; there are new, up, late, down, overrunning and paused",
                name.escape_debug()
            ))
        })
    };
    names.map(of).collect()
}

/// The checks of each project together, otherwise in the order that they have. There are few
/// projects, so this is done without a sort, which would make the client larger.
fn by_project(checks: Vec<Check>) -> Vec<Check> {
    let mut rest = checks;
    let mut sorted = Vec::with_capacity(rest.len());
    while let Some(first) = rest.iter().map(|check| &check.project_name).min() {
        let first = first.clone();
        let (these, others) = rest.into_iter().partition(|c| c.project_name == first);
        let these: Vec<Check> = these;
        sorted.extend(these);
        rest = others;
    }
    sorted
}

fn list(context: &Context, typed: &CheckList) -> Result<(), Error> {
    let statuses = statuses(&typed.status)?;
    let tags = typed.tag.iter().flat_map(|text| text.split(','));
    let tags: Vec<&str> = tags.map(str::trim).filter(|tag| !tag.is_empty()).collect();
    if typed.all && context.globals().project.is_some() {
        return Err(usage(
            "--all means every project, --project one of them; give one of the two",
        ));
    }
    // Another organization for one command, of which no project was ever chosen.
    let of_all = typed.all
        || (context.globals().org.is_some() && context.settings.project()? == Selection::None);
    let mut checks = if of_all {
        by_project(context.api()?.checks(None)?)
    } else {
        checks(context)?
    };
    let there = checks.len();
    checks.retain(|check| {
        let has_tag = |tag: &&str| check.tags.iter().any(|known| same_name(known, tag));
        (statuses.is_empty() || statuses.contains(&check.status))
            && (tags.is_empty() || tags.iter().any(has_tag))
    });
    match (there, checks.len()) {
        (0, _) => context.talk.note(&format!(
            "There are no checks {} yet. Make one: pakyas check create --name NAME --period 1h",
            if of_all {
                "in this organization"
            } else {
                "in this project"
            }
        )),
        (there, 0) => context.talk.note(&format!(
            "None of the {there} checks has that status or tag"
        )),
        _ => {}
    }
    render::list(context.format, &checks, || {
        if checks.is_empty() {
            return String::new();
        }
        table(&checks, of_all, context.screen)
    })
}

fn table(checks: &[Check], with_project: bool, screen: Screen) -> String {
    let now = Timestamp::now();
    let mut table = if with_project {
        Table::new(
            &[
                "PROJECT",
                "NAME",
                "SLUG",
                "STATUS",
                "PERIOD",
                "GRACE",
                "LAST PING",
                "EXPECTED",
            ],
            &[1, 0],
        )
    } else {
        Table::new(
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
        )
    };
    for check in checks {
        let project = with_project.then(|| check.project_name.clone());
        table.row(project.into_iter().chain([
            check.name.clone(),
            check.slug.clone(),
            check.status.as_str().to_owned(),
            schedule(check),
            format_duration(check.grace_seconds),
            or_dash(check.last_ping_at.map(|at| relative(at, now))),
            or_dash(check.next_ping_expected_at.map(|at| relative(at, now))),
        ]));
    }
    table.text(screen)
}

fn show(context: &Context, text: &str) -> Result<(), Error> {
    let api = context.api()?;
    let check = lookup::check_or_id(&api, &context.settings.project()?, text)?;
    render::one(context.format, &check, || card(&check, context.screen))
}

/// All of one check, a line for each thing.
fn card(check: &Check, screen: Screen) -> String {
    let now = Timestamp::now();
    let at = |time: Option<Timestamp>| {
        or_dash(time.map(|t| format!("{} ({})", screen.when(t), relative(t, now))))
    };
    let mut status = check.status.as_str().to_owned();
    if screen.colours {
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
        (
            if check.cron_expression.is_some() {
                "Cron"
            } else {
                "Period"
            },
            clean(&schedule(check)),
        ),
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
        ("Created", screen.when(check.created_at)),
    ]);
    lines
        .iter()
        .map(|(name, value)| format!("{name:<19}{value}\n"))
        .collect()
}

fn sync(context: &Context) -> Result<(), Error> {
    let api = context.api()?;
    let projects = api.projects()?;
    let checks = api.checks(None)?;
    // A cache that can't be written is the one thing that this command is about.
    api.shelf
        .update(|account| account.learn(None, &checks))
        .map_err(|why| Error::new(Kind::Refused, format!("The cache was not refreshed: {why}")))?;
    let number = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    context.talk.note(&format!(
        "The cache knows {} in {} now",
        number(checks.len(), "check"),
        number(projects.len(), "project")
    ));
    let result = json!({ "checks": checks.len(), "projects": projects.len() });
    render::one(context.format, &result, String::new)
}
