//! The page of whoever is signed in: who they are, and which organizations they belong to.

use askama::Template;
use ureq_proto::http::StatusCode;

use super::page::Frame;
use super::visit::Visit;
use crate::server::http::Response;
use crate::server::store::StoreError;
use crate::server::store::accounts::memberships;
use crate::wire::Organization;

#[derive(Template)]
#[template(path = "account.html")]
struct Account<'a> {
    frame: Frame<'a>,
    organizations: Vec<Organization>,
}

pub(super) fn show(visit: &Visit<'_>) -> Result<Response, StoreError> {
    let Some(person) = &visit.person else {
        return Ok(visit.go_to("/sign-in"));
    };
    let organizations = visit
        .app
        .store
        .read(|connection| memberships(connection, person.user_id))?;
    Ok(visit.page(
        StatusCode::OK,
        &Account {
            frame: visit.frame(),
            organizations,
        },
    ))
}
