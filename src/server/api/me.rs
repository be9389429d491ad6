//! Who the key, or the session, belongs to.

use ureq_proto::http::StatusCode;

use super::{Answer, App};
use crate::server::http::Response;
use crate::server::store::accounts::{self, Caller, Credential};
use crate::wire::Me;

pub(super) fn show(app: &App, caller: &Caller) -> Answer {
    Ok(Response::json(
        StatusCode::OK,
        &Me {
            organization_id: caller.org_id,
            organization_name: caller.org_name.clone(),
            org_id: caller.org_id,
            org_name: caller.org_name.clone(),
            email: caller.email.clone(),
            scopes: caller.scopes.clone(),
            ping_url_base: app.public_url.clone(),
            user_role: Some(caller.role.as_str().to_owned()),
            key: match &caller.credential {
                Credential::Key(key) => Some(key.clone()),
                Credential::Session(_) => None,
            },
        },
    ))
}

pub(super) fn organizations(app: &App, caller: &Caller) -> Answer {
    let organizations = app
        .store
        .read(|connection| accounts::organizations(connection, caller))?;
    Ok(Response::json(StatusCode::OK, &organizations))
}
