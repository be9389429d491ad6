//! Checks: what people decided about them, and what the engine knows.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::super::engine::{Event, Held, Millis, Rules, Run, Schedule, State, Windows};
use super::live::LiveCheck;
use super::maintenance::Plan;
use super::schedules::{Schedules, shortest_gap};
use super::{Desk, StoreError, channels, maintenance, narrow, taken, timestamp, unsigned};
use crate::random;
use crate::wire::{Check, ScheduleType, Status};

/// A check as it is asked for, its values checked and defaults filled in.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The project that it belongs to, one of the organization's.
    pub project_id: Uuid,
    /// 1–100 characters.
    pub name: String,
    /// `[a-z0-9-]{1,100}`.
    pub slug: String,
    /// What it is for.
    pub description: Option<String>,
    /// To group checks by.
    pub tags: Vec<String>,
    /// Seconds; kept where there is a cron expression, and 0 where there never was any.
    pub period: i64,
    /// Five fields, or a word such as `@daily`.
    pub cron: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// Seconds.
    pub grace: i64,
    /// Seconds.
    pub max_runtime: Option<i64>,
    /// Misses in a row before an alert.
    pub miss_threshold: u32,
    /// Failures in a row before an alert.
    pub fail_threshold: u32,
    /// A new check's public id, where it had one elsewhere.
    pub public_id: Option<Uuid>,
    /// Whether it is to be paused; where nothing is said it stays as it is.
    pub paused: Option<bool>,
}

/// Which checks to list.
pub enum Which {
    /// All of the organization's.
    All,
    /// A project's.
    OfProject(Uuid),
    /// The one with this id.
    Id(Uuid),
}

fn rules(schedule: Schedule, grace: i64, max_runtime: Option<i64>, miss: u32, fail: u32) -> Rules {
    let millis = |seconds: i64| seconds.saturating_mul(1000);
    Rules {
        schedule,
        grace: millis(grace),
        max_runtime: max_runtime.map(millis),
        miss_threshold: miss,
        fail_threshold: fail,
        windows: Windows::default(),
    }
}

/// Creates a check and gives its id.
///
/// # Errors
/// [`StoreError::Taken`] where its project has a check of that slug, or any check has or had
/// that public id; else as SQLite says.
pub fn create(desk: &mut Desk<'_>, org_id: Uuid, new: &Settled) -> Result<Uuid, StoreError> {
    let (id, public_id) = match new.public_id {
        None => (random::uuid()?, random::uuid()?),
        Some(public_id) if is_public_id(desk.connection, public_id)? => {
            return Err(StoreError::Taken("public_id"));
        }
        Some(public_id) => (random::uuid()?, public_id),
    };
    let now = desk.now;
    let state = State::new(now);
    desk.connection
        .execute(
            "INSERT INTO check_ (id, public_id, org_id, project_id, name, slug, description, tags,
                 period_seconds, cron_expression, timezone, grace_seconds, max_runtime_seconds,
                 miss_threshold, fail_threshold, created_at, updated_at, status, status_since,
                 failures, runs, ended_runs)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '[]', '[]')",
            params![
                id,
                public_id,
                org_id,
                new.project_id,
                new.name,
                new.slug,
                new.description,
                to_json(&new.tags),
                new.period,
                new.cron,
                new.timezone,
                new.grace,
                new.max_runtime,
                new.miss_threshold,
                new.fail_threshold,
                now,
                now,
                state.status.as_str(),
                state.since,
            ],
        )
        .map_err(taken("slug"))?;
    let row = desk.connection.last_insert_rowid();
    let windows = Plan::load(desk.connection, Some(org_id), now)?.of(org_id, new.project_id, id);
    let rules = Rules {
        windows,
        ..new.rules(desk.connection, org_id)?
    };
    desk.add_check(
        row,
        LiveCheck {
            public_id,
            rules,
            state,
        },
    );
    if new.paused == Some(true) {
        desk.apply(row, &Event::Paused, None)?;
    }
    Ok(id)
}

