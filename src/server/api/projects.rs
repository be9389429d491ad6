//! Projects.

use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::{
    Answer, ApiError, App, description, id, id_parameter, json, json_and_nulls, name, own_org,
};
use crate::server::http::{Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::projects;
use crate::wire::{NewProject, Project, ProjectChange};

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
    Ok(Response::json(StatusCode::CREATED, &make(app, new)?))
}

/// Creates a project, whichever way it was asked for.
pub(in crate::server) fn make(app: &App, new: NewProject) -> Result<Project, ApiError> {
    let new = NewProject {
        name: name(&new.name)?,
        description: description(new.description)?,
        ..new
    };
    Ok(app.store.write(move |desk| projects::create(desk, &new))?)
}

pub(super) fn get(app: &App, caller: &Caller, project: &str) -> Answer {
    let id = id(project, "project")?;
    let project = app
        .store
        .read(|connection| projects::get(connection, caller.org_id, id))?
        .ok_or_else(|| ApiError::not_found("There is no project with this id"))?;
    Ok(Response::json(StatusCode::OK, &project))
}

pub(super) fn update(app: &App, caller: &Caller, project: &str, request: &Request) -> Answer {
    let (asked, nulls): (ProjectChange, _) = json_and_nulls(request)?;
    let asked = ProjectChange {
        description: nulls.or_empty("description", asked.description),
        ..asked
    };
    change(app, caller, id(project, "project")?, asked)?;
    get(app, caller, project)
}

/// Changes the caller's project, whichever way it was asked for.
pub(in crate::server) fn change(
    app: &App,
    caller: &Caller,
    id: Uuid,
    change: ProjectChange,
) -> Result<(), ApiError> {
    let org_id = caller.org_id;
    let new_name = change.name.as_deref().map(name).transpose()?;
    let given = change.description.is_some();
    let new_description = description(change.description)?;
    app.store.write(move |desk| {
        let description = given.then_some(new_description.as_deref());
        projects::update(desk, org_id, id, new_name.as_deref(), description)
    })?;
    Ok(())
}

pub(super) fn delete(app: &App, caller: &Caller, project: &str) -> Answer {
    let (org_id, id) = (caller.org_id, id(project, "project")?);
    app.store
        .write(move |desk| projects::archive(desk, org_id, id))?;
    Ok(Response::empty())
}
