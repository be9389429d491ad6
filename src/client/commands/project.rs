//! `pakyas project …`: list, create, choose, show what is chosen, delete.

use serde_json::json;
use uuid::Uuid;

use super::{Context, confirm, name, usage};
use crate::client::args::{ProjectCommand, ProjectCreate, ProjectDefault, ProjectDelete};
use crate::client::config::{self, ChosenProject, Config};
use crate::client::error::Error;
use crate::client::lookup;
use crate::client::render::{self, Table, clean};
use crate::client::settings::{Selection, same_name};
use crate::wire::check::DESCRIPTION_MAX;
use crate::wire::{NewProject, Project};

pub fn run(context: &Context, command: ProjectCommand) -> Result<i32, Error> {
    match command {
        ProjectCommand::List(_) => list(context),
        ProjectCommand::Create(typed) => create(context, &typed),
        ProjectCommand::Switch(typed) => switch(context, &typed.name),
        ProjectCommand::Default(typed) => default(context, &typed),
        ProjectCommand::Delete(typed) => delete(context, &typed),
    }?;
    Ok(0)
}

fn list(context: &Context) -> Result<(), Error> {
    let api = context.api()?;
    let projects = api.projects()?;
    let selection = context.settings.project()?;
    let is_active = |project: &Project| match &selection {
        Selection::None => false,
        Selection::Id(id, _) => project.id == *id,
        Selection::Named(name) => same_name(&project.slug, name) || same_name(&project.name, name),
    };
    if projects.is_empty() {
        context
            .talk
            .note("There are no projects yet. Make one: pakyas project create NAME");
    }
    render::list(context.format, &projects, || {
        if projects.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&["", "NAME", "SLUG", "DESCRIPTION", "ID"], &[3, 1]);
        for project in &projects {
            let mark = if is_active(project) { "*" } else { "" };
            table.row([
                mark.to_owned(),
                project.name.clone(),
                project.slug.clone(),
                project.description.clone().unwrap_or_default(),
                project.id.to_string(),
            ]);
        }
        table.text(context.screen)
    })
}

fn create(context: &Context, typed: &ProjectCreate) -> Result<(), Error> {
    let name = name("NAME", &typed.name)?;
    let description = typed.description.clone().filter(|text| !text.is_empty());
    if description
        .as_ref()
        .is_some_and(|text| text.chars().count() > DESCRIPTION_MAX)
    {
        return Err(usage(format!(
            "--description may have up to {DESCRIPTION_MAX} characters"
        )));
    }
    let api = context.api()?;
    let new = NewProject {
        org_id: api.org_id()?,
        name,
        description,
    };
    let project: Project = api.post("/projects", &new)?;
    context.talk.note(&format!(
        "Created the project '{}'. Use it: pakyas project switch {}",
        clean(&project.name),
        clean(&project.slug)
    ));
    render::one(context.format, &project, String::new)
}

fn switch(context: &Context, wanted: &str) -> Result<(), Error> {
    let api = context.api()?;
    let project = lookup::project(&api, wanted)?;
    let me = api.me()?;
    let chosen = ChosenProject {
        id: project.id,
        name: project.name.clone(),
    };
    context.use_from_now_on(&api, &me, Some(chosen))?;
    context
        .talk
        .note(&format!("Now using the project '{}'", clean(&project.name)));
    render::one(context.format, &project, String::new)
}

fn default(context: &Context, typed: &ProjectDefault) -> Result<(), Error> {
    match (&typed.name, typed.clear) {
        (Some(_), true) => Err(usage("A project to use and --clear; leave one out")),
        (Some(name), false) => switch(context, name),
        (None, true) => clear(context),
        (None, false) => {
            let api = context.api()?;
            let id = lookup::selected(&api, &context.settings.project()?)?;
            let project = lookup::project(&api, &id.to_string())?;
            render::one(context.format, &project, || {
                format!("{}\n", clean(&project.name))
            })
        }
    }
}

fn clear(context: &Context) -> Result<(), Error> {
    let api = context.api()?;
    unchoose(context, api.org_id()?)?;
    context
        .talk
        .note("No project is used by default now; name one with --project or PAKYAS_PROJECT");
    Ok(())
}

/// Has no project in use any more in the organization of this id, nor the project of this id.
fn unchoose(context: &Context, id: Uuid) -> Result<(), Error> {
    let aside = config::update::<Config>(context.settings.directory_to_write()?, |config| {
        let projects = &mut config.projects;
        projects.retain(|org, project| *org != id && project.id != id);
    })?;
    context.tell_aside(aside);
    Ok(())
}

fn delete(context: &Context, typed: &ProjectDelete) -> Result<(), Error> {
    let api = context.api()?;
    let project = lookup::project(&api, &typed.name)?;
    let name = clean(&project.name);
    confirm(
        &format!("Delete the project '{name}' and all of its checks?"),
        typed.yes,
    )?;
    api.act("DELETE", &format!("/projects/{}", project.id))?;
    api.remember(|account| account.forget_project(project.id));
    context.talk.note(&format!("Deleted the project '{name}'"));
    let config = context.settings.config();
    if config.is_ok_and(|config| config.projects.values().any(|p| p.id == project.id)) {
        match unchoose(context, project.id) {
            Ok(()) => context
                .talk
                .note("It was the one in use; choose another: pakyas project switch NAME"),
            Err(error) => context.talk.warn(error.first_line()),
        }
    }
    let result = json!({ "id": project.id, "name": project.name, "deleted": true });
    render::one(context.format, &result, String::new)
}