/// Whether any check has or had this public id, whosever it is: an address names one check.
fn is_public_id(connection: &Connection, public_id: Uuid) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM check_ WHERE public_id = ?)")?
        .query_row([public_id], |row| row.get(0))?)
}

impl Settled {
    fn rules(&self, connection: &Connection, org_id: Uuid) -> Result<Rules, StoreError> {
        let org_zone: String = connection
            .prepare_cached("SELECT timezone FROM organization WHERE id = ?")?
            .query_row([org_id], |row| row.get(0))?;
        let schedule = Schedules::default().get(
            self.period,
            self.cron.as_deref(),
            self.timezone.as_deref(),
            &org_zone,
        );
        Ok(rules(
            schedule.map_err(|error| StoreError::Unavailable(error.to_string()))?,
            self.grace,
            self.max_runtime,
            self.miss_threshold,
            self.fail_threshold,
        ))
    }
}

/// Gives the organization's check other values.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such check, [`StoreError::Taken`] where its project
/// has another of that slug; else as SQLite says.
pub fn update(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    id: Uuid,
    new: &Settled,
) -> Result<(), StoreError> {
    let row = row_of(desk.connection, org_id, id)?.ok_or(StoreError::Gone)?;
    let moves = project_of(desk.connection, org_id, id)? != Some(new.project_id);
    desk.connection
        .execute(
            "UPDATE check_ SET project_id = ?, name = ?, slug = ?, description = ?, tags = ?,
                 period_seconds = ?, cron_expression = ?, timezone = ?, grace_seconds = ?,
                 max_runtime_seconds = ?, miss_threshold = ?, fail_threshold = ?, updated_at = ?
             WHERE row = ?",
            params![
                new.project_id,
                new.name,
                new.slug,
                new.description,
                to_json(&new.tags),
                new.period,
                new.cron,
                new.timezone,
                new.grace,
                new.max_runtime,
                new.miss_threshold,
                new.fail_threshold,
                desk.now,
                row,
            ],
        )
        .map_err(taken("slug"))?;
    let rules = new.rules(desk.connection, org_id)?;
    desk.change_rules(row, rules)?;
    if moves {
        let mut plan = Plan::load(desk.connection, Some(org_id), desk.now)?;
        desk.change_windows(row, plan.of(org_id, new.project_id, id))?;
    }
    if let Some(paused) = new.paused {
        let status: String = desk
            .connection
            .prepare_cached("SELECT status FROM check_ WHERE row = ?")?
            .query_row([row], |row| row.get(0))?;
        // A check that is sent back as it was is not resumed, which would begin it anew.
        if paused != (status == Status::Paused.as_str()) {
            pause(desk, org_id, id, paused)?;
        }
    }
    Ok(())
}

/// Pauses the organization's check, or resumes it.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such check; else as SQLite says.
pub fn pause(desk: &mut Desk<'_>, org_id: Uuid, id: Uuid, paused: bool) -> Result<(), StoreError> {
    let row = row_of(desk.connection, org_id, id)?.ok_or(StoreError::Gone)?;
    let event = if paused {
        Event::Paused
    } else {
        Event::Resumed
    };
    desk.apply(row, &event, None)?;
    Ok(())
}

/// Deletes the organization's check: its pings are unknown from now on, its slug is free.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such check; else as SQLite says.
pub fn delete(desk: &mut Desk<'_>, org_id: Uuid, id: Uuid) -> Result<(), StoreError> {
    let row = row_of(desk.connection, org_id, id)?.ok_or(StoreError::Gone)?;
    desk.connection.execute(
        "UPDATE check_ SET deleted_at = ? WHERE row = ?",
        params![desk.now, row],
    )?;
    desk.remove_check(row);
    channels::delete_of(desk, org_id, "check_id", id)?;
    maintenance::delete_of(desk, org_id, "check_id", id)
}

