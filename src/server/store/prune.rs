//! Pruning: what is too old or too much goes, a little at a time, between the writer's batches.
//!
//! A step deletes a bounded number of rows in a transaction of its own, and the steps together
//! take at most a fifth of the writer's time, so that no ping waits for them. What the outbox
//! still has to deliver stays. The pages that become free are used again: the file does not
//! shrink, and does not grow either once as much goes as comes.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, params};
use uuid::Uuid;

use super::super::engine::Millis;
use super::StoreError;
use crate::wire::{Kind, MAX_AGE_MS};

/// How much of the history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days, at least 1: pings, events and finished alerts that are older go.
    pub days: u32,
    /// Pings, and events, of each check, at least 1: what is beyond goes, the oldest first.
    pub pings: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            days: 90,
            pings: 10_000,
        }
    }
}

/// How many rows a step deletes at most: some milliseconds.
const STEP: i64 = 200;

/// Alerts of one check that are kept at most: each may have an output with it.
const ALERTS: i64 = 1_000;

/// How many checks of the first walk a step looks at.
const WALK: i64 = 20;

/// Of the time since the step before, a step may take one part in so many.
const SHARE: u32 = 5;

/// How long nothing is looked for once nothing was found.
const ROUND: Duration = Duration::from_secs(60);

/// How long after a failure, as on a full disk or where a row is still needed.
const AFTER_FAILURE: Duration = Duration::from_secs(600);

const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;

/// What is to be pruned next, and when.
pub(super) struct Pruner {
    retention: Retention,
    next: Instant,
    /// The last check that the walk over all of them has seen; it is made once, at start,
    /// because pings are counted from then on only.
    walked: Option<i64>,
    /// Checks that may have too many pings.
    crowded: VecDeque<i64>,
    /// The last deleted check that was looked at in this round.
    deleted: i64,
}

impl Pruner {
    pub fn new(retention: Retention) -> Self {
        Self {
            retention,
            next: Instant::now(),
            walked: Some(0),
            crowded: VecDeque::new(),
            deleted: 0,
        }
    }

    /// After how many pings a check is worth a look.
    pub fn crowd(retention: Retention) -> u32 {
        (retention.pings / 10).max(1)
    }

    /// How long there is nothing to do.
    pub fn pause(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// These checks may have too many pings.
    pub fn look_at(&mut self, checks: impl IntoIterator<Item = i64>) {
        for check in checks {
            if !self.crowded.contains(&check) {
                self.crowded.push_back(check);
                self.next = self.next.min(Instant::now() + Duration::from_millis(100));
            }
        }
    }

    /// A step that began at `begun` has ended; it found something to do, or nothing, or failed.
    pub fn done(&mut self, begun: Instant, outcome: Result<bool, ()>) {
        self.next = match outcome {
            Ok(true) => Instant::now() + begun.elapsed() * (SHARE - 1),
            Ok(false) => Instant::now() + ROUND,
            Err(()) => Instant::now() + AFTER_FAILURE,
        };
    }

    /// Does one thing; `false` where there was nothing left to do.
    pub fn step(&mut self, connection: &Connection, now: Millis) -> Result<bool, StoreError> {
        if let Some(check) = self.crowded.pop_front() {
            if thin_out(connection, check, self.retention, now)? {
                self.crowded.push_front(check);
            }
            return Ok(true);
        }
        if self.walk(connection)? {
            return Ok(true);
        }
        let cutoff = now - Millis::from(self.retention.days) * DAY;
        if old_pings(connection, cutoff)?
            || old_events(connection, cutoff)?
            || old_alerts(connection, cutoff)?
            || old_keys(connection, now)?
        {
            return Ok(true);
        }
        if let Some(check) = next_deleted(connection, self.deleted)? {
            if !erase(connection, check)? {
                self.deleted = check;
            }
            return Ok(true);
        }
        self.deleted = 0;
        archived_projects(connection, cutoff)?;
        Ok(false)
    }

    /// Looks at a few more of all checks; whether there were any.
    fn walk(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let Some(walked) = self.walked else {
            return Ok(false);
        };
        let mut statement = connection.prepare_cached(
            "SELECT check_.row, EXISTS (SELECT 1 FROM ping WHERE check_row = check_.row
                 ORDER BY created_at DESC, row DESC LIMIT 1 OFFSET ?2)
             FROM check_ WHERE row > ?1 ORDER BY row LIMIT ?3",
        )?;
        let rows = statement.query_map(params![walked, self.retention.pings, WALK], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let mut last = None;
        for row in rows {
            let (check, too_many): (i64, bool) = row?;
            last = Some(check);
            if too_many {
                self.crowded.push_back(check);
            }
        }
        self.walked = last;
        Ok(last.is_some())
    }
}

/// The newest row of a table is never deleted: SQLite would give its number again, and numbers
/// are ids of pings and events, and what a ping under way knows its check by.
fn newest(connection: &Connection, table: &'static str) -> Result<i64, StoreError> {
    let sql = format!("SELECT ifnull(max(row), 0) FROM {table}");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([], |row| row.get(0))?)
}

