//! What may be done to a check: pause it, resume it, delete it after being asked once more.

use askama::Template;
use ureq_proto::http::StatusCode;

use super::{Found, find};
use crate::server::http::Response;
use crate::server::store::{StoreError, checks};
use crate::server::web::page::Frame;
use crate::server::web::place;
use crate::server::web::visit::Visit;
use crate::wire::Check;

#[derive(Template)]
#[template(path = "check-delete.html")]
struct Confirm<'a> {
    frame: Frame<'a>,
    check: &'a Check,
}

/// Asks whether the check is to be deleted.
pub(in crate::server::web) fn confirm(visit: &Visit<'_>, id: &str) -> Result<Response, StoreError> {
    Ok(match find(visit, id)? {
        Ok(found) if found.may_write => visit.page(
            StatusCode::OK,
            &Confirm {
                frame: found.frame(visit),
                check: &found.check,
            },
        ),
        Ok(_) => read_only(visit),
        Err(answer) => answer,
    })
}

pub(in crate::server::web) fn delete(visit: &Visit<'_>, id: &str) -> Result<Response, StoreError> {
    let found = match allowed(visit, id)? {
        Ok(found) => found,
        Err(answer) => return Ok(answer),
    };
    let (org, check) = (found.org.id, found.check.id);
    gone_is_well(
        visit
            .app
            .store
            .write(move |desk| checks::delete(desk, org, check)),
    )?;
    Ok(visit.go_to(&format!("/projects/{}", found.check.project_id)))
}

/// Pauses the check, or resumes it.
pub(in crate::server::web) fn pause(
    visit: &Visit<'_>,
    id: &str,
    paused: bool,
) -> Result<Response, StoreError> {
    let found = match allowed(visit, id)? {
        Ok(found) => found,
        Err(answer) => return Ok(answer),
    };
    let (org, check) = (found.org.id, found.check.id);
    // Who resumes what runs, in a page that is old, would start its time anew.
    if found.check.paused != paused {
        gone_is_well(
            visit
                .app
                .store
                .write(move |desk| checks::pause(desk, org, check, paused)),
        )?;
    }
    Ok(visit.go_to(&format!("/checks/{check}")))
}

/// The check, where the form is ours and whoever sent it may change checks; else the answer.
fn allowed(visit: &Visit<'_>, id: &str) -> Result<Result<Found, Response>, StoreError> {
    if let Err(stop) = place::ours(visit) {
        return place::answer(Err(stop)).map(Err);
    }
    Ok(match find(visit, id)? {
        Ok(found) if !found.may_write => Err(read_only(visit)),
        found => found,
    })
}

fn read_only(visit: &Visit<'_>) -> Response {
    visit.message(
        StatusCode::FORBIDDEN,
        "You may only look",
        "Your role in this organization is read-only. Ask an owner of it to change the check, or your role.",
    )
}

/// Somebody else may have deleted it in the same moment.
fn gone_is_well(result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(StoreError::Gone) => Ok(()),
        other => other,
    }
}
