//! Checks: created, listed, shown.

use jiff::tz::TimeZone;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::check_change::merge;
use super::{
    Answer, ApiError, App, description, id, id_parameter, json_and_nulls, lacks, name, own_org,
};
use crate::schedule::cron::Cron;
use crate::schedule::{MAX_SECONDS, MIN_PERIOD_SECONDS, crontab, zone};
use crate::server::clock;
use crate::server::http::{Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::checks::{self, Settled, Which};
use crate::server::store::{StoreError, projects};
use crate::wire::check::{THRESHOLD_MAX, default_grace_seconds, is_slug};
use crate::wire::{Check, CheckChange, NewCheck, ScheduleType};

/// The most tags that a check may have, and the most characters in one.
const TAGS_MAX: usize = 20;
const TAG_LENGTH_MAX: usize = 50;

pub(super) fn list(app: &App, caller: &Caller, request: &Request) -> Answer {
    own_org(caller, id_parameter(request, "org_id")?)?;
    let which = match request
        .parameter("project_id")
        .filter(|text| !text.is_empty())
    {
        Some(project) => Which::OfProject(project_called(app, caller, &project)?),
        None => Which::All,
    };
    Ok(Response::json(StatusCode::OK, &find(app, caller, &which)?))
}

pub(super) fn get(app: &App, caller: &Caller, check: &str) -> Answer {
    let check = find_one(app, caller, id(check, "check")?)?;
    Ok(Response::json(StatusCode::OK, &check))
}

pub(super) fn create(app: &App, caller: &Caller, request: &Request) -> Answer {
    let (mut asked, nulls): (NewCheck, _) = json_and_nulls(request)?;
    if asked.public_id.is_some() && !caller.may("manage") {
        return Err(lacks(caller, "manage"));
    }
    // Programs leave out a grace of 0, and say null where the server is to choose one.
    let is_automatic = nulls.contain("grace_seconds") || nulls.contain("missing_after_seconds");
    if asked.missing_after_seconds.is_none() && !is_automatic {
        asked.grace_seconds = asked.grace_seconds.or(Some(0));
    }
    let check = make(app, caller, asked)?;
    Ok(Response::json(StatusCode::CREATED, &check))
}

/// Creates a check, whichever way it was asked for.
pub(in crate::server) fn make(
    app: &App,
    caller: &Caller,
    asked: NewCheck,
) -> Result<Check, ApiError> {
    let new = settle(asked)?;
    own_project(app, caller, new.project_id)?;
    let org_id = caller.org_id;
    let id = app
        .store
        .write(move |desk| checks::create(desk, org_id, &new))?;
    find_one(app, caller, id)
}

/// Only the fields given change, and the whole is held against the same limits as a new one. The
/// writer reads what is there, so that of two changes at once neither undoes the other.
pub(super) fn update(app: &App, caller: &Caller, check: &str, request: &Request) -> Answer {
    let id = id(check, "check")?;
    let (change, nulls): (CheckChange, _) = json_and_nulls(request)?;
    let org_id = caller.org_id;
    app.store.write(move |desk| {
        let connection = desk.connection;
        let old = checks::list(connection, org_id, &Which::Id(id), "", desk.now)?.pop();
        let old = old.ok_or(StoreError::Gone)?;
        if let Some(project) = change.project_id
            && projects::get(connection, org_id, project)?.is_none()
        {
            return Ok(Err(no_project()));
        }
        let kept = checks::kept_period(connection, org_id, id)?;
        match merge(change, &nulls, old, kept).and_then(settle) {
            Ok(new) => checks::update(desk, org_id, id, &new).map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    })??;
    Ok(Response::json(StatusCode::OK, &find_one(app, caller, id)?))
}

/// Gives the caller's check these values in place of those that it has. Its project stays.
pub(in crate::server) fn replace(
    app: &App,
    caller: &Caller,
    id: Uuid,
    asked: NewCheck,
) -> Result<Check, ApiError> {
    let new = settle(asked)?;
    let org_id = caller.org_id;
    app.store
        .write(move |desk| checks::update(desk, org_id, id, &new))?;
    find_one(app, caller, id)
}

pub(super) fn pause(app: &App, caller: &Caller, check: &str, paused: bool) -> Answer {
    let (org_id, id) = (caller.org_id, id(check, "check")?);
    app.store
        .write(move |desk| checks::pause(desk, org_id, id, paused))?;
    Ok(Response::empty())
}

pub(super) fn delete(app: &App, caller: &Caller, check: &str) -> Answer {
    let (org_id, id) = (caller.org_id, id(check, "check")?);
    app.store
        .write(move |desk| checks::delete(desk, org_id, id))?;
    Ok(Response::empty())
}

fn find(app: &App, caller: &Caller, which: &Which) -> Result<Vec<Check>, ApiError> {
    Ok(app.store.read(|connection| {
        checks::list(
            connection,
            caller.org_id,
            which,
            &app.public_url,
            clock::now(),
        )
    })?)
}

/// The caller's check.
pub(in crate::server) fn find_one(app: &App, caller: &Caller, id: Uuid) -> Result<Check, ApiError> {
    find(app, caller, &Which::Id(id))?
        .pop()
        .ok_or_else(|| ApiError::not_found("There is no check with this id"))
}

/// The caller's project that an id, a slug or a name in any case means.
fn project_called(app: &App, caller: &Caller, text: &str) -> Result<Uuid, ApiError> {
    if let Ok(id) = text.parse() {
        return own_project(app, caller, id).map(|()| id);
    }
    let projects = app
        .store
        .read(|connection| projects::list(connection, caller.org_id))?;
    let text = text.trim().to_lowercase();
    let slug = projects.iter().find(|project| project.slug == text);
    let found = slug.or_else(|| projects.iter().find(|p| p.name.to_lowercase() == text));
    found.map(|project| project.id).ok_or_else(|| {
        ApiError::not_found("There is no project with this id, slug or name; see GET /projects")
    })
}

fn own_project(app: &App, caller: &Caller, project: Uuid) -> Result<(), ApiError> {
    app.store
        .read(|connection| projects::get(connection, caller.org_id, project))?
        .map(|_| ())
        .ok_or_else(no_project)
}

fn no_project() -> ApiError {
    ApiError::not_found("There is no project with this id")
}

/// Holds what is asked for against API.md's limits, and fills in what is not said.
pub(in crate::server) fn settle(new: NewCheck) -> Result<Settled, ApiError> {
    if !is_slug(&new.slug) {
        return Err(ApiError::field(
            "slug",
            "The slug must have 1 to 100 characters out of a-z, 0-9 and '-'",
        ));
    }
    let timing = settle_timing(&new)?;
    let threshold = |one, other| {
        let (field, value) = either(one, other);
        match value.unwrap_or(1) {
            value if (1..=THRESHOLD_MAX).contains(&value) => Ok(value),
            _ => Err(ApiError::field(field, "A threshold must be 1 to 100")),
        }
    };
    let tags_ok = new.tags.len() <= TAGS_MAX
        && new
            .tags
            .iter()
            .all(|tag| (1..=TAG_LENGTH_MAX).contains(&tag.chars().count()));
    if !tags_ok {
        return Err(ApiError::field(
            "tags",
            "A check may have up to 20 tags of 1 to 50 characters each",
        ));
    }
    if new.public_id.is_some_and(|id| id.is_nil() || id.is_max()) {
        return Err(ApiError::field(
            "public_id",
            "This public id is anybody's guess; give the one that the check had, or leave it out",
        ));
    }
    Ok(Settled {
        public_id: new.public_id,
        paused: new.paused,
        project_id: new.project_id,
        name: name(&new.name)?,
        slug: new.slug,
        description: description(new.description)?,
        tags: new.tags,
        period: timing.period,
        cron: timing.cron,
        timezone: timing.timezone,
        grace: timing.grace,
        max_runtime: new
            .max_runtime_seconds
            .map(|max| seconds("max_runtime_seconds", max, 1))
            .transpose()?,
        miss_threshold: threshold(
            ("alert_after_miss_pings", new.alert_after_miss_pings),
            ("missed_before_alert", new.missed_before_alert),
        )?,
        fail_threshold: threshold(
            ("alert_after_fail_pings", new.alert_after_fail_pings),
            ("alert_after_failures", new.alert_after_failures),
        )?,
    })
}

/// When a check is expected, its values checked.
struct Timing {
    period: i64,
    cron: Option<String>,
    timezone: Option<String>,
    grace: i64,
}

fn settle_timing(new: &NewCheck) -> Result<Timing, ApiError> {
    let given = |text: &Option<String>| {
        let text = text.as_deref().map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let zone = given(&new.timezone)
        .map(|text| zone::named(&text).map_err(|why| ApiError::field("timezone", &why.to_string())))
        .transpose()?;
    let (cron, zone) = with_zone(given(&new.cron_expression), zone)?;
    if cron.is_some() && new.schedule_type == Some(ScheduleType::Simple) {
        return Err(ApiError::field(
            "schedule_type",
            "It can't be simple with a cron_expression; leave one of them out",
        ));
    }
    if cron.is_none() && new.schedule_type == Some(ScheduleType::Cron) {
        return Err(ApiError::field(
            "cron_expression",
            "Give cron_expression: when the job runs, such as \"0 2 * * *\"",
        ));
    }
    let period = match new.period_seconds {
        Some(period) => seconds("period_seconds", period, MIN_PERIOD_SECONDS)?,
        None if cron.is_some() => 0,
        None => {
            return Err(ApiError::field(
                "period_seconds",
                "Give period_seconds: how often the job runs; or cron_expression",
            ));
        }
    };
    let (grace_field, asked_grace) = either(
        ("missing_after_seconds", new.missing_after_seconds),
        ("grace_seconds", new.grace_seconds),
    );
    let gap = match &cron {
        None => period.unsigned_abs(),
        Some(expression) => {
            // What it says is the same in every zone, but for days on which a clock is set.
            let cron = Cron::parse(expression, TimeZone::UTC)
                .map_err(|why| ApiError::field("cron_expression", &why.to_string()))?;
            match asked_grace {
                Some(_) => 0,
                None => cron.shortest_gap(clock::now()),
            }
        }
    };
    let grace = asked_grace.unwrap_or_else(|| default_grace_seconds(gap));
    Ok(Timing {
        period,
        cron,
        timezone: zone.map(|(name, _)| name),
        grace: seconds(grace_field, grace, 0)?,
    })
}

/// A zone and its name.
type NamedZone = (String, TimeZone);

/// The cron expression as it is kept, and the zone that stands in it where none is given beside it.
fn with_zone(
    cron: Option<String>,
    zone: Option<NamedZone>,
) -> Result<(Option<String>, Option<NamedZone>), ApiError> {
    let Some(text) = cron else {
        return Ok((None, zone));
    };
    let wrong = |why: &str| ApiError::field("cron_expression", why);
    let line = crontab::read(&text).map_err(|why| wrong(&why))?;
    let Some(own) = line.zone else {
        return Ok((Some(line.expression), zone));
    };
    let own = zone::named(&own).map_err(|why| wrong(&why.to_string()))?;
    match zone {
        Some((other, _)) if other != own.0 => Err(wrong(&format!(
            "The cron expression names the zone {}, and the timezone is {other}; leave one out",
            own.0
        ))),
        _ => Ok((Some(line.expression), Some(own))),
    }
}

/// Of two names for one value the one that was given, with its value; the first beats the second.
fn either<T>(
    one: (&'static str, Option<T>),
    other: (&'static str, Option<T>),
) -> (&'static str, Option<T>) {
    if one.1.is_some() { one } else { other }
}

/// A duration between `least` seconds and 366 days.
fn seconds(field: &str, value: u64, least: u64) -> Result<i64, ApiError> {
    i64::try_from(value)
        .ok()
        .filter(|_| (least..=MAX_SECONDS).contains(&value))
        .ok_or_else(|| {
            ApiError::field(
                field,
                &format!("'{field}' must be {least} to {MAX_SECONDS} seconds (366 days)"),
            )
        })
}
