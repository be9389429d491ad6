//! Maintenance windows: planned, listed, called off.

use jiff::{Timestamp, ToSpan};
use ureq_proto::http::StatusCode;

use super::{Answer, ApiError, App, id, id_parameter, json, own_org};
use crate::server::clock;
use crate::server::http::{Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::maintenance::{self, NewWindow};
use crate::server::store::{checks, projects};
use crate::wire::maintenance::REASON_MAX;
use crate::wire::{Maintenance, NewMaintenance};

/// The longest window, hours: 366 days.
const HOURS_MAX: i64 = 366 * 24;

pub(super) fn list(app: &App, caller: &Caller, request: &Request) -> Answer {
    own_org(caller, id_parameter(request, "org_id")?)?;
    let windows = app
        .store
        .read(|connection| maintenance::list(connection, caller.org_id, clock::now()))?;
    Ok(Response::json(StatusCode::OK, &windows))
}

pub(super) fn create(app: &App, caller: &Caller, request: &Request) -> Answer {
    let asked: NewMaintenance = json(request)?;
    own_org(caller, Some(asked.org_id))?;
    Ok(Response::json(
        StatusCode::CREATED,
        &plan(app, caller, asked)?,
    ))
}

/// Plans a window, whichever way it was asked for.
pub(in crate::server) fn plan(
    app: &App,
    caller: &Caller,
    asked: NewMaintenance,
) -> Result<Maintenance, ApiError> {
    let org_id = caller.org_id;
    if let Some(project) = asked.project_id {
        app.store
            .read(|connection| projects::get(connection, org_id, project))?
            .ok_or_else(|| ApiError::not_found("There is no project with this id"))?;
    }
    if let Some(check) = asked.check_id {
        let project = app
            .store
            .read(|connection| checks::project_of(connection, org_id, check))?
            .ok_or_else(|| ApiError::not_found("There is no check with this id"))?;
        if asked.project_id.is_some_and(|asked| asked != project) {
            return Err(ApiError::field(
                "check_id",
                "This check belongs to another project; leave project_id out",
            ));
        }
    }
    let new = settle(asked)?;
    app.store
        .write(move |desk| maintenance::create(desk, org_id, &new))?
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::CONFLICT,
                "There are 1000 maintenance windows that are not over; delete some of them",
            )
        })
}

pub(super) fn delete(app: &App, caller: &Caller, window: &str) -> Answer {
    let (org_id, id) = (caller.org_id, id(window, "maintenance window")?);
    app.store
        .write(move |desk| maintenance::delete(desk, org_id, id))?;
    Ok(Response::empty())
}

fn settle(asked: NewMaintenance) -> Result<NewWindow, ApiError> {
    let reason = asked.reason.trim();
    let length = reason.chars().count();
    if length == 0 || length > REASON_MAX || reason.chars().any(char::is_control) {
        return Err(ApiError::field(
            "reason",
            "The reason must have 1 to 500 characters, none of them a control character",
        ));
    }
    let starts_at = time("starts_at", &asked.starts_at)?;
    let ends_at = time("ends_at", &asked.ends_at)?;
    if ends_at <= starts_at {
        return Err(ApiError::field(
            "ends_at",
            "'ends_at' must be after 'starts_at'",
        ));
    }
    let latest = starts_at.checked_add(HOURS_MAX.hours());
    if latest.is_ok_and(|latest| ends_at > latest) {
        return Err(ApiError::field(
            "ends_at",
            "A maintenance window may last 366 days at most",
        ));
    }
    Ok(NewWindow {
        project_id: asked.project_id,
        check_id: asked.check_id,
        reason: reason.to_owned(),
        starts_at,
        ends_at,
    })
}

/// A time, to the millisecond, as it is kept.
fn time(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    let time = text.parse::<Timestamp>();
    let kept = time.and_then(|time| Timestamp::from_millisecond(time.as_millisecond()));
    kept.map_err(|_| {
        ApiError::field(
            field,
            &format!("'{field}' must be a time such as 2026-12-01T22:00:00Z (RFC 3339)"),
        )
    })
}
