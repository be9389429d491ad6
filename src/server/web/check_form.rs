//! The forms with which a check is made and changed. What is allowed is the API's to say: a form
//! only turns what was typed into what the API takes, and the API's sentences into its own words.

use askama::Template;
use uuid::Uuid;

use super::fields::{Choice, Field, Problems};
use super::page::Frame;
use super::place::{Page, Place, Stop, nothing_here, ours, refuse};
use super::preview::Preview;
use super::visit::Visit;
use crate::schedule::{MAX_SECONDS, MIN_PERIOD_SECONDS, format_duration, parse_duration, zone};
use crate::server::api::{self, ApiError};
use crate::server::clock;
use crate::server::store::{channels, checks, projects};
use crate::wire::check::{default_grace_seconds, slug_from_name};
use crate::wire::{Channel, Check, NewCheck, NewProject, Project, ScheduleType};

/// What was typed, or what stands there at first; the names are those of the fields.
#[derive(Clone, Default)]
pub(super) struct Typed {
    project: String,
    new_project: String,
    name: String,
    slug: String,
    description: String,
    tags: String,
    /// `simple` or `cron`.
    schedule: String,
    period: String,
    cron_expression: String,
    timezone: String,
    grace: String,
    max_runtime: String,
    misses: String,
    failures: String,
}

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

impl Typed {
    /// From a form or a query.
    pub fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name| value(name).unwrap_or_default().trim().to_owned();
        Self {
            project: value("project"),
            new_project: value("new_project"),
            name: value("name"),
            slug: value("slug"),
            description: value("description"),
            tags: value("tags"),
            schedule: value("schedule"),
            period: value("period"),
            cron_expression: value("cron_expression"),
            timezone: value("timezone"),
            grace: value("grace"),
            max_runtime: value("max_runtime"),
            misses: value("misses"),
            failures: value("failures"),
        }
    }

    /// What a form for a new check begins with.
    fn fresh(project: String) -> Self {
        Self {
            project,
            schedule: "simple".to_owned(),
            period: "1d".to_owned(),
            misses: "1".to_owned(),
            failures: "1".to_owned(),
            ..Self::default()
        }
    }

    /// A check as it is; `period` is what it had before it had a cron expression.
    fn of(check: &Check, period: Option<u64>) -> Self {
        Self {
            project: check.project_id.to_string(),
            new_project: String::new(),
            name: check.name.clone(),
            slug: check.slug.clone(),
            description: check.description.clone().unwrap_or_default(),
            tags: check.tags.join(", "),
            schedule: match check.schedule_type {
                ScheduleType::Simple => "simple".to_owned(),
                ScheduleType::Cron => "cron".to_owned(),
            },
            period: period.map(format_duration).unwrap_or_default(),
            cron_expression: check.cron_expression.clone().unwrap_or_default(),
            timezone: check.timezone.clone().unwrap_or_default(),
            grace: format_duration(check.grace_seconds),
            max_runtime: check
                .max_runtime_seconds
                .map(format_duration)
                .unwrap_or_default(),
            misses: check.alert_after_miss_pings.to_string(),
            failures: check.alert_after_fail_pings.to_string(),
        }
    }

    fn is_cron(&self) -> bool {
        self.schedule == "cron"
    }

    /// What was typed about the schedule. Of the two kinds the one that was not chosen is kept
    /// as far as it is good, and nobody is bothered with it otherwise.
    pub fn timing(&self, problems: &mut Problems) -> NewCheck {
        let mut asked = NewCheck {
            grace_seconds: duration("grace", &self.grace, problems),
            ..NewCheck::default()
        };
        if self.is_cron() {
            let kept = parse_duration(&self.period).ok();
            asked.period_seconds =
                kept.filter(|period| (MIN_PERIOD_SECONDS..=MAX_SECONDS).contains(period));
            asked.schedule_type = Some(ScheduleType::Cron);
            asked.timezone = Some(self.timezone.clone());
            if self.cron_expression.is_empty() {
                problems.add(
                    "cron_expression",
                    "Say when the job runs, such as 0 2 * * * for every day at 02:00",
                );
                asked.cron_expression = Some("@daily".to_owned());
            } else {
                asked.cron_expression = Some(self.cron_expression.clone());
            }
        } else {
            asked.schedule_type = Some(ScheduleType::Simple);
            let zone = Some(&self.timezone).filter(|text| zone::named(text).is_ok());
            asked.timezone = zone.cloned();
            if self.period.is_empty() {
                problems.add("period", "Say how often the job runs, such as 1h 30m or 1d");
            }
            // Where it can't be read, what stands in is never saved.
            asked.period_seconds = duration("period", &self.period, problems).or(Some(3600));
        }
        asked
    }

    /// All of it, as the API takes it.
    fn asked(&self, old_tags: Option<&[String]>, problems: &mut Problems) -> NewCheck {
        let threshold = |field, text: &str, problems: &mut Problems| match text {
            "" => None,
            text => text.parse().ok().or_else(|| {
                problems.add(field, "Give a number from 1 to 100");
                None
            }),
        };
        let tags = match old_tags {
            // A tag may have a comma in it: what was not touched is not taken apart.
            Some(old) if old.join(", ") == self.tags => old.to_vec(),
            _ => self
                .tags
                .split(',')
                .map(str::trim)
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        NewCheck {
            project_id: self.project.parse().unwrap_or_default(),
            name: self.name.clone(),
            slug: match (self.slug.as_str(), old_tags) {
                ("", None) => slug_from_name(&self.name),
                (slug, _) => slug.to_owned(),
            },
            // A text area's lines come with CRLF (HTML, "constructing the entry list").
            description: Some(self.description.replace("\r\n", "\n")),
            tags,
            max_runtime_seconds: duration("max_runtime", &self.max_runtime, problems),
            alert_after_miss_pings: threshold("misses", &self.misses, problems),
            alert_after_fail_pings: threshold("failures", &self.failures, problems),
            ..self.timing(problems)
        }
    }
}

