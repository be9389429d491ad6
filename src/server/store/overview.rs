//! All checks at a glance: what the first page shows of each, and no more.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::StoreError;
use crate::server::engine::Millis;
use crate::server::plain;
use crate::wire::{OUTPUT_LIMIT, Status};

/// How much of a line of an output is shown, characters.
const LINE: usize = 150;

/// One check.
pub struct Glance {
    /// Its row.
    pub row: i64,
    /// Its id.
    pub id: Uuid,
    /// The project's id.
    pub project_id: Uuid,
    /// The project's name.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// To group checks by.
    pub tags: Vec<String>,
    /// What it is.
    pub status: Status,
    /// Since when.
    pub since: Millis,
    /// When it last reported.
    pub last_ping: Option<Millis>,
    /// When the next end is expected.
    pub expected: Option<Millis>,
    /// Failures in a row.
    pub failures: u32,
    /// When the last run started, where it has not ended.
    pub running_since: Option<Millis>,
}

/// The organization's checks, or those of one of its projects, in no order.
///
/// # Errors
/// As SQLite says.
pub fn glances(
    connection: &Connection,
    org_id: Uuid,
    project: Option<Uuid>,
) -> Result<Vec<Glance>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT check_.row, check_.id, project_id, project.name, check_.name, check_.slug, tags,
             status, status_since, last_ping_at, expected_at, failures,
             CASE runs WHEN '[]' THEN NULL ELSE last_start_at END
         FROM check_ JOIN project ON project.id = check_.project_id
         WHERE check_.org_id = ?1 AND deleted_at IS NULL AND (?2 IS NULL OR project_id = ?2)",
    )?;
    let rows = statement.query_map(params![org_id, project], |row| {
        Ok(Glance {
            row: row.get(0)?,
            id: row.get(1)?,
            project_id: row.get(2)?,
            project: row.get(3)?,
            name: row.get(4)?,
            slug: row.get(5)?,
            tags: serde_json::from_str(row.get_ref(6)?.as_str()?).unwrap_or_default(),
            status: Status::from_name(row.get_ref(7)?.as_str()?).unwrap_or(Status::New),
            since: row.get(8)?,
            last_ping: row.get(9)?,
            expected: row.get(10)?,
            failures: row.get(11)?,
            running_since: row.get(12)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How the last run of the check failed: its exit code, and the last two lines that it printed,
/// each of [`LINE`] characters at most. Often the last says only that it ended.
///
/// # Errors
/// As SQLite says.
pub fn last_words(
    connection: &Connection,
    row: i64,
) -> Result<(Option<u8>, Vec<String>), StoreError> {
    let failure = connection
        .prepare_cached(
            "SELECT exit_code, substr(body, -?2), length(body) > ?2 FROM ping
             WHERE check_row = ?1 AND kind = 'fail'
             ORDER BY created_at DESC, row DESC LIMIT 1",
        )?
        .query_row(params![row, OUTPUT_LIMIT as i64], |row| {
            let output: Option<Vec<u8>> = row.get(1)?;
            let is_cut: Option<bool> = row.get(2)?;
            let lines = plain::lines(&output.unwrap_or_default(), is_cut == Some(true));
            Ok((row.get(0)?, lines))
        })
        .optional()?;
    let (exit_code, lines) = failure.unwrap_or_default();
    let said: Vec<&str> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .collect();
    let last = said[said.len() - said.len().min(2)..].iter();
    Ok((
        exit_code,
        last.map(|line| plain::shortened(line, LINE)).collect(),
    ))
}
