//! Projects: listed with how many checks they have, made, renamed, deleted with their checks.

use askama::Template;
use uuid::Uuid;

use super::super::fields::{Field, Problems};
use super::super::page::Frame;
use super::super::place::{Page, Place, Stop, Token, refuse, token};
use super::super::visit::Visit;
use super::{Head, done, field, filling_in};
use crate::server::api::projects as api;
use crate::server::store::projects;
use crate::wire::{NewProject, Project, ProjectChange};

#[derive(Template)]
#[template(path = "projects.html")]
struct List<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    rows: Vec<(Project, u64)>,
    may: bool,
    problems: &'a Problems,
    fields: [Field; 2],
}

#[derive(Template)]
#[template(path = "project.html")]
struct One<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    project: &'a Project,
    size: u64,
    problems: &'a Problems,
    fields: [Field; 2],
    sure: Field,
}

fn fields(name: &str, description: &str, problems: &Problems) -> [Field; 2] {
    [
        Field::new("name", "Name")
            .value(name)
            .required()
            .of(problems),
        Field::area("description", "Description")
            .value(description)
            .hint("Up to 500 characters.")
            .of(problems),
    ]
}

pub(super) fn list(visit: &Visit<'_>) -> Page {
    let place = Place::of(visit)?;
    page(visit, &place, &Problems::default(), "", "")
}

fn page(
    visit: &Visit<'_>,
    place: &Place,
    problems: &Problems,
    name: &str,
    description: &str,
) -> Page {
    let (projects, sizes) = visit.app.store.read(|connection| {
        Ok((
            projects::list(connection, place.org())?,
            projects::sizes(connection, place.org())?,
        ))
    })?;
    let rows = projects.into_iter().map(|project| {
        let size = sizes.get(&project.id).copied().unwrap_or_default();
        (project, size)
    });
    let template = List {
        frame: place.frame(visit),
        head: Head::new(visit, place, "projects"),
        rows: rows.collect(),
        may: place.may("write"),
        problems,
        fields: fields(name, description, problems),
    };
    Ok(visit.page(problems.status(), &template))
}

/// The name and the description that were typed.
fn typed(visit: &Visit<'_>) -> (String, String) {
    let description = field(visit, "description").replace("\r\n", "\n");
    (field(visit, "name"), description)
}

pub(super) fn create(visit: &Visit<'_>) -> Page {
    let (token, place) = filling_in(visit, "write")?;
    let (name, description) = typed(visit);
    token.or_again(|problems| page(visit, &place, problems, &name, &description))?;
    let new = NewProject {
        org_id: place.org(),
        name: name.clone(),
        description: Some(description.clone()),
    };
    match api::make(visit.app, new) {
        Ok(_) => Ok(done(visit, &place, "projects", "created")),
        Err(error) => {
            let mut problems = Problems::default();
            problems.take(visit, &error)?;
            page(visit, &place, &problems, &name, &description)
        }
    }
}

fn find(visit: &Visit<'_>, id: &str) -> Result<(Place, Project), Stop> {
    let (place, project) = Place::with(visit, id, projects::get)?;
    Ok((place, project))
}

/// The same for a form, where they may change it.
fn changing(visit: &Visit<'_>, id: &str) -> Result<(Token, Place, Project), Stop> {
    let token = token(visit)?;
    let (place, project) = find(visit, id)?;
    place.need(visit, "write")?;
    Ok((token, place, project))
}

pub(super) fn show(visit: &Visit<'_>, id: &str) -> Page {
    let (place, project) = find(visit, id)?;
    place.need(visit, "write")?;
    let description = project.description.clone().unwrap_or_default();
    let none = Problems::default();
    one(visit, &place, &project, &none, &project.name, &description)
}

fn one(
    visit: &Visit<'_>,
    place: &Place,
    project: &Project,
    problems: &Problems,
    name: &str,
    description: &str,
) -> Page {
    let sizes = visit
        .app
        .store
        .read(|connection| projects::sizes(connection, place.org()))?;
    let template = One {
        frame: place.frame(visit),
        head: Head::new(visit, place, "projects"),
        project,
        size: sizes.get(&project.id).copied().unwrap_or_default(),
        problems,
        fields: fields(name, description, problems),
        sure: Field::new("sure", "Its name, to be sure").of(problems),
    };
    Ok(visit.page(problems.status(), &template))
}

pub(super) fn update(visit: &Visit<'_>, id: &str) -> Page {
    let (token, place, project) = changing(visit, id)?;
    let (name, description) = typed(visit);
    token.or_again(|problems| one(visit, &place, &project, problems, &name, &description))?;
    let change = ProjectChange {
        name: Some(name.clone()),
        description: Some(description.clone()),
    };
    match api::change(visit.app, &place.caller, project.id, change) {
        Ok(()) => Ok(done(visit, &place, "projects", "changed")),
        Err(error) => {
            let mut problems = Problems::default();
            problems.take(visit, &error)?;
            one(visit, &place, &project, &problems, &name, &description)
        }
    }
}

/// Deletes it where its name was typed: its checks go with it.
pub(super) fn delete(visit: &Visit<'_>, id: &str) -> Page {
    let (token, place, project) = changing(visit, id)?;
    let description = project.description.clone().unwrap_or_default();
    let again = |problems: &Problems| {
        one(
            visit,
            &place,
            &project,
            problems,
            &project.name,
            &description,
        )
    };
    token.or_again(again)?;
    if field(visit, "sure") != project.name {
        let mut problems = Problems::default();
        problems.add("sure", "Type the project's name to delete it");
        return again(&problems);
    }
    let (org_id, id): (Uuid, Uuid) = (place.org(), project.id);
    visit
        .app
        .store
        .write(move |desk| projects::archive(desk, org_id, id))
        .map_err(|error| refuse(visit, &error.into()))?;
    Ok(done(visit, &place, "projects", "deleted"))
}