/// Deletes what a check has too much of; whether there may be more.
fn thin_out(
    connection: &Connection,
    check: i64,
    keep: Retention,
    now: Millis,
) -> Result<bool, StoreError> {
    let newest_ping = newest(connection, "ping")?;
    let mut statement = connection.prepare_cached(
        "SELECT row, kind, created_at FROM ping WHERE check_row = ?
         ORDER BY created_at DESC, row DESC LIMIT ? OFFSET ?",
    )?;
    let pings = statement
        .query_map(params![check, STEP, keep.pings], |row| {
            let kind = Kind::from_name(row.get_ref(1)?.as_str()?).unwrap_or(Kind::Log);
            Ok((row.get(0)?, kind, row.get(2)?))
        })?
        .collect::<Result<Vec<(i64, Kind, Millis)>, _>>()?;
    // By hour: successes, failures, all.
    let mut tallies: BTreeMap<Millis, (i64, i64, i64)> = BTreeMap::new();
    let mut deleted = 0;
    let mut delete = connection.prepare_cached("DELETE FROM ping WHERE row = ?")?;
    for &(row, kind, at) in pings.iter().filter(|ping| ping.0 != newest_ping) {
        delete.execute([row])?;
        deleted += 1;
        if at > now - DAY - HOUR {
            let tally = tallies.entry(at / HOUR).or_default();
            tally.0 += i64::from(kind == Kind::Success);
            tally.1 += i64::from(kind == Kind::Fail);
            tally.2 += 1;
        }
    }
    let mut add = connection.prepare_cached(
        "INSERT INTO pruned_pings (check_row, hour, successes, failures, total)
         VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET successes = successes + excluded.successes,
             failures = failures + excluded.failures, total = total + excluded.total",
    )?;
    for (hour, (successes, failures, total)) in tallies {
        add.execute(params![check, hour, successes, failures, total])?;
    }
    connection
        .prepare_cached("DELETE FROM pruned_pings WHERE check_row = ? AND hour < ?")?
        .execute([check, (now - DAY) / HOUR])?;
    if deleted == STEP {
        return Ok(true);
    }
    let events = connection
        .prepare_cached(
            "DELETE FROM event WHERE row <> ?4 AND row IN (
                 SELECT row FROM event WHERE check_row = ?1
                 ORDER BY effective_at DESC, row DESC LIMIT ?2 OFFSET ?3)",
        )?
        .execute(params![
            check,
            STEP,
            keep.pings,
            newest(connection, "event")?
        ])?;
    let alerts = forget_alerts(
        connection,
        "check_row = ?1 ORDER BY row DESC LIMIT ?2 OFFSET min(?3, 1000)",
        params![check, STEP / 4, keep.pings],
    )?;
    const _: () = assert!(ALERTS == 1_000);
    Ok(events as i64 == STEP || alerts as i64 == STEP / 4)
}

/// Pings are in the order of their arrival, so the oldest are those that come first.
fn old_pings(connection: &Connection, cutoff: Millis) -> Result<bool, StoreError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM ping WHERE row < ?3 AND row IN (SELECT row FROM
                 (SELECT row, received_at FROM ping ORDER BY row LIMIT ?2)
             WHERE received_at < ?1)",
        )?
        .execute([cutoff, STEP, newest(connection, "ping")?])?;
    Ok(deleted > 0)
}

