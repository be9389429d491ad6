//! The forms with which a check is made and changed. What is allowed is the API's to say: a form
//! only turns what was typed into what the API takes, and the API's sentences into its own words.

mod typed;

use askama::Template;
use uuid::Uuid;

use super::fields::{Choice, Field, Problems};
use super::page::Frame;
use super::place::{Page, Place, Stop, nothing_here, refuse, token};
use super::preview::Preview;
use super::visit::Visit;
use crate::schedule::format_duration;
use crate::server::api;
use crate::server::clock;
use crate::server::store::{channels, checks, projects};
use crate::wire::check::default_grace_seconds;
use crate::wire::{Channel, Check, NewCheck, NewProject, Project};
pub(super) use typed::{Typed, in_words};
use typed::{look_at, note};

#[derive(Template)]
#[template(path = "check-form.html")]
struct Form<'a> {
    frame: Frame<'a>,
    heading: String,
    /// Where it goes to, and where one goes who leaves it.
    path: String,
    back: String,
    org_id: Uuid,
    org_name: &'a str,
    many_orgs: bool,
    /// Whether it changes a check, whose project and slug others have written down.
    edits: bool,
    typed: &'a Typed,
    problems: &'a Problems,
    name: Field,
    slug: Field,
    project: Option<Field>,
    project_name: String,
    new_project: Field,
    more: [Field; 2],
    period: Field,
    cron: Field,
    timezone: Field,
    limits: [Field; 2],
    alerts: [Field; 2],
    heard_by: Vec<Channel>,
    preview: Preview,
    zones: Vec<String>,
}

/// The form for a new check.
pub(super) fn new(visit: &Visit<'_>) -> Page {
    let place = Place::of(visit)?;
    place.need(visit, "write")?;
    let project = visit.request.parameter("project").unwrap_or_default();
    let typed = Typed::fresh(project);
    form(visit, &place, None, &typed, &Problems::default())
}

/// Makes it, or shows what is wrong.
pub(super) fn create(visit: &Visit<'_>) -> Page {
    let token = token(visit)?;
    let place = Place::of(visit)?;
    place.need(visit, "write")?;
    let typed = Typed::read(|name| visit.request.form(name));
    token.or_again(|problems| form(visit, &place, None, &typed, problems))?;
    let mut problems = Problems::default();
    let mut asked = typed.asked(None, &mut problems);
    look_at(&asked, &mut problems);
    if typed.project.is_empty() && typed.new_project.is_empty() {
        problems.add("new_project", "Choose a project, or name a new one");
    }
    if !problems.is_empty() || is_preview(visit) {
        return form(visit, &place, None, &typed, &problems);
    }
    if !typed.new_project.is_empty() {
        let new = NewProject {
            org_id: place.org(),
            name: typed.new_project.clone(),
            description: None,
        };
        match api::projects::make(visit.app, new) {
            Ok(project) => asked.project_id = project.id,
            Err(error) if error.body.field.is_some() => {
                problems.add("new_project", error.body.error);
                return form(visit, &place, None, &typed, &problems);
            }
            Err(error) => return Err(refuse(visit, &error)),
        }
    }
    match api::checks::make(visit.app, &place.caller, asked) {
        Ok(check) => Ok(visit.go_to(&format!("/checks/{}", check.id))),
        Err(error) if error.body.field.is_some() => {
            note(&error, &mut problems);
            form(visit, &place, None, &typed, &problems)
        }
        Err(error) => Err(refuse(visit, &error)),
    }
}

/// The form for a check as it is.
pub(super) fn edit(visit: &Visit<'_>, id: &str) -> Page {
    let (place, check) = find(visit, id)?;
    place.need(visit, "write")?;
    let kept = visit
        .app
        .store
        .read(|connection| checks::kept_period(connection, place.org(), check.id))?;
    let typed = Typed::of(&check, kept);
    form(visit, &place, Some(&check), &typed, &Problems::default())
}

/// Changes it, or shows what is wrong.
pub(super) fn update(visit: &Visit<'_>, id: &str) -> Page {
    let token = token(visit)?;
    let (place, check) = find(visit, id)?;
    place.need(visit, "write")?;
    let typed = Typed::read(|name| visit.request.form(name));
    token.or_again(|problems| form(visit, &place, Some(&check), &typed, problems))?;
    let mut problems = Problems::default();
    let asked = NewCheck {
        project_id: check.project_id,
        ..typed.asked(Some(&check.tags), &mut problems)
    };
    look_at(&asked, &mut problems);
    if !problems.is_empty() || is_preview(visit) {
        return form(visit, &place, Some(&check), &typed, &problems);
    }
    match api::checks::replace(visit.app, &place.caller, check.id, asked) {
        Ok(check) => Ok(visit.go_to(&format!("/checks/{}", check.id))),
        Err(error) if error.body.field.is_some() => {
            note(&error, &mut problems);
            form(visit, &place, Some(&check), &typed, &problems)
        }
        Err(error) => Err(refuse(visit, &error)),
    }
}

