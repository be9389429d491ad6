//! `pakyas maintenance …`: times in which nobody is alerted.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{Context, confirm, usage};
use crate::client::api::Api;
use crate::client::args::{MaintenanceCommand, MaintenanceCreate, MaintenanceDelete};
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{self, Table, clean, relative};
use crate::schedule::{MAX_SECONDS, parse_duration};
use crate::wire::maintenance::REASON_MAX;
use crate::wire::{Maintenance, NewMaintenance};

pub fn run(context: &Context, command: MaintenanceCommand) -> Result<i32, Error> {
    match command {
        MaintenanceCommand::Create(typed) => create(context, &typed),
        MaintenanceCommand::List(_) => list(context),
        MaintenanceCommand::Delete(typed) => delete(context, &typed),
    }
    .map(|()| 0)
}

fn create(context: &Context, typed: &MaintenanceCreate) -> Result<(), Error> {
    let reason = typed.reason.trim();
    let length = reason.chars().count();
    if length == 0 || length > REASON_MAX || reason.chars().any(char::is_control) {
        return Err(usage(format!(
            "--reason needs 1 to {REASON_MAX} characters, none of them a control character; this has {length}"
        )));
    }
    let now = Timestamp::now();
    let starts_at = when("--starts", &typed.starts, now)?;
    let ends_at = match (&typed.ends, &typed.lasts) {
        (Some(ends), None) => when("--ends", ends, now)?,
        (None, Some(lasts)) => after(starts_at, lasts)?,
        _ => {
            return Err(usage(
                "Say when it ends, in one of two ways: --ends 2026-12-02T02:00Z, or --for 2h",
            ));
        }
    };
    if ends_at <= starts_at {
        return Err(usage("It must end after it starts"));
    }
    if ends_at <= now {
        return Err(usage(format!(
            "It ended already, {}, and would hold no alert; name an end that is to come",
            relative(ends_at, now)
        )));
    }
    let api = context.api()?;
    let check_id = match &typed.check {
        Some(check) => {
            let selection = context.settings.project()?;
            Some(lookup::check_or_id(&api, &selection, check)?.id)
        }
        None => None,
    };
    // Only the flag narrows a window: a project in use is about checks. With a check, it says
    // which one is meant, and the check says the rest.
    let project_id = match &context.globals().project {
        Some(project) if check_id.is_none() => Some(lookup::project(&api, project)?.id),
        _ => None,
    };
    let new = NewMaintenance {
        org_id: api.org_id()?,
        project_id,
        check_id,
        reason: reason.to_owned(),
        starts_at: starts_at.to_string(),
        ends_at: ends_at.to_string(),
    };
    let window: Maintenance = api.post("/maintenance", &new)?;
    context.talk.note(&format!(
        "Alerts are held from {} to {}. To call it off: pakyas maintenance delete {}",
        context.screen.when(window.starts_at),
        context.screen.when(window.ends_at),
        window.id
    ));
    render::one(context.format, &window, String::new)
}

/// A time as typed after `flag`.
fn when(flag: &str, text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    text.parse().map_err(|_| {
        let text = text.chars().take(60).collect::<String>();
        let is_local = text.parse::<jiff::civil::DateTime>().is_ok();
        let why = if is_local {
            "does not say its time zone"
        } else {
            "is not a time"
        };
        usage(format!(
            "{flag}: '{}' {why}; write now, or a date and a time with an offset, or with Z for \
             UTC: 2026-12-01T22:00+08:00, 2026-12-01T14:00Z",
            text.escape_debug()
        ))
    })
}

fn after(start: Timestamp, lasts: &str) -> Result<Timestamp, Error> {
    let seconds = parse_duration(lasts).map_err(|why| usage(format!("--for: {why}")))?;
    i64::try_from(seconds)
        .ok()
        .filter(|_| (1..=MAX_SECONDS).contains(&seconds))
        .and_then(|seconds| start.checked_add(SignedDuration::from_secs(seconds)).ok())
        .ok_or_else(|| usage("--for: a maintenance window lasts from 1 second to 366 days"))
}

fn windows(api: &Api<'_>) -> Result<Vec<Maintenance>, Error> {
    api.get(&format!("/maintenance?org_id={}", api.org_id()?))
}

fn list(context: &Context) -> Result<(), Error> {
    let api = context.api()?;
    let windows = windows(&api)?;
    if windows.is_empty() {
        context.talk.note(
            "There are no maintenance windows. Plan one: \
             pakyas maintenance create --reason TEXT --starts now --for 2h",
        );
    }
    let names = match context.format {
        render::Format::Table => names(&api, &windows)?,
        _ => HashMap::new(),
    };
    render::list(context.format, &windows, || {
        if windows.is_empty() {
            return String::new();
        }
        let now = Timestamp::now();
        let mut table = Table::new(
            &["REASON", "HOLDS", "STATE", "STARTS", "ENDS", "ID"],
            &[0, 1],
        );
        for window in &windows {
            let state = if window.ends_at <= now {
                "over"
            } else if window.starts_at <= now {
                "running"
            } else {
                "planned"
            };
            table.row([
                window.reason.clone(),
                holds(window, &names),
                state.to_owned(),
                context.screen.when(window.starts_at),
                context.screen.when(window.ends_at),
                window.id.to_string(),
            ]);
        }
        table.text(context.screen)
    })
}

/// Whose alerts a window holds.
fn holds(window: &Maintenance, names: &HashMap<Uuid, String>) -> String {
    let name = |id: &Uuid| names.get(id).cloned().unwrap_or_else(|| id.to_string());
    match (&window.check_id, &window.project_id) {
        (Some(check), _) => format!("check {}", name(check)),
        (None, Some(project)) => format!("project {}", name(project)),
        (None, None) => "all".to_owned(),
    }
}

/// The names of the projects and the slugs of the checks that windows are for. Asked for only
/// where there are such.
fn names(api: &Api<'_>, windows: &[Maintenance]) -> Result<HashMap<Uuid, String>, Error> {
    let mut names = HashMap::new();
    if windows.iter().any(|window| window.check_id.is_some()) {
        let checks = api.checks(None)?;
        names.extend(checks.into_iter().map(|check| (check.id, check.slug)));
    }
    if windows.iter().any(|window| window.project_id.is_some()) {
        let projects = api.projects()?;
        names.extend(
            projects
                .into_iter()
                .map(|project| (project.id, project.name)),
        );
    }
    Ok(names)
}

fn delete(context: &Context, typed: &MaintenanceDelete) -> Result<(), Error> {
    let api = context.api()?;
    let id = Uuid::try_parse(typed.id.trim()).ok();
    let windows = windows(&api)?;
    let Some(window) = windows.iter().find(|window| Some(window.id) == id) else {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "Maintenance window not found: none has the id '{}'\n  \
                 pakyas maintenance list     see them, with their ids",
                typed.id.chars().take(60).collect::<String>().escape_debug()
            ),
        ));
    };
    let reason = clean(&window.reason);
    confirm(
        &format!(
            "Delete the maintenance window '{reason}' ({} to {})? Alerts are held no longer.",
            context.screen.when(window.starts_at),
            context.screen.when(window.ends_at)
        ),
        typed.yes,
    )?;
    api.act("DELETE", &format!("/maintenance/{}", window.id))?;
    context
        .talk
        .note(&format!("Deleted the maintenance window '{reason}'"));
    let result = json!({ "id": window.id, "reason": window.reason, "deleted": true });
    render::one(context.format, &result, String::new)
}
