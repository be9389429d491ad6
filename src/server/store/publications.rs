//! What of a project everybody may see: the address of its status page, and of its badges.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::super::hash::hex;
use super::{Desk, StoreError, taken};
use crate::random;

/// What is public of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publication {
    /// Its status page, where that is switched on.
    pub page: Option<Page>,
    /// Its badges, where they are switched on.
    pub badges: Option<Badges>,
}

/// A status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The last part of its address.
    pub path: String,
    /// Whether a person chose the path; else it can't be guessed.
    pub chosen: bool,
    /// Whether search engines may list it.
    pub listed: bool,
}

/// What the addresses of a project's badges are made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badges {
    /// What all begin with: finds the project.
    pub prefix: String,
    /// What the rest is signed with.
    pub secret: [u8; 32],
}

/// A project of which something is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The organization's id.
    pub org_id: Uuid,
    /// The project's id.
    pub project_id: Uuid,
    /// The project's name.
    pub name: String,
    /// What is public.
    pub publication: Publication,
}

const COLUMNS: &str = "page_path, page_chosen, page_listed, badge_prefix, badge_secret";

/// Reads [`COLUMNS`] from this one on.
fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Publication> {
    let path: Option<String> = row.get(first)?;
    let (chosen, listed) = (row.get(first + 1)?, row.get(first + 2)?);
    let prefix: Option<String> = row.get(first + 3)?;
    let secret: Option<[u8; 32]> = row.get(first + 4)?;
    Ok(Publication {
        page: path.map(|path| Page {
            path,
            chosen,
            listed,
        }),
        badges: prefix
            .zip(secret)
            .map(|(prefix, secret)| Badges { prefix, secret }),
    })
}

/// What is public of the project.
///
/// # Errors
/// As SQLite says.
pub fn of_project(connection: &Connection, project_id: Uuid) -> Result<Publication, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM publication WHERE project_id = ?");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([project_id], |row| from_row(row, 0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The project whose status page has this path.
///
/// # Errors
/// As SQLite says.
pub fn by_path(connection: &Connection, path: &str) -> Result<Option<Published>, StoreError> {
    find(connection, "page_path", path)
}

/// The project whose badges' addresses begin with this.
///
/// # Errors
/// As SQLite says.
pub fn by_prefix(connection: &Connection, prefix: &str) -> Result<Option<Published>, StoreError> {
    find(connection, "badge_prefix", prefix)
}

fn find(
    connection: &Connection,
    column: &str,
    value: &str,
) -> Result<Option<Published>, StoreError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT project.org_id, project.id, project.name, {COLUMNS}
             FROM publication JOIN project ON project.id = publication.project_id
             WHERE {column} = ? AND archived_at IS NULL"
        ))?
        .query_row([value], |row| {
            Ok(Published {
                org_id: row.get(0)?,
                project_id: row.get(1)?,
                name: row.get(2)?,
                publication: from_row(row, 3)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Switches the status page on, or moves it: to the path that was chosen, else to a random one
/// where it has none or `anew` is set. The old address is gone at once.
///
/// # Errors
/// [`StoreError::Taken`] where another project's page has the path; else as SQLite says.
pub fn set_page(
    desk: &mut Desk<'_>,
    project_id: Uuid,
    chosen: Option<&str>,
    listed: bool,
    anew: bool,
) -> Result<(), StoreError> {
    let before = of_project(desk.connection, project_id)?.page;
    let path = match (chosen, before) {
        (Some(path), _) => path.to_owned(),
        (None, Some(page)) if !page.chosen && !anew => page.path,
        (None, _) => hex(&random::bytes::<16>()?),
    };
    desk.connection
        .execute(
            "INSERT INTO publication (project_id, page_path, page_chosen, page_listed)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (project_id) DO UPDATE
             SET page_path = ?2, page_chosen = ?3, page_listed = ?4",
            params![project_id, path, chosen.is_some(), listed],
        )
        .map_err(taken("path"))?;
    Ok(())
}

/// Switches the status page off, and forgets its address.
///
/// # Errors
/// As SQLite says.
pub fn remove_page(desk: &mut Desk<'_>, project_id: Uuid) -> Result<(), StoreError> {
    desk.connection.execute(
        "UPDATE publication SET page_path = NULL, page_chosen = 0, page_listed = 0
         WHERE project_id = ?",
        [project_id],
    )?;
    Ok(())
}

/// Switches the badges on, at new addresses: the old ones are gone at once.
///
/// # Errors
/// As SQLite says.
pub fn set_badges(desk: &mut Desk<'_>, project_id: Uuid) -> Result<(), StoreError> {
    let (prefix, secret) = (hex(&random::bytes::<8>()?), random::bytes::<32>()?);
    desk.connection.execute(
        "INSERT INTO publication (project_id, badge_prefix, badge_secret) VALUES (?1, ?2, ?3)
         ON CONFLICT (project_id) DO UPDATE SET badge_prefix = ?2, badge_secret = ?3",
        params![project_id, prefix, secret],
    )?;
    Ok(())
}

/// Switches the badges off, and forgets their addresses.
///
/// # Errors
/// As SQLite says.
pub fn remove_badges(desk: &mut Desk<'_>, project_id: Uuid) -> Result<(), StoreError> {
    desk.connection.execute(
        "UPDATE publication SET badge_prefix = NULL, badge_secret = NULL WHERE project_id = ?",
        [project_id],
    )?;
    Ok(())
}
