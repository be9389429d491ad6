//! What the page of one check shows of its history: its states, its runs, its figures.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::pings::{id_of, row_of};
use super::{StoreError, unsigned};
use crate::server::engine::Millis;
use crate::wire::{Kind, Status};

/// From a moment on the check was this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Since when.
    pub at: Millis,
    /// What.
    pub status: Status,
}

/// What the check was since `from`, oldest first: what it was then stands first, at `from`, or
/// at its creation where that was later. A change is taken at the moment that it was for, and
/// never before one that was taken into account earlier.
///
/// # Errors
/// As SQLite says.
pub fn steps(connection: &Connection, row: i64, from: Millis) -> Result<Vec<Step>, StoreError> {
    let (created, status, since): (Millis, String, Millis) = connection
        .prepare_cached("SELECT created_at, status, status_since FROM check_ WHERE row = ?")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let oldest: Option<Millis> = connection
        .prepare_cached("SELECT effective_at FROM event ORDER BY row LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let mut statement = connection.prepare_cached(
        "SELECT occurred_at, from_status, to_status FROM event
         WHERE check_row = ?1 AND effective_at >= ?2 AND kind = 'status_changed'
         ORDER BY effective_at, row",
    )?;
    let known = |name: Option<String>| name.as_deref().and_then(Status::from_name);
    let mut rows = statement.query(params![row, from])?;
    let start = from.max(created);
    let mut steps: Vec<Step> = Vec::new();
    while let Some(event) = rows.next()? {
        let Some(status) = known(event.get(2)?) else {
            continue;
        };
        if steps.is_empty() {
            let status = known(event.get(1)?).unwrap_or(Status::New);
            steps.push(Step {
                at: match status {
                    Status::New => start,
                    // What it was before the oldest change that is not forgotten, nobody knows.
                    _ => start.max(oldest.unwrap_or(start)),
                },
                status,
            });
        }
        let last = steps.last().map_or(start, |step| step.at);
        steps.push(Step {
            at: event.get::<_, Millis>(0)?.max(last),
            status,
        });
    }
    if steps.is_empty() {
        // Nothing changed, or what did is forgotten.
        steps.push(Step {
            at: start.max(since),
            status: Status::from_name(&status).unwrap_or(Status::New),
        });
    }
    Ok(steps)
}

/// A run's end as the drawings need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Millis,
    /// Whether it went well.
    pub well: bool,
    /// How long it took, milliseconds.
    pub duration: Option<i64>,
    /// Its peak memory, KiB.
    pub memory: Option<i64>,
}

/// The ends of runs since `from`, newest first, `limit` at most.
///
/// # Errors
/// As SQLite says.
pub fn ends(
    connection: &Connection,
    row: i64,
    from: Millis,
    limit: u32,
) -> Result<Vec<End>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT created_at, kind, duration_ms, max_rss_kb FROM ping
         WHERE check_row = ?1 AND created_at >= ?2 AND kind IN ('success', 'fail')
         ORDER BY created_at DESC, row DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![row, from, limit], |row| {
        Ok(End {
            at: row.get(0)?,
            well: row.get_ref(1)?.as_str()? == Kind::Success.as_str(),
            duration: row.get(2)?,
            memory: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A run as the list has it.
#[derive(Debug, Clone)]
pub struct Run {
    /// The id of its ping.
    pub id: Uuid,
    /// How it ended; a start is a run of which no end is known, a log is no run at all.
    pub kind: Kind,
    /// As the job said.
    pub exit_code: Option<u8>,
    /// When it ended, or started.
    pub at: Millis,
    /// When that was told.
    pub received_at: Millis,
    /// Milliseconds.
    pub duration: Option<u64>,
    /// Processor time, milliseconds.
    pub cpu: Option<u64>,
    /// Peak memory, KiB.
    pub memory: Option<u64>,
    /// Which run, by the sender's account.
    pub run_id: Option<String>,
    /// Who told it.
    pub source_ip: Option<String>,
    /// What told it.
    pub user_agent: Option<String>,
    /// Bytes of its output that are kept.
    pub output: Option<u64>,
}

const RUN: &str = "ping.row, kind, exit_code, created_at, received_at, duration_ms, cpu_ms,
    max_rss_kb, run_id, source_ip, user_agent, length(body)";

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let number = |column| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(unsigned))
    };
    Ok(Run {
        id: id_of(row.get(0)?),
        kind: Kind::from_name(row.get_ref(1)?.as_str()?).unwrap_or(Kind::Log),
        exit_code: row.get(2)?,
        at: row.get(3)?,
        received_at: row.get(4)?,
        duration: number(5)?,
        cpu: number(6)?,
        memory: number(7)?,
        run_id: row.get(8)?,
        source_ip: row.get(9)?,
        user_agent: row.get(10)?,
        output: number(11)?,
    })
}

/// The check's runs, newest first, from before the ping `before`: ends, and starts of which no
/// end came. One more than `limit` where there are more.
///
/// # Errors
/// As SQLite says.
pub fn runs(
    connection: &Connection,
    check_row: i64,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Run>, StoreError> {
    // A start is looked up by its time, and its end is mostly the next ping. As the engine pairs
    // them: by the id, which of a UUID may be in any case, and an end without one with the newest
    // start.
    let uuid = [8, 4, 4, 4, 12].map(|digits| "[0-9A-Fa-f]".repeat(digits));
    let uuid = uuid.join("-");
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {RUN} FROM ping
         WHERE check_row = ?1 AND (?2 IS NULL OR (created_at, row) <
             (SELECT created_at, row FROM ping WHERE row = ?2 AND check_row = ?1))
           AND (kind <> 'start' OR NOT EXISTS (
             SELECT 1 FROM ping AS end
             WHERE end.check_row = ping.check_row AND end.created_at >= ping.created_at
               AND end.kind IN ('success', 'fail')
               AND (end.run_id IS ping.run_id
                 OR (ping.run_id GLOB '{uuid}' AND lower(end.run_id) = lower(ping.run_id))
                 OR (end.run_id IS NULL AND NOT EXISTS (
                   SELECT 1 FROM ping AS other
                   WHERE other.check_row = ping.check_row AND other.kind = 'start'
                     AND (other.created_at, other.row) > (ping.created_at, ping.row)
                     AND other.created_at <= end.created_at)))))
         ORDER BY created_at DESC, row DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(
        params![check_row, before.map(row_of), limit.saturating_add(1)],
        run,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One run of the check, by the row of its ping.
///
/// # Errors
/// As SQLite says.
pub fn one_run(
    connection: &Connection,
    check_row: i64,
    ping: i64,
) -> Result<Option<Run>, StoreError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {RUN} FROM ping WHERE check_row = ? AND row = ?"
        ))?
        .query_row(params![check_row, ping], run)
        .optional()?;
    Ok(found)
}

/// The newest end of a run of the check, with the last `bytes` of its output.
///
/// # Errors
/// As SQLite says.
pub fn last_end(
    connection: &Connection,
    check_row: i64,
    bytes: u32,
) -> Result<Option<(Run, Vec<u8>)>, StoreError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {RUN}, substr(body, -?2) FROM ping
             WHERE check_row = ?1 AND kind IN ('success', 'fail')
             ORDER BY created_at DESC, row DESC LIMIT 1"
        ))?
        .query_row(params![check_row, bytes], |row| {
            let output: Option<Vec<u8>> = row.get(12)?;
            Ok((run(row)?, output.unwrap_or_default()))
        })
        .optional()?;
    Ok(found)
}
