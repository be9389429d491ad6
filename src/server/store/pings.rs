//! Pings: taken once, kept in the history.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::super::engine::{Event, Millis, START_AFTER_END, Signal};
use super::{Desk, StoreError, narrow, timestamp, unsigned};
use crate::wire::ping::{Signal as PathSignal, is_same_run};
use crate::wire::{Kind, MAX_AGE_MS, PingList, PingRecord, RecordId};

/// How many idempotency keys are remembered at most, of all checks together: some 100 MB.
const KEYS_MAX: i64 = 1_000_000;

/// A ping as it arrived.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What its path says.
    pub signal: PathSignal,
    /// When it arrived.
    pub received_at: Millis,
    /// How old it was then, milliseconds.
    pub age: Millis,
    /// The sender's name for it, so that it counts once.
    pub idempotency_key: Option<String>,
    /// Pairs a start with its end.
    pub run_id: Option<String>,
    /// The run's duration, milliseconds.
    pub duration: Option<i64>,
    /// The job's processor time, milliseconds.
    pub cpu_ms: Option<i64>,
    /// The job's peak memory, KiB.
    pub max_rss_kb: Option<i64>,
    /// How far the sender's clock is ahead of ours, milliseconds, where that is worth keeping.
    pub clock_off: Option<Millis>,
    /// Who sent it.
    pub source_ip: String,
    /// What sent it.
    pub user_agent: Option<String>,
    /// The run's output, at most the kept part.
    pub body: Vec<u8>,
}

/// Writes a ping to the history and lets the engine decide what it means. A ping whose
/// idempotency key was seen before changes nothing.
///
/// # Errors
/// [`StoreError::Gone`] where the check is not there any more, before anything is changed; else
/// as SQLite says.
pub fn take(desk: &mut Desk<'_>, check_row: i64, ping: &Incoming) -> Result<(), StoreError> {
    if !desk.has_check(check_row) {
        return Err(StoreError::Gone);
    }
    if let Some(key) = &ping.idempotency_key {
        let new = desk
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO idempotency (check_row, key, received_at) VALUES (?, ?, ?)",
            )?
            .execute(params![check_row, key, ping.received_at])?;
        if new == 0 {
            return Ok(());
        }
        forget_old_keys(desk.connection, desk.now)?;
    }
    let mut at = ping.received_at - ping.age;
    let body = (!ping.body.is_empty()).then_some(&ping.body);
    let has_ended = match &ping.run_id {
        Some(id) if desk.must_look_for_end(check_row, ping.signal.kind, at) => {
            has_end(desk.connection, check_row, id, at)?
        }
        _ => false,
    };
    let event = Event::Signal(Signal {
        kind: ping.signal.kind,
        at,
        run_id: ping.run_id.clone(),
        duration: ping.duration,
        exit_code: ping.signal.exit_code,
        has_ended,
    });
    let mut duration = ping.duration;
    if let Some((ended, after)) = desk.apply(check_row, &event, body.map(Vec::as_slice))? {
        (at, duration) = (ended, Some(after));
    }
    desk.connection
        .prepare_cached(
            "INSERT INTO ping (check_row, kind, exit_code, created_at, received_at, duration_ms,
                 run_id, source_ip, user_agent, cpu_ms, max_rss_kb, body, clock_off_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            check_row,
            ping.signal.kind.as_str(),
            ping.signal.exit_code,
            at,
            ping.received_at,
            duration,
            ping.run_id,
            ping.source_ip,
            ping.user_agent,
            ping.cpu_ms,
            ping.max_rss_kb,
            body,
            ping.clock_off,
        ])?;
    Ok(())
}