fn is_preview(visit: &Visit<'_>) -> bool {
    visit.request.form("do").as_deref() == Some("preview")
}

fn find(visit: &Visit<'_>, id: &str) -> Result<(Place, Check), Stop> {
    let (place, id) = Place::with(visit, id, |connection, org, id| {
        Ok(checks::row_of(connection, org, id)?.map(|_| id))
    })?;
    let check =
        api::checks::find_one(visit.app, &place.caller, id).map_err(|_| nothing_here(visit))?;
    Ok((place, check))
}

fn form(
    visit: &Visit<'_>,
    place: &Place,
    check: Option<&Check>,
    typed: &Typed,
    problems: &Problems,
) -> Page {
    let (projects, mut heard_by) = visit.app.store.read(|connection| {
        Ok((
            projects::list(connection, place.org())?,
            channels::list(connection, place.org())?,
        ))
    })?;
    let project_id: Option<Uuid> = typed.project.parse().ok();
    heard_by.retain(|channel| {
        channel.enabled
            && (channel.project_id.is_none() || channel.project_id == project_id)
            && (channel.check_id.is_none() || channel.check_id == check.map(|check| check.id))
    });
    let path = match check {
        Some(check) => format!("/checks/{}/edit", check.id),
        None => "/checks/new".to_owned(),
    };
    let back = match check {
        Some(check) => format!("/checks/{}", check.id),
        None => format!("/?org={}", place.org()),
    };
    let field = |id, label, value: &String| Field::new(id, label).value(value).of(problems);
    let page = Form {
        frame: place.frame(visit),
        heading: check.map_or("New check".to_owned(), |check| format!("Edit {}", check.name)),
        path,
        back,
        org_id: place.org(),
        org_name: &place.caller.org_name,
        many_orgs: place.organizations.len() > 1,
        edits: check.is_some(),
        typed,
        problems,
        name: field("name", "Name", &typed.name)
            .hint("What people call the job, such as Database Backup.")
            .required(),
        slug: field("slug", "Slug", &typed.slug).hint(match check {
            None => "What commands call it, such as db-backup: small letters, digits and hyphens. Left empty, it is made of the name.",
            Some(_) => "What commands call it. Change it in crontabs and scripts too; pings to its address go on as before.",
        }),
        project: check.is_none().then(|| project_choice(&projects, typed, problems)),
        project_name: check.map_or(String::new(), |check| check.project_name.clone()),
        new_project: field("new_project", "Name of the new project", &typed.new_project)
            .hint("It is made together with the check."),
        more: [
            Field::area("description", "Description")
                .value(&typed.description)
                .hint("Up to 500 characters: what it is for, whom to ask.")
                .of(problems),
            field("tags", "Tags", &typed.tags).hint("Up to 20, with commas between them."),
        ],
        period: field("period", "Runs every", &typed.period)
            .hint("Such as 5m, 1h 30m, 1d or 2w; a number alone is seconds."),
        cron: field("cron_expression", "Cron expression", &typed.cron_expression)
            .hint("As in the crontab: minute, hour, day, month, weekday, such as 0 2 * * *; or @daily."),
        timezone: field("timezone", "Time zone", &typed.timezone)
            .list("zones")
            .hint(format!(
                "Such as Asia/Manila. Left empty, it is the organization's: {}.",
                place.timezone
            )),
        limits: [
            field("grace", "Grace", &typed.grace).hint(grace_hint()),
            field("max_runtime", "Maximum run time", &typed.max_runtime).hint(
                "A run that takes longer is overrunning, and you are told. Left empty, there is no such limit.",
            ),
        ],
        alerts: [
            field("misses", "Alert after so many missing runs in a row", &typed.misses)
                .kind("number"),
            field("failures", "Alert after so many failed runs in a row", &typed.failures)
                .kind("number"),
        ],
        heard_by,
        preview: Preview::of(typed, &place.timezone, clock::now()),
        zones: zones(),
    };
    Ok(visit.page(problems.status(), &page))
}

fn grace_hint() -> String {
    format!(
        "How late a report may be before the check is down. Left empty, a tenth of the time between two runs, at most {}.",
        format_duration(default_grace_seconds(u64::MAX))
    )
}

fn project_choice(projects: &[Project], typed: &Typed, problems: &Problems) -> Field {
    let choices = projects
        .iter()
        .map(|project| Choice::new(project.id, &project.name))
        .collect();
    Field::select("project", "Project", choices)
        .value(&typed.project)
        .of(problems)
}

/// The names that are offered: those of places, and UTC.
pub(super) fn zones() -> Vec<String> {
    let offered = |name: &str| {
        name == "UTC"
            || name.contains('/')
                && !["Etc/", "SystemV/", "posix/", "right/", "US/"]
                    .iter()
                    .any(|start| name.starts_with(start))
    };
    jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .filter(|name| offered(name))
        .collect()
}
