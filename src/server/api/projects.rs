//! Projects.

use ureq_proto::http::StatusCode;

use super::{Answer, App, description, id_parameter, json, name, own_org};
use crate::server::http::{Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::projects;
use crate::wire::NewProject;

pub(super) fn list(app: &App, caller: &Caller, request: &Request) -> Answer {
    own_org(caller, id_parameter(request, "org_id")?)?;
    let projects = app
        .store
        .read(|connection| projects::list(connection, caller.org_id))?;
    Ok(Response::json(StatusCode::OK, &projects))
}

pub(super) fn create(app: &App, caller: &Caller, request: &Request) -> Answer {
    let new: NewProject = json(request)?;
    own_org(caller, Some(new.org_id))?;
    let new = NewProject {
        name: name(&new.name)?,
        description: description(new.description)?,
        ..new
    };
    let project = app.store.write(move |desk| projects::create(desk, &new))?;
    Ok(Response::json(StatusCode::CREATED, &project))
}