fn old_events(connection: &Connection, cutoff: Millis) -> Result<bool, StoreError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM event WHERE row < ?3 AND row IN (SELECT row FROM
                 (SELECT row, effective_at FROM event ORDER BY row LIMIT ?2)
             WHERE effective_at < ?1)",
        )?
        .execute([cutoff, STEP, newest(connection, "event")?])?;
    Ok(deleted > 0)
}

fn old_alerts(connection: &Connection, cutoff: Millis) -> Result<bool, StoreError> {
    let deleted = forget_alerts(
        connection,
        "row < coalesce(
             (SELECT row FROM alert WHERE triggered_at >= ?1 ORDER BY row LIMIT 1),
             (SELECT max(row) FROM alert))
         ORDER BY row LIMIT ?2",
        params![cutoff, STEP / 4],
    )?;
    Ok(deleted > 0)
}

/// Forgets the alerts for which `condition` holds, but those that are still to be delivered.
fn forget_alerts(
    connection: &Connection,
    condition: &'static str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT row FROM alert
         WHERE NOT EXISTS (SELECT 1 FROM delivery
             WHERE alert_row = alert.row AND state = 'pending') AND {condition}"
    ))?;
    let rows = statement
        .query_map(values, |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    for &row in &rows {
        for sql in [
            "DELETE FROM event WHERE alert_row = ?",
            "DELETE FROM delivery WHERE alert_row = ?",
            "DELETE FROM alert WHERE row = ?",
        ] {
            connection.prepare_cached(sql)?.execute([row])?;
        }
    }
    Ok(rows.len())
}

/// Keys of pings that can't come again, where no new pings push them out.
fn old_keys(connection: &Connection, now: Millis) -> Result<bool, StoreError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE row IN (SELECT row FROM
                 (SELECT row, received_at FROM idempotency ORDER BY row LIMIT ?2)
             WHERE received_at < ?1)",
        )?
        .execute([now - MAX_AGE_MS as Millis, STEP])?;
    Ok(deleted > 0)
}

/// The next deleted check after the row `after`.
fn next_deleted(connection: &Connection, after: i64) -> Result<Option<i64>, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT min(row) FROM check_ WHERE deleted_at IS NOT NULL AND row > ? AND row < ?",
        )?
        .query_row([after, newest(connection, "check_")?], |row| row.get(0))?;
    Ok(row)
}

/// Deletes a little more of a deleted check, at last itself; whether there was anything that
/// can go now.
fn erase(connection: &Connection, check: i64) -> Result<bool, StoreError> {
    for (table, newest_too) in [("ping", false), ("idempotency", true), ("event", false)] {
        let newest = match newest_too {
            true => i64::MAX,
            false => newest(connection, table)?,
        };
        let deleted = connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE row <> ?3 AND row IN (
                     SELECT row FROM {table} WHERE check_row = ?1 LIMIT ?2)"
            ))?
            .execute([check, STEP, newest])?;
        if deleted > 0 {
            return Ok(true);
        }
    }
    let alerts = forget_alerts(
        connection,
        "check_row = ?1 LIMIT ?2",
        params![check, STEP / 4],
    )?;
    if alerts > 0 {
        return Ok(true);
    }
    connection
        .prepare_cached("DELETE FROM pruned_pings WHERE check_row = ?")?
        .execute([check])?;
    unless_needed(connection.execute("DELETE FROM check_ WHERE row = ?", [check]))
}

/// Projects that were archived long ago and that nothing belongs to any more.
fn archived_projects(connection: &Connection, cutoff: Millis) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM project WHERE archived_at < ?
           AND NOT EXISTS (SELECT 1 FROM check_ WHERE project_id = project.id)
           AND NOT EXISTS (SELECT 1 FROM channel WHERE project_id = project.id)
         LIMIT ?",
    )?;
    let ids = statement
        .query_map([cutoff, WALK], |row| row.get(0))?
        .collect::<Result<Vec<Uuid>, _>>()?;
    for id in ids {
        unless_needed(connection.execute("DELETE FROM project WHERE id = ?", [id]))?;
    }
    Ok(())
}

/// Whether a row went; one that others still refer to stays for now.
fn unless_needed(deleted: rusqlite::Result<usize>) -> Result<bool, StoreError> {
    match deleted {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(false)
        }
        deleted => Ok(deleted? > 0),
    }
}
