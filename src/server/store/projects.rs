//! Projects.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{Desk, StoreError, taken, timestamp, unsigned};
use crate::random;
use crate::wire::check::slug_from_name;
use crate::wire::{NewProject, Project};

const COLUMNS: &str = "id, org_id, name, slug, description, created_at, updated_at, archived_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        id: row.get(0)?,
        org_id: row.get(1)?,
        name: row.get(2)?,
        slug: row.get(3)?,
        description: row.get(4)?,
        created_at: timestamp(row.get(5)?),
        updated_at: timestamp(row.get(6)?),
        archived_at: row.get::<_, Option<i64>>(7)?.map(timestamp),
    })
}

/// Creates a project; its slug comes from its name.
///
/// # Errors
/// [`StoreError::Taken`] where a project of this name is there; else as SQLite says.
pub fn create(desk: &mut Desk<'_>, new: &NewProject) -> Result<Project, StoreError> {
    let id = random::uuid()?;
    let slug = match slug_from_name(&new.name) {
        // A name in another script than Latin: the id is all there is to make a slug from.
        slug if slug.is_empty() => format!("project-{}", &id.simple().to_string()[..8]),
        slug => slug,
    };
    let now = desk.now;
    desk.connection
        .execute(
            "INSERT INTO project (id, org_id, name, slug, description, created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![id, new.org_id, new.name, slug, new.description, now, now],
        )
        .map_err(taken("name"))?;
    Ok(Project {
        id,
        org_id: new.org_id,
        name: new.name.clone(),
        slug,
        description: new.description.clone(),
        created_at: timestamp(now),
        updated_at: timestamp(now),
        archived_at: None,
    })
}

/// The organization's projects by name, but archived ones.
///
/// # Errors
/// As SQLite says.
pub fn list(connection: &Connection, org_id: Uuid) -> Result<Vec<Project>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM project WHERE org_id = ? AND archived_at IS NULL ORDER BY name"
    ))?;
    let rows = statement.query_map([org_id], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many checks each of the organization's projects has; those with none are left out.
///
/// # Errors
/// As SQLite says.
pub fn sizes(connection: &Connection, org_id: Uuid) -> Result<HashMap<Uuid, u64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT project_id, count(*) FROM check_
         WHERE org_id = ? AND deleted_at IS NULL GROUP BY project_id",
    )?;
    let rows = statement.query_map([org_id], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The project, if it is one of this organization's and not archived.
///
/// # Errors
/// As SQLite says.
pub fn get(connection: &Connection, org_id: Uuid, id: Uuid) -> Result<Option<Project>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM project WHERE org_id = ? AND id = ? AND archived_at IS NULL"
    ))?;
    Ok(statement.query_row([org_id, id], from_row).optional()?)
}

/// Gives the organization's project another name or description; its slug stays, since people
/// have it in their configuration.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such project, [`StoreError::Taken`] where another has
/// that name; else as SQLite says.
pub fn update(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    id: Uuid,
    name: Option<&str>,
    description: Option<Option<&str>>,
) -> Result<(), StoreError> {
    let project = get(desk.connection, org_id, id)?.ok_or(StoreError::Gone)?;
    desk.connection
        .execute(
            "UPDATE project SET name = ?, description = ?, updated_at = ? WHERE id = ?",
            params![
                name.unwrap_or(&project.name),
                description.unwrap_or(project.description.as_deref()),
                desk.now,
                id
            ],
        )
        .map_err(taken("name"))?;
    Ok(())
}

/// Archives the organization's project; its checks are deleted.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such project; else as SQLite says.
pub fn archive(desk: &mut Desk<'_>, org_id: Uuid, id: Uuid) -> Result<(), StoreError> {
    get(desk.connection, org_id, id)?.ok_or(StoreError::Gone)?;
    super::checks::delete_all_of(desk, org_id, id)?;
    desk.connection.execute(
        "UPDATE project SET archived_at = ? WHERE id = ?",
        params![desk.now, id],
    )?;
    Ok(())
}
