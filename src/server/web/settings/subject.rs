//! What a channel or a maintenance window is about: everything, one project, or one check.

use std::collections::HashMap;

use rusqlite::Connection;
use uuid::Uuid;

use super::super::fields::{Choice, Field, Problems};
use super::super::place::{Place, Stop, nothing_here};
use super::super::visit::Visit;
use super::field;
use crate::server::store::{StoreError, checks, projects};
use crate::wire::Project;

/// What was typed about it.
#[derive(Default)]
pub(super) struct Typed {
    project: String,
    check: String,
}

impl Typed {
    pub fn sent(visit: &Visit<'_>) -> Self {
        Self {
            project: field(visit, "project"),
            check: field(visit, "check"),
        }
    }

    /// The fields for it.
    pub fn fields(&self, projects: &[Project], problems: &Problems) -> [Field; 2] {
        let everything = [Choice::new("", "All checks")];
        let theirs = projects
            .iter()
            .map(|project| Choice::new(project.id, format!("Project {}", project.name)));
        [
            Field::select(
                "project",
                "For",
                everything.into_iter().chain(theirs).collect(),
            )
            .value(&self.project)
            .of(problems),
            Field::new("check", "Only for one check")
                .value(&self.check)
                .hint("Its slug, such as db-backup. Left empty, it is for all of them.")
                .of(problems),
        ]
    }

    /// The project, or the check, that is meant; another organization's are not there.
    pub fn find(
        &self,
        visit: &Visit<'_>,
        place: &Place,
        problems: &mut Problems,
    ) -> Result<(Option<Uuid>, Option<Uuid>), Stop> {
        let store = &visit.app.store;
        let project = match self.project.as_str() {
            "" => None,
            text => {
                let id: Uuid = text.parse().map_err(|_| nothing_here(visit))?;
                let found = store.read(|connection| projects::get(connection, place.org(), id))?;
                Some(found.ok_or_else(|| nothing_here(visit))?.id)
            }
        };
        if self.check.is_empty() {
            return Ok((project, None));
        }
        let found = store
            .read(|connection| checks::by_slug(connection, place.org(), project, &self.check))?;
        match found.as_slice() {
            [check] => Ok((None, Some(*check))),
            [] => {
                problems.add(
                    "check",
                    "There is no check with this slug; look at its page for it",
                );
                Ok((None, None))
            }
            _ => {
                problems.add(
                    "check",
                    "Several projects have a check with this slug; choose the project too",
                );
                Ok((None, None))
            }
        }
    }
}

/// What things are called.
pub(super) struct Names {
    projects: HashMap<Uuid, String>,
}

impl Names {
    pub fn of(projects: &[Project]) -> Self {
        Self {
            projects: projects
                .iter()
                .map(|project| (project.id, project.name.clone()))
                .collect(),
        }
    }

    /// What something is about, in words.
    pub fn say(
        &self,
        connection: &Connection,
        org: Uuid,
        project: Option<Uuid>,
        check: Option<Uuid>,
    ) -> Result<String, StoreError> {
        Ok(match (project, check) {
            (_, Some(check)) => checks::name_of(connection, org, check)?.map_or_else(
                || "a check that was deleted".to_owned(),
                |name| format!("the check {name}"),
            ),
            (Some(project), None) => self.projects.get(&project).map_or_else(
                || "a project that was deleted".to_owned(),
                |name| format!("the project {name}"),
            ),
            (None, None) => "all checks".to_owned(),
        })
    }
}