/// Deletes every check of the organization's project, and with them what was for it alone.
///
/// # Errors
/// As SQLite says.
pub fn delete_all_of(desk: &mut Desk<'_>, org_id: Uuid, project: Uuid) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = {
        let mut statement = desk.connection.prepare_cached(
            "SELECT id FROM check_ WHERE org_id = ? AND project_id = ? AND deleted_at IS NULL",
        )?;
        let rows = statement.query_map([org_id, project], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for id in ids {
        delete(desk, org_id, id)?;
    }
    channels::delete_of(desk, org_id, "project_id", project)?;
    maintenance::delete_of(desk, org_id, "project_id", project)
}

/// Writes what the engine knows of the check in `row`.
pub(super) fn save_state(
    connection: &Connection,
    row: i64,
    state: &State,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE check_ SET status = ?, status_since = ?, expected_at = ?, failures = ?,
                 alerted = ?, runs = ?, ended_runs = ?, last_ping_at = ?, last_end_at = ?,
                 last_start_at = ?, last_duration_ms = ?, resumed_at = ?, held = ?
             WHERE row = ?",
        )?
        .execute(params![
            state.status.as_str(),
            state.since,
            state.expected,
            state.failures,
            state.alerted.map(Status::as_str),
            to_json(&state.runs),
            to_json(&state.ended),
            state.last_ping,
            state.last_end,
            state.last_start,
            state.last_duration,
            state.resumed,
            state.held.as_ref().map(to_json),
            row,
        ])?;
    Ok(())
}

