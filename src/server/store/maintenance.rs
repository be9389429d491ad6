//! Maintenance windows: when the alerts about a check, a project or all checks are held.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::super::engine::{Millis, Windows};
use super::{Desk, StoreError, timestamp};
use crate::random;
use crate::wire::Maintenance;

/// How long windows that are over are still known to the engine, milliseconds: a server that
/// was down in one decides afterwards what was to be told at its end.
const REMEMBERED: Millis = 8 * 86_400_000;

/// How long windows that are over are still listed, milliseconds.
const LISTED: Millis = 90 * 86_400_000;

/// How many windows that are not over an organization may have.
const WINDOWS_MAX: i64 = 1000;

/// A window as it is asked for, its values checked.
#[derive(Debug, Clone)]
pub struct NewWindow {
    /// Where set, only for this project of the organization's.
    pub project_id: Option<Uuid>,
    /// Where set, only for this check of the organization's.
    pub check_id: Option<Uuid>,
    /// 1–500 characters.
    pub reason: String,
    /// Before its end.
    pub starts_at: Timestamp,
    /// Not part of it.
    pub ends_at: Timestamp,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Maintenance> {
    Ok(Maintenance {
        id: row.get(0)?,
        org_id: row.get(1)?,
        project_id: row.get(2)?,
        check_id: row.get(3)?,
        reason: row.get(4)?,
        starts_at: timestamp(row.get(5)?),
        ends_at: timestamp(row.get(6)?),
        created_at: timestamp(row.get(7)?),
    })
}

const COLUMNS: &str = "id, org_id, project_id, check_id, reason, starts_at, ends_at, created_at";

/// Creates a window; none where the organization has too many.
///
/// # Errors
/// As SQLite says.
pub fn create(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    new: &NewWindow,
) -> Result<Option<Maintenance>, StoreError> {
    desk.connection.execute(
        "DELETE FROM maintenance WHERE org_id = ? AND ends_at < ?",
        params![org_id, desk.now - LISTED],
    )?;
    let count: i64 = desk.connection.query_row(
        "SELECT count(*) FROM maintenance WHERE org_id = ? AND ends_at > ?",
        params![org_id, desk.now],
        |row| row.get(0),
    )?;
    if count >= WINDOWS_MAX {
        return Ok(None);
    }
    let window = Maintenance {
        id: random::uuid()?,
        org_id,
        project_id: new.project_id,
        check_id: new.check_id,
        reason: new.reason.clone(),
        starts_at: new.starts_at,
        ends_at: new.ends_at,
        created_at: timestamp(desk.now),
    };
    desk.connection.execute(
        &format!("INSERT INTO maintenance ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
        params![
            window.id,
            window.org_id,
            window.project_id,
            window.check_id,
            window.reason,
            window.starts_at.as_millisecond(),
            window.ends_at.as_millisecond(),
            desk.now,
        ],
    )?;
    tell_checks(desk, &window)?;
    Ok(Some(window))
}

/// The organization's windows, by their start.
///
/// # Errors
/// As SQLite says.
pub fn list(
    connection: &Connection,
    org_id: Uuid,
    now: Millis,
) -> Result<Vec<Maintenance>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM maintenance WHERE org_id = ? AND ends_at > ?
         ORDER BY starts_at, ends_at, id"
    ))?;
    let rows = statement.query_map(params![org_id, now - LISTED], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Deletes the organization's window; where it is running, alerts are held no longer.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such window; else as SQLite says.
pub fn delete(desk: &mut Desk<'_>, org_id: Uuid, id: Uuid) -> Result<(), StoreError> {
    let deleted = {
        let mut statement = desk.connection.prepare_cached(&format!(
            "DELETE FROM maintenance WHERE org_id = ? AND id = ? RETURNING {COLUMNS}"
        ))?;
        let mut rows = statement.query_map(params![org_id, id], from_row)?;
        rows.next().transpose()?.ok_or(StoreError::Gone)?
    };
    tell_checks(desk, &deleted)
}

/// Deletes the windows that are for one check or one project alone, which is gone: `scope` is
/// the column that names it.
pub(super) fn delete_of(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    scope: &'static str,
    id: Uuid,
) -> Result<(), StoreError> {
    desk.connection
        .prepare_cached(&format!(
            "DELETE FROM maintenance WHERE org_id = ? AND {scope} = ?"
        ))?
        .execute([org_id, id])?;
    Ok(())
}

/// Ends the organization's window now, where it is running: it stays in the list as one that is
/// over.
///
/// # Errors
/// [`StoreError::Gone`] where no such window is running; else as SQLite says.
pub fn end(desk: &mut Desk<'_>, org_id: Uuid, id: Uuid) -> Result<(), StoreError> {
    let ended = {
        let mut statement = desk.connection.prepare_cached(&format!(
            "UPDATE maintenance SET ends_at = ?1
             WHERE org_id = ?2 AND id = ?3 AND starts_at < ?1 AND ends_at > ?1
             RETURNING {COLUMNS}"
        ))?;
        let mut rows = statement.query_map(params![desk.now, org_id, id], from_row)?;
        rows.next().transpose()?.ok_or(StoreError::Gone)?
    };
    tell_checks(desk, &ended)
}

/// Gives the checks that `changed` is about their windows of now.
fn tell_checks(desk: &mut Desk<'_>, changed: &Maintenance) -> Result<(), StoreError> {
    let mut plan = Plan::load(desk.connection, Some(changed.org_id), desk.now)?;
    let checks: Vec<(i64, Uuid, Uuid)> = {
        let mut statement = desk.connection.prepare_cached(
            "SELECT row, project_id, id FROM check_
             WHERE org_id = ?1 AND deleted_at IS NULL
               AND (?2 IS NULL OR project_id = ?2) AND (?3 IS NULL OR id = ?3)",
        )?;
        let ids = params![changed.org_id, changed.project_id, changed.check_id];
        let rows = statement.query_map(ids, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    for (row, project_id, id) in checks {
        desk.change_windows(row, plan.of(changed.org_id, project_id, id))?;
    }
    Ok(())
}

/// The windows that the engine has to know, and which check is in which of them.
pub(super) struct Plan {
    windows: Vec<Maintenance>,
    /// By organization and project: what holds for each check that has none of its own.
    shared: HashMap<(Uuid, Uuid), Windows>,
}

impl Plan {
    /// Those of the organization, or of all.
    pub fn load(
        connection: &Connection,
        org_id: Option<Uuid>,
        now: Millis,
    ) -> Result<Self, StoreError> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM maintenance
             WHERE ends_at > ?1 AND (?2 IS NULL OR org_id = ?2)"
        ))?;
        let mut over_before = now - REMEMBERED;
        let windows = loop {
            let rows = statement.query_map(params![over_before, org_id], from_row)?;
            let windows: Vec<Maintenance> = rows.collect::<Result<_, _>>()?;
            let starts = windows.iter().map(|window| window.starts_at);
            match starts.min().map(Timestamp::as_millisecond) {
                // What was held in a window that was over when one of these began, and touched
                // it, is held to the end of this one.
                Some(first) if first <= over_before => over_before = first - 1,
                _ => break windows,
            }
        };
        Ok(Self {
            windows,
            shared: HashMap::new(),
        })
    }

    /// The windows of a check.
    pub fn of(&mut self, org_id: Uuid, project_id: Uuid, id: Uuid) -> Windows {
        if self.windows.is_empty() {
            return Windows::default();
        }
        let windows = &self.windows;
        let of = |id: Option<Uuid>| {
            let mine = windows.iter().filter(move |window| {
                window.org_id == org_id
                    && window.project_id.is_none_or(|of| of == project_id)
                    && (window.check_id.is_none() || window.check_id == id)
            });
            Windows::new(mine.map(|window| {
                let (start, end) = (window.starts_at, window.ends_at);
                (start.as_millisecond(), end.as_millisecond())
            }))
        };
        if windows.iter().any(|window| window.check_id == Some(id)) {
            return of(Some(id));
        }
        let shared = self.shared.entry((org_id, project_id));
        shared.or_insert_with(|| of(None)).clone()
    }
}
