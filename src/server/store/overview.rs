//! All checks at a glance: what the first page shows of each, and no more.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::StoreError;
use super::inspect::last_line;
use crate::server::engine::Millis;
use crate::wire::{Kind, Status};

/// How many of a check's newest pings are looked through for the ends of its runs.
const DEPTH: i64 = 200;

/// How much of the end of an output is read for its last line, bytes.
const OUTPUT_END: i64 = 1_000;

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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Success,
    /// Badly.
    Failure,
    /// It was expected, and nothing came.
    Missing,
}

/// The newest `count` runs of the check, oldest first, each with its duration in milliseconds.
///
/// # Errors
/// As SQLite says.
pub fn runs(
    connection: &Connection,
    row: i64,
    count: usize,
) -> Result<Vec<(End, Option<i64>)>, StoreError> {
    let mut found: Vec<(Millis, End, Option<i64>)> = Vec::new();
    let mut pings = connection.prepare_cached(
        "SELECT kind, created_at, duration_ms FROM ping WHERE check_row = ?
         ORDER BY created_at DESC, row DESC LIMIT ?",
    )?;
    let mut rows = pings.query(params![row, DEPTH])?;
    while let Some(ping) = rows.next()? {
        let kind: String = ping.get(0)?;
        let end = match Kind::from_name(&kind) {
            Some(Kind::Success) => End::Success,
            Some(Kind::Fail) => End::Failure,
            _ => continue,
        };
        found.push((ping.get(1)?, end, ping.get(2)?));
        if found.len() == count {
            break;
        }
    }
    let mut misses = connection.prepare_cached(
        "SELECT occurred_at FROM event
         WHERE check_row = ? AND kind = 'status_changed' AND to_status = 'down'
           AND source = 'schedule'
         ORDER BY effective_at DESC, row DESC LIMIT ?",
    )?;
    let count_sql = i64::try_from(count).unwrap_or(i64::MAX);
    for at in misses.query_map(params![row, count_sql], |row| row.get(0))? {
        found.push((at?, End::Missing, None));
    }
    found.sort_by_key(|(at, ..)| *at);
    let surplus = found.len().saturating_sub(count);
    Ok(found
        .into_iter()
        .skip(surplus)
        .map(|(_, end, duration)| (end, duration))
        .collect())
}

/// How the last run of the check failed: its exit code, and the last line that it printed.
///
/// # Errors
/// As SQLite says.
pub fn last_words(
    connection: &Connection,
    row: i64,
) -> Result<(Option<u8>, Option<String>), StoreError> {
    let failure: Option<(Option<u8>, Option<Vec<u8>>)> = connection
        .prepare_cached(
            "SELECT exit_code, substr(body, -?2) FROM ping WHERE check_row = ?1 AND kind = 'fail'
             ORDER BY created_at DESC, row DESC LIMIT 1",
        )?
        .query_row(params![row, OUTPUT_END], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (exit_code, output) = failure.unwrap_or_default();
    Ok((exit_code, output.as_deref().and_then(last_line)))
}