/// Whether the history has the end of the run with this id that started `at`. Only the next pings
/// are looked at: what comes after so many ends is no run that is worth the search.
fn has_end(
    connection: &Connection,
    check_row: i64,
    id: &str,
    at: Millis,
) -> Result<bool, StoreError> {
    const LOOKED_AT: i64 = 1_000;
    let mut statement = connection.prepare_cached(
        "SELECT run_id FROM (
             SELECT run_id, kind FROM ping WHERE check_row = ? AND created_at >= ?
             ORDER BY created_at, row LIMIT ?)
         WHERE kind IN ('success', 'fail') AND run_id IS NOT NULL",
    )?;
    let mut rows = statement.query(params![check_row, at - START_AFTER_END, LOOKED_AT])?;
    while let Some(row) = rows.next()? {
        let ended: String = row.get(0)?;
        if is_same_run(&ended, id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets a few keys that are too old to come again, or too many. One key is added with each
/// ping and two are forgotten, so they never pile up and no ping waits for a great clean-up.
fn forget_old_keys(connection: &Connection, now: Millis) -> Result<(), StoreError> {
    let newest = connection.last_insert_rowid();
    connection
        .prepare_cached(
            "DELETE FROM idempotency
             WHERE row IN (SELECT row FROM idempotency ORDER BY row LIMIT 2)
               AND (received_at < ? OR row <= ?)",
        )?
        .execute([now - MAX_AGE_MS as Millis, newest - KEYS_MAX])?;
    Ok(())
}

/// A page of a check's history, newest first, from before the ping `before`.
///
/// # Errors
/// As SQLite says.
pub fn list(
    connection: &Connection,
    check_row: i64,
    limit: u32,
    before: Option<i64>,
) -> Result<PingList, StoreError> {
    let total: i64 = connection
        .prepare_cached("SELECT count(*) FROM ping WHERE check_row = ?")?
        .query_row([check_row], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(
        "SELECT row, kind, exit_code, created_at, received_at, duration_ms, run_id, source_ip,
             user_agent, cpu_ms, max_rss_kb, body IS NOT NULL
         FROM ping
         WHERE check_row = ?1 AND (?2 IS NULL OR (created_at, row) <
             (SELECT created_at, row FROM ping WHERE row = ?2 AND check_row = ?1))
         ORDER BY created_at DESC, row DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![check_row, before, limit], record)?;
    Ok(PingList {
        pings: rows.collect::<Result<_, _>>()?,
        total: narrow(total),
    })
}

/// The output that came with a ping of this check.
///
/// # Errors
/// As SQLite says.
pub fn body(
    connection: &Connection,
    check_row: i64,
    ping: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let body = connection
        .prepare_cached(
            "SELECT body FROM ping WHERE check_row = ? AND row = ? AND body IS NOT NULL",
        )?
        .query_row(params![check_row, ping], |row| row.get(0))
        .optional()?;
    Ok(body)
}

/// The output of the last run of this check that failed, where it had any.
pub(super) fn last_failure_output(
    connection: &Connection,
    check_row: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let output = connection
        .prepare_cached(
            "SELECT body FROM ping WHERE check_row = ? AND kind = 'fail'
             ORDER BY created_at DESC, row DESC LIMIT 1",
        )?
        .query_row([check_row], |row| row.get(0))
        .optional()?;
    Ok(output.flatten())
}

fn record(row: &Row<'_>) -> rusqlite::Result<PingRecord> {
    let optional = |column| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(unsigned))
    };
    Ok(PingRecord {
        id: number_of(row.get(0)?),
        kind: Kind::from_name(row.get_ref(1)?.as_str()?).unwrap_or(Kind::Log),
        exit_code: row.get(2)?,
        created_at: timestamp(row.get(3)?),
        received_at: timestamp(row.get(4)?),
        duration_ms: row.get::<_, Option<i64>>(5)?.map(narrow),
        run_id: row.get(6)?,
        source_ip: row.get(7)?,
        user_agent: row.get(8)?,
        cpu_ms: optional(9)?,
        max_rss_kb: optional(10)?,
        has_body: row.get(11)?,
    })
}

/// Spreads rows over 48 bits and back: 2^48 divided by the golden ratio, and its inverse modulo
/// 2^48. Any odd factor has one, so no two rows share an id.
const SPREAD: i64 = 0x9E37_79B9_7F4B;
const GATHER: i64 = 0x393D_EE21_9263;
const ROWS: i64 = (1 << 48) - 1;

/// The id of a ping and of its event, an even number: that of an event that is no ping is an odd
/// one, so that no two events of a check share one.
pub(super) fn number_of(row: i64) -> RecordId {
    RecordId::Number(unsigned(row) << 1)
}

/// The id of an event that is no ping.
pub(super) fn number_of_event(row: i64) -> RecordId {
    RecordId::Number(unsigned(row) << 1 | 1)
}

/// The row of the ping with this id, as the API has it now or as it had it before. An id of
/// something else leads to some row or none, which is then still asked for within one check only.
pub fn row_called(id: &str) -> Option<i64> {
    match id.parse::<u64>() {
        Ok(number) if number & 1 == 0 => i64::try_from(number >> 1).ok(),
        Ok(_) => None,
        Err(_) => {
            let id = id.parse().ok()?;
            // What only looks like an id is none.
            Some(row_of(id)).filter(|row| id_of(*row) == id)
        }
    }
}

/// What the dashboard's page of a run is called: the row of its ping in the clothes of a UUID
/// (version 8, RFC 9562 section 5.8). Rows that follow each other are far apart in it.
pub(super) fn id_of(row: i64) -> Uuid {
    let spread = row.wrapping_mul(SPREAD) & ROWS;
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&spread.to_be_bytes()[2..]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The row behind an id of [`id_of`]. An id of another kind leads to some row or none, which
/// is then still asked for within one check only.
pub(super) fn row_of(id: Uuid) -> i64 {
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&id.as_bytes()[..6]);
    i64::from_be_bytes(bytes).wrapping_mul(GATHER) & ROWS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_eight_digits_tell_a_hundred_thousand_pings_apart() {
        let short: std::collections::HashSet<String> = (1..=100_000)
            .map(|row| id_of(row).to_string()[..8].to_owned())
            .collect();
        assert_eq!(short.len(), 100_000);
    }

    proptest! {
        #[test]
        fn a_row_is_found_by_the_number_and_by_the_older_id(row in 0..1_i64 << 47) {
            prop_assert_eq!(row_called(&number_of(row).to_string()), Some(row));
            prop_assert_eq!(row_called(&id_of(row).to_string()), Some(row));
            prop_assert_eq!(row_called(&number_of_event(row).to_string()), None);
        }

        #[test]
        fn a_row_is_found_again_by_its_id(row in 0..1_i64 << 47) {
            prop_assert_eq!(row_of(id_of(row)), row);
        }
    }
}