fn duration(field: &str, text: &str, problems: &mut Problems) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    parse_duration(text)
        .map_err(|why| problems.add(field, why.to_string()))
        .ok()
}

/// The fields that the API and the form call differently.
const NAMES: [(&str, &str, &str); 6] = [
    ("period_seconds", "period", "The period"),
    ("grace_seconds", "grace", "The grace"),
    ("max_runtime_seconds", "max_runtime", "The maximum run time"),
    ("alert_after_miss_pings", "misses", "Misses"),
    ("alert_after_fail_pings", "failures", "Failures"),
    ("cron_expression", "cron_expression", "The cron expression"),
];

/// A sentence of the API in the words of the form.
pub(super) fn in_words(sentence: &str) -> String {
    NAMES
        .iter()
        .fold(sentence.to_owned(), |text, (name, _, words)| {
            text.replace(&format!("'{name}'"), words)
        })
}

/// Has the API look at all of it: what it refuses is noted and left out, until there is nothing
/// left that it refuses, so that a person learns of everything at once.
fn look_at(asked: &NewCheck, problems: &mut Problems) {
    let mut rest = asked.clone();
    for _ in 0..NAMES.len() + 6 {
        let Err(error) = api::checks::settle(rest.clone()) else {
            return;
        };
        note(&error, problems);
        match error.body.field.as_deref().unwrap_or_default() {
            "name" => rest.name = "a".to_owned(),
            "slug" => rest.slug = "a".to_owned(),
            "description" => rest.description = None,
            "tags" => rest.tags.clear(),
            "timezone" => rest.timezone = None,
            "cron_expression" => rest.cron_expression = Some("@daily".to_owned()),
            "period_seconds" => rest.period_seconds = Some(3600),
            "grace_seconds" => rest.grace_seconds = Some(60),
            "max_runtime_seconds" => rest.max_runtime_seconds = None,
            "alert_after_miss_pings" => rest.alert_after_miss_pings = None,
            "alert_after_fail_pings" => rest.alert_after_fail_pings = None,
            _ => return,
        }
    }
}

fn note(error: &ApiError, problems: &mut Problems) {
    let name = error.body.field.as_deref().unwrap_or_default();
    let field = NAMES.iter().find(|(theirs, ..)| *theirs == name);
    let field = field.map_or(name, |(_, ours, _)| ours);
    if problems.of(field).is_none() {
        problems.add(field, in_words(&error.body.error));
    }
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
    let place = Place::of(visit)?;
    ours(visit)?;
    place.need(visit, "write")?;
    let typed = Typed::read(|name| visit.request.form(name));
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
    let (place, check) = find(visit, id)?;
    ours(visit)?;
    place.need(visit, "write")?;
    let typed = Typed::read(|name| visit.request.form(name));
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
        frame: visit.frame(),
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
