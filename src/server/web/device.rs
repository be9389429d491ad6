//! Letting a machine in: which one asks, with which code, for which organization; yes or no.

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::forms;
use super::moment::Moment;
use super::page::Frame;
use super::visit::{Person, Visit};
use crate::server::accounts::devices::{Asking, Decision, Device};
use crate::server::api::auth::DEVICE_PAGE;
use crate::server::clock;
use crate::server::http::Response;
use crate::server::store::StoreError;
use crate::server::store::accounts::{Role, memberships};

/// An organization that may be chosen.
struct Choice {
    id: Uuid,
    name: String,
    role: String,
    scopes: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "device.html")]
struct Page<'a> {
    frame: Frame<'a>,
    device: &'a Device,
    code: &'a str,
    asked_at: Moment,
    choices: Vec<Choice>,
    /// The machine asked for an organization that this person does not belong to.
    foreign: bool,
}

pub(super) fn show(visit: &Visit<'_>, link: &str) -> Result<Response, StoreError> {
    let Some(asking) = visit.app.accounts.devices.by_link(link, clock::now()) else {
        return Ok(gone(visit));
    };
    let Some(person) = &visit.person else {
        return Ok(visit.sign_in_first());
    };
    match asking.decision {
        Decision::Pending => ask(visit, person, &asking),
        Decision::Denied => Ok(visit.message(
            StatusCode::OK,
            "Denied",
            "The machine gets no key. You can close this page.",
        )),
        Decision::Approved { .. } | Decision::Done => Ok(visit.message(
            StatusCode::OK,
            "Approved",
            "The machine is logged in. You can close this page and go back to the terminal.",
        )),
    }
}

fn ask(visit: &Visit<'_>, person: &Person, asking: &Asking) -> Result<Response, StoreError> {
    let theirs = visit
        .app
        .store
        .read(|connection| memberships(connection, person.user_id))?;
    let wanted = asking.device.org_id;
    let foreign = wanted.is_some_and(|id| theirs.iter().all(|org| org.id != id));
    let choices: Vec<Choice> = theirs
        .into_iter()
        .map(|org| {
            let role = Role::named(&org.user_role).unwrap_or(Role::ReadOnly);
            Choice {
                chosen: Some(org.id) == wanted,
                id: org.id,
                name: org.name,
                role: role.as_str().to_owned(),
                scopes: role.scopes().join(", "),
            }
        })
        .collect();
    if choices.is_empty() {
        return Ok(visit.message(
            StatusCode::FORBIDDEN,
            "You belong to no organization",
            "Have whoever runs the server add you to one: pakyas-server user add.",
        ));
    }
    Ok(visit.page(
        StatusCode::OK,
        &Page {
            frame: visit.frame(),
            device: &asking.device,
            code: &asking.code,
            asked_at: Moment::new(asking.device.asked_at, clock::now()),
            choices,
            foreign,
        },
    ))
}

pub(super) fn decide(visit: &Visit<'_>, link: &str) -> Result<Response, StoreError> {
    let devices = &visit.app.accounts.devices;
    let Some(asking) = devices.by_link(link, clock::now()) else {
        return Ok(gone(visit));
    };
    let here = format!("{DEVICE_PAGE}{}", asking.link);
    let Some(person) = &visit.person else {
        return Ok(visit.sign_in_first());
    };
    if !forms::is_ours(visit) {
        return Ok(visit.message(
            StatusCode::FORBIDDEN,
            "Nothing was decided",
            "This form was too old, or does not come from this server. Open the link again.",
        ));
    }
    let value = |name| visit.request.form(name).unwrap_or_default();
    let decision = match value("decision").as_str() {
        "deny" => Decision::Denied,
        "approve" => {
            let theirs = visit
                .app
                .store
                .read(|connection| memberships(connection, person.user_id))?;
            let chosen = value("org").parse::<Uuid>().ok();
            let Some(org) = theirs.into_iter().find(|org| Some(org.id) == chosen) else {
                return Ok(visit.message(
                    StatusCode::FORBIDDEN,
                    "Nothing was decided",
                    "You don't belong to that organization. Open the link again, and choose one of yours.",
                ));
            };
            Decision::Approved {
                org_id: org.id,
                user_id: person.user_id,
            }
        }
        _ => return Ok(visit.go_to(&here)),
    };
    if !devices.decide(link, decision, clock::now()) {
        return Ok(visit.message(
            StatusCode::CONFLICT,
            "This was decided before",
            "Nothing was changed. To log the machine in, run pakyas login on it again.",
        ));
    }
    Ok(visit.go_to(&here))
}

fn gone(visit: &Visit<'_>) -> Response {
    visit.message(
        StatusCode::NOT_FOUND,
        "This link is not good any more",
        "It is good for ten minutes. Run pakyas login on the machine again for another.",
    )
}
