//! Which check, and which project, a name means.

use uuid::Uuid;

use super::address::ping_url;
use super::api::Api;
use super::cache::is_called;
use super::delivery::not_a_slug;
use super::error::{Error, Kind};
use super::render::clean;
use super::settings::{Selection, same_name};
use crate::suggest::nearest;
use crate::wire::check::is_slug;
use crate::wire::{Check, Project};

/// That no project was chosen, for a command that needs one.
pub fn no_project() -> Error {
    Error::new(
        Kind::Usage,
        "No project selected. Run: pakyas project switch NAME (or set PAKYAS_PROJECT)\n  \
         pakyas project list          see the projects\n  \
         pakyas project create NAME   make one",
    )
}

/// The project called `name`: by id, slug, or name in any case.
///
/// # Errors
/// [`Kind::NotFound`], naming those that there are; else as [`Api::projects`].
pub fn project(api: &Api<'_>, name: &str) -> Result<Project, Error> {
    let projects = api.projects()?;
    let id = Uuid::try_parse(name).ok();
    let found = projects
        .iter()
        .position(|p| Some(p.id) == id)
        .or_else(|| projects.iter().position(|p| same_name(&p.slug, name)))
        .or_else(|| projects.iter().position(|p| same_name(&p.name, name)));
    match found {
        Some(at) => Ok(projects.into_iter().nth(at).ok_or_else(no_project)?),
        None => {
            let names: Vec<_> = projects.iter().map(|p| clean(&p.name)).collect();
            let there = match names.as_slice() {
                [] => "There is none yet".to_owned(),
                names => format!("There are: {}", names.join(", ")),
            };
            Err(Error::new(
                Kind::NotFound,
                format!(
                    "Project not found: none is called '{}'. {there}\n  \
                     pakyas project list          see the projects\n  \
                     pakyas project switch NAME   choose one",
                    name.escape_debug()
                ),
            )
            .of_this_machine())
        }
    }
}

/// The id of the project that is meant.
///
/// # Errors
/// [`no_project`] where none is; else as [`project`].
pub fn selected(api: &Api<'_>, selection: &Selection) -> Result<Uuid, Error> {
    match selection {
        Selection::None => Err(no_project()),
        Selection::Id(id, _) => Ok(*id),
        Selection::Named(name) => Ok(project(api, name)?.id),
    }
}

/// The check of that slug, asked of the API whatever the cache says. One question, but where
/// the name of its project leaves a doubt.
///
/// # Errors
/// [`Kind::NotFound`] where there is none; [`Kind::Usage`] where several projects have one
/// and none was chosen; else as [`Api::checks`].
pub fn check(api: &Api<'_>, selection: &Selection, slug: &str) -> Result<Check, Error> {
    let checks = match selection {
        Selection::Id(id, name) => checks_of(api, *id, name.as_deref())?,
        Selection::None => api.checks(None)?,
        Selection::Named(name) => {
            let mut checks = api.checks(None)?;
            let called: Vec<_> = checks
                .iter()
                .filter(|check| check.slug == slug && is_called(&check.project_name, name))
                .map(|check| check.id)
                .collect();
            match called.as_slice() {
                [only] => checks.retain(|check| check.id == *only),
                _ => {
                    let project = project(api, name)?;
                    checks.retain(|check| check.project_id == project.id);
                }
            }
            checks
        }
    };
    let mut found = checks.iter().filter(|check| check.slug == slug);
    match (found.next(), found.next()) {
        (Some(check), None) => Ok(check.clone()),
        (None, _) => {
            let near = nearest(slug, checks.iter().map(|check| check.slug.as_str()));
            Err(no_check(slug, &place(api, selection), near))
        }
        (Some(_), Some(_)) => {
            let projects: Vec<_> = checks
                .iter()
                .filter(|check| check.slug == slug)
                .map(|check| clean(&check.project_name))
                .collect();
            Err(Error::new(
                Kind::Usage,
                format!(
                    "Several projects have a check '{slug}': {}. Say which: --project NAME, \
                     PAKYAS_PROJECT, or pakyas project switch NAME",
                    projects.join(", ")
                ),
            ))
        }
    }
}

/// Where a thing would be, for a message: the project and the organization, as far as their names
/// are known.
pub fn place(api: &Api<'_>, selection: &Selection) -> String {
    let project = match selection {
        Selection::Id(_, Some(name)) | Selection::Named(name) => {
            format!(" in the project '{}'", clean(name))
        }
        Selection::Id(_, None) | Selection::None => String::new(),
    };
    let word = if project.is_empty() { "in" } else { "of" };
    let org = api.org_name().map_or_else(String::new, |name| {
        format!(" {word} the organization '{}'", clean(name))
    });
    project + &org
}

/// The checks of the project with that id.
///
/// # Errors
/// As [`Api::checks`], with a better sentence where the project is not there.
pub fn checks_of(api: &Api<'_>, id: Uuid, name: Option<&str>) -> Result<Vec<Check>, Error> {
    api.checks(Some(id)).map_err(|error| {
        if error.kind() != Kind::NotFound {
            return error;
        }
        let called = name.map_or_else(|| id.to_string(), clean);
        Error::new(
            Kind::NotFound,
            format!(
                "Project not found: '{called}' is not in the organization of this key\n  \
                 pakyas project list          see the projects\n  \
                 pakyas project switch NAME   choose one"
            ),
        )
        .of_this_machine()
    })
}

/// That there is no check of that slug.
fn no_check(slug: &str, place: &str, near: Option<&str>) -> Error {
    let near = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    Error::new(
        Kind::NotFound,
        format!(
            "Check not found: there is no check '{slug}'{place}{near}\n  \
             pakyas check list     see all checks\n  \
             pakyas check sync     refresh the cache\n  \
             pakyas check create --slug {slug} --period 1h     make it"
        ),
    )
}

/// The check that `text` means: a slug, an id, a public id or a ping URL.
///
/// # Errors
/// As [`check`].
pub fn check_or_id(api: &Api<'_>, selection: &Selection, text: &str) -> Result<Check, Error> {
    let pasted = ping_url(text).map(|(_, id)| id);
    let Some(id) = Uuid::try_parse(text.trim()).ok().or(pasted) else {
        if !is_slug(text) {
            return Err(not_a_slug(text));
        }
        return check(api, selection, text);
    };
    match api.get::<Check>(&format!("/checks/{id}")) {
        Err(error) if error.kind() == Kind::NotFound => {}
        other => return other,
    }
    let checks = api.checks(None)?;
    let found = checks.into_iter().find(|check| check.public_id == id);
    found.ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!(
                "Check not found: no check has the id {id}\n  pakyas check list     see all checks"
            ),
        )
    })
}