/// Every check, as the writer needs it at start.
pub(super) fn load_live(
    connection: &Connection,
    now: Millis,
) -> Result<Vec<(i64, LiveCheck)>, StoreError> {
    let mut plan = Plan::load(connection, None, now)?;
    let mut schedules = Schedules::default();
    let mut statement =
        connection.prepare(&format!("SELECT {COLUMNS} {FROM} WHERE deleted_at IS NULL"))?;
    let rows = statement.query_map([], |row| {
        let stored = Stored::from_row(row, &mut schedules)?;
        let check = LiveCheck {
            public_id: stored.public_id,
            rules: Rules {
                windows: plan.of(stored.org_id, stored.project_id, stored.id),
                ..stored.rules
            },
            state: stored.state,
        };
        Ok((stored.row, check))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What the engine knows of the check in `row`, but for its maintenance windows.
pub(super) fn known(
    connection: &Connection,
    row: i64,
    schedules: &mut Schedules,
) -> Result<(Rules, State), StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE check_.row = ?"))?;
    let stored = statement.query_row([row], |row| Stored::from_row(row, schedules))?;
    Ok((stored.rules, stored.state))
}

/// The organization's checks, by project and name. `now` decides what is missing by then.
///
/// # Errors
/// As SQLite says.
pub fn list(
    connection: &Connection,
    org_id: Uuid,
    which: &Which,
    public_url: &str,
    now: Millis,
) -> Result<Vec<Check>, StoreError> {
    let (condition, id) = match which {
        Which::All => ("?2 IS NULL", None),
        Which::OfProject(id) => ("check_.project_id = ?2", Some(id)),
        Which::Id(id) => ("check_.id = ?2", Some(id)),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM}
         WHERE check_.org_id = ?1 AND deleted_at IS NULL AND {condition}
         ORDER BY project.name, check_.name, check_.slug"
    ))?;
    let mut schedules = Schedules::default();
    let rows = statement.query_map(params![org_id, id], |row| {
        Ok(Stored::from_row(row, &mut schedules)?.on_the_wire(public_url, now))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The project of the organization's check with this id.
///
/// # Errors
/// As SQLite says.
pub fn project_of(
    connection: &Connection,
    org_id: Uuid,
    id: Uuid,
) -> Result<Option<Uuid>, StoreError> {
    let project = connection
        .prepare_cached(
            "SELECT project_id FROM check_ WHERE org_id = ? AND id = ? AND deleted_at IS NULL",
        )?
        .query_row([org_id, id], |row| row.get(0))
        .optional()?;
    Ok(project)
}

/// The period of the organization's check, seconds, which is also kept while its schedule is a
/// cron expression; none where it never had any.
///
/// # Errors
/// As SQLite says.
pub fn kept_period(
    connection: &Connection,
    org_id: Uuid,
    id: Uuid,
) -> Result<Option<u64>, StoreError> {
    let period: Option<i64> = connection
        .prepare_cached("SELECT period_seconds FROM check_ WHERE org_id = ? AND id = ?")?
        .query_row([org_id, id], |row| row.get(0))
        .optional()?;
    Ok(period.map(unsigned).filter(|period| *period > 0))
}

/// The organization's checks of this slug, in one project or in all: at most a few.
///
/// # Errors
/// As SQLite says.
pub fn by_slug(
    connection: &Connection,
    org_id: Uuid,
    project: Option<Uuid>,
    slug: &str,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM check_
         WHERE org_id = ?1 AND (?2 IS NULL OR project_id = ?2) AND slug = ?3
           AND deleted_at IS NULL LIMIT 10",
    )?;
    let rows = statement.query_map(params![org_id, project, slug], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What the organization's check with this id is called.
///
/// # Errors
/// As SQLite says.
pub fn name_of(
    connection: &Connection,
    org_id: Uuid,
    id: Uuid,
) -> Result<Option<String>, StoreError> {
    let name = connection
        .prepare_cached(
            "SELECT name FROM check_ WHERE org_id = ? AND id = ? AND deleted_at IS NULL",
        )?
        .query_row([org_id, id], |row| row.get(0))
        .optional()?;
    Ok(name)
}

/// Gives the organization's checks whose cron expression has no time zone of its own the rules
/// that follow from the organization's.
pub(super) fn follow_zone(desk: &mut Desk<'_>, org_id: Uuid) -> Result<(), StoreError> {
    let changed: Vec<(i64, Rules)> = {
        let mut schedules = Schedules::default();
        let mut statement = desk.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} {FROM}
             WHERE check_.org_id = ? AND deleted_at IS NULL AND cron_expression IS NOT NULL
               AND check_.timezone IS NULL"
        ))?;
        let rows = statement.query_map([org_id], |row| {
            let stored = Stored::from_row(row, &mut schedules)?;
            Ok((stored.row, stored.rules))
        })?;
        rows.collect::<Result<_, _>>()?
    };
    for (row, rules) in changed {
        desk.change_rules(row, rules)?;
    }
    Ok(())
}

/// The row of the organization's check with this id.
///
/// # Errors
/// As SQLite says.
pub fn row_of(connection: &Connection, org_id: Uuid, id: Uuid) -> Result<Option<i64>, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT row FROM check_ WHERE org_id = ? AND id = ? AND deleted_at IS NULL",
        )?
        .query_row([org_id, id], |row| row.get(0))
        .optional()?;
    Ok(row)
}

const COLUMNS: &str = "check_.row, check_.id, check_.public_id, check_.project_id, project.name,
    check_.name, check_.slug, check_.description, check_.tags, period_seconds, grace_seconds,
    max_runtime_seconds, miss_threshold, fail_threshold, check_.created_at, check_.updated_at,
    status, status_since, expected_at, failures, alerted, runs, ended_runs, last_ping_at,
    last_end_at, last_start_at, last_duration_ms, resumed_at, held, cron_expression,
    check_.timezone, organization.timezone, check_.org_id";

const FROM: &str = "FROM check_
    JOIN project ON project.id = check_.project_id
    JOIN organization ON organization.id = check_.org_id";

/// A row of [`COLUMNS`].
struct Stored {
    row: i64,
    id: Uuid,
    public_id: Uuid,
    org_id: Uuid,
    project_id: Uuid,
    project_name: String,
    name: String,
    slug: String,
    description: Option<String>,
    tags: Vec<String>,
    created_at: i64,
    updated_at: i64,
    cron: Option<String>,
    timezone: Option<String>,
    rules: Rules,
    state: State,
}

impl Stored {
    fn from_row(row: &Row<'_>, schedules: &mut Schedules) -> rusqlite::Result<Self> {
        let status = |column| -> rusqlite::Result<Option<Status>> {
            Ok(row
                .get::<_, Option<String>>(column)?
                .and_then(|name| Status::from_name(&name)))
        };
        let runs: Vec<Run> = from_json(row, 21)?;
        let held: Option<Held> = match row.get_ref(28)? {
            ValueRef::Null => None,
            _ => Some(from_json(row, 28)?),
        };
        let cron: Option<String> = row.get(29)?;
        let timezone: Option<String> = row.get(30)?;
        let org_zone = row.get_ref(31)?.as_str()?;
        let schedule = schedules
            .get(row.get(9)?, cron.as_deref(), timezone.as_deref(), org_zone)
            .map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(29, Type::Text, error.into())
            })?;
        Ok(Self {
            row: row.get(0)?,
            id: row.get(1)?,
            public_id: row.get(2)?,
            org_id: row.get(32)?,
            project_id: row.get(3)?,
            project_name: row.get(4)?,
            name: row.get(5)?,
            slug: row.get(6)?,
            description: row.get(7)?,
            tags: from_json(row, 8)?,
            created_at: row.get(14)?,
            updated_at: row.get(15)?,
            cron,
            timezone,
            rules: rules(
                schedule,
                row.get(10)?,
                row.get(11)?,
                row.get(12)?,
                row.get(13)?,
            ),
            state: State {
                status: status(16)?.unwrap_or(Status::New),
                since: row.get(17)?,
                expected: row.get(18)?,
                failures: row.get(19)?,
                alerted: status(20)?,
                runs,
                ended: from_json(row, 22)?,
                last_ping: row.get(23)?,
                last_end: row.get(24)?,
                last_start: row.get(25)?,
                last_duration: row.get(26)?,
                resumed: row.get(27)?,
                held,
            },
        })
    }

    fn on_the_wire(self, public_url: &str, now: Millis) -> Check {
        let Self { rules, state, .. } = self;
        let seconds = |millis: Millis| narrow(millis / 1000);
        let count = |count: u32| count.min(i32::MAX.unsigned_abs());
        let (schedule_type, period_seconds) = match rules.schedule {
            Schedule::Period(period) => (ScheduleType::Simple, Some(seconds(period))),
            Schedule::Cron(_) => {
                let expression = self.cron.as_deref().unwrap_or_default();
                (ScheduleType::Cron, Some(shortest_gap(expression, now)))
            }
        };
        let misses = state.misses(&rules, now);
        Check {
            id: self.id,
            public_id: self.public_id,
            project_id: self.project_id,
            project_name: self.project_name,
            name: self.name,
            slug: self.slug,
            description: self.description,
            tags: self.tags,
            schedule_type,
            period_seconds,
            cron_expression: self.cron,
            timezone: self.timezone,
            missing_after_seconds: seconds(rules.grace),
            grace_seconds: seconds(rules.grace),
            max_runtime_seconds: rules.max_runtime.map(seconds),
            alert_after_miss_pings: rules.miss_threshold,
            missed_before_alert: rules.miss_threshold,
            alert_after_fail_pings: rules.fail_threshold,
            alert_after_failures: rules.fail_threshold,
            consecutive_missed_pings: count(misses),
            consecutive_failures: count(state.failures),
            status: state.status,
            paused: state.status == Status::Paused,
            running: !state.runs.is_empty(),
            last_ping_at: state.last_ping.map(timestamp),
            last_start_at: state.last_start.map(timestamp),
            last_duration_ms: state.last_duration.map(narrow),
            next_ping_expected_at: state.expected.map(timestamp),
            ping_url: format!("{public_url}/{}", self.public_id),
            created_at: timestamp(self.created_at),
            updated_at: timestamp(self.updated_at),
            soft_deleted: false,
        }
    }
}

/// Lists that hold nothing that JSON can't write.
fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".to_owned())
}

fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}
