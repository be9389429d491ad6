//! One check looked at closely: the figures of its last day, and what the doctor reads.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::doctor::{Facts, Record, Undelivered};
use super::super::engine::Millis;
use super::super::plain::plain;
use super::{StoreError, narrow, timestamp};
use crate::wire::history::{
    Alerting, Inspection, LastSignal, MaintenanceState, ScheduleFacts, Stats,
};
use crate::wire::{Check, Kind, Status};

const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;

/// Of how many of the last runs the 95th percentile is told.
const DURATIONS: u32 = 100;

/// How far back alerts that could not be delivered are worth a word.
const UNDELIVERED: Millis = 30 * DAY;

/// How much of the end of an output is read for its last line, bytes.
const OUTPUT_END: i64 = 1_000;

/// The check as it is at `now`, with its figures.
///
/// # Errors
/// As SQLite says.
pub fn inspect(
    connection: &Connection,
    row: i64,
    check: &Check,
    now: Millis,
) -> Result<Inspection, StoreError> {
    let since: Millis = connection
        .prepare_cached("SELECT status_since FROM check_ WHERE row = ?")?
        .query_row([row], |row| row.get(0))?;
    let critical_reason = critical(check, since, now);
    Ok(Inspection {
        check_id: check.id,
        public_id: check.public_id,
        name: check.name.clone(),
        slug: check.slug.clone(),
        ping_url: check.ping_url.clone(),
        project_name: check.project_name.clone(),
        status: check.status,
        status_since: Some(timestamp(since)),
        is_critical: critical_reason.is_some(),
        critical_reason,
        schedule: ScheduleFacts {
            kind: check.schedule_type,
            period_seconds: check.period_seconds,
            cron_expression: check.cron_expression.clone(),
            missing_after_seconds: check.missing_after_seconds,
            timezone: check.timezone.clone(),
        },
        last_signal: last_signal(connection, row)?,
        alerting: Alerting {
            enabled: !check.paused,
            alert_after_miss_pings: check.alert_after_miss_pings,
            alert_after_fail_pings: check.alert_after_fail_pings,
            consecutive_missed_pings: check.consecutive_missed_pings,
            consecutive_fail_pings: check.consecutive_failures,
            recipient_count: recipients(connection, row)?,
        },
        maintenance: maintenance(connection, row, now)?,
        stats: stats(connection, row, now)?,
    })
}

/// Why somebody should look at it at once; none where nobody need.
fn critical(check: &Check, since: Millis, now: Millis) -> Option<String> {
    let lasting = super::super::alerts::message::span(now - since);
    match check.status {
        Status::Down if check.consecutive_failures > 0 => Some(format!(
            "{} failed; it has been down for {lasting}",
            match check.consecutive_failures {
                1 => "The last run".to_owned(),
                many => format!("The last {many} runs"),
            }
        )),
        Status::Down if check.running && !check.began_since(since) => Some(format!(
            "A run started and never finished; it has been down for {lasting}"
        )),
        Status::Down => Some(format!(
            "{} missing; it has been down for {lasting}{}",
            match check.consecutive_missed_pings {
                0 | 1 => "The expected run is".to_owned(),
                many => format!("{many} expected runs are"),
            },
            match check.running {
                true => ", and a run is under way",
                false => "",
            }
        )),
        Status::Overrunning => Some(format!(
            "A run takes longer than it may; it has been overrunning for {lasting}"
        )),
        Status::New | Status::Up | Status::Late | Status::Paused => None,
    }
}

fn last_signal(connection: &Connection, row: i64) -> Result<Option<LastSignal>, StoreError> {
    let signal = connection
        .prepare_cached(
            "SELECT kind, created_at, duration_ms, source_ip FROM ping
             WHERE check_row = ? AND kind <> 'log'
             ORDER BY created_at DESC, row DESC LIMIT 1",
        )?
        .query_row([row], |row| {
            Ok(LastSignal {
                signal_type: Kind::from_name(row.get_ref(0)?.as_str()?).unwrap_or(Kind::Log),
                at: timestamp(row.get(1)?),
                duration_ms: row.get::<_, Option<i64>>(2)?.map(narrow),
                source_ip: row.get(3)?,
            })
        })
        .optional()?;
    Ok(signal)
}

/// How many channels hear of the check. The same ones that `outbox::add` writes deliveries for.
fn recipients(connection: &Connection, row: i64) -> Result<u32, StoreError> {
    let count = connection
        .prepare_cached(
            "SELECT count(*) FROM check_ JOIN channel ON channel.org_id = check_.org_id
             WHERE check_.row = ? AND channel.enabled
               AND (channel.check_id IS NULL OR channel.check_id = check_.id)
               AND (channel.project_id IS NULL OR channel.project_id = check_.project_id)",
        )?
        .query_row([row], |row| row.get(0))?;
    Ok(count)
}

/// Whether the check is in a maintenance window: of several, the one that ends last.
fn maintenance(
    connection: &Connection,
    row: i64,
    now: Millis,
) -> Result<MaintenanceState, StoreError> {
    let window = connection
        .prepare_cached(
            "SELECT maintenance.reason, maintenance.ends_at
             FROM check_ JOIN maintenance ON maintenance.org_id = check_.org_id
             WHERE check_.row = ?1 AND starts_at <= ?2 AND ends_at > ?2
                 AND (maintenance.check_id = check_.id
                     OR (maintenance.check_id IS NULL
                         AND (maintenance.project_id IS NULL
                             OR maintenance.project_id = check_.project_id)))
             ORDER BY ends_at DESC LIMIT 1",
        )?
        .query_row(params![row, now], |row| {
            Ok(MaintenanceState {
                in_maintenance: true,
                reason: row.get(0)?,
                ends_at: Some(timestamp(row.get(1)?)),
            })
        })
        .optional()?;
    Ok(window.unwrap_or_default())
}

fn stats(connection: &Connection, row: i64, now: Millis) -> Result<Stats, StoreError> {
    let day_ago = now - DAY;
    let mut statement = connection.prepare_cached(
        "SELECT sum(successes), sum(failures), sum(total) FROM (
             SELECT count(*) FILTER (WHERE kind = 'success') AS successes,
                 count(*) FILTER (WHERE kind = 'fail') AS failures, count(*) AS total
             FROM ping WHERE check_row = ?1 AND created_at > ?2
             UNION ALL
             SELECT successes, failures, total
             FROM pruned_pings WHERE check_row = ?1 AND hour >= ?3)",
    )?;
    let (successes, failures, total): (i64, i64, i64) = statement
        .query_row(params![row, day_ago, day_ago / HOUR + 1], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let ends = successes + failures;
    let mut statement = connection.prepare_cached(
        "SELECT duration_ms FROM ping
         WHERE check_row = ?1 AND duration_ms IS NOT NULL
         ORDER BY created_at DESC, row DESC LIMIT ?2",
    )?;
    let mut durations = statement
        .query_map(params![row, DURATIONS], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    durations.sort_unstable();
    // Nearest rank: the smallest that 95 % are not above.
    let rank = (durations.len() * 95).div_ceil(100);
    let p95 = rank.checked_sub(1).and_then(|index| durations.get(index));
    Ok(Stats {
        success_rate_24h: (ends > 0).then(|| successes as f64 / ends as f64),
        total_pings_24h: narrow(total),
        p95_duration_ms: p95.copied().map(narrow),
    })
}

/// What the doctor reads of the check: its circumstances, and up to `depth` of its newest
/// pings, oldest first.
///
/// # Errors
/// As SQLite says.
pub fn for_doctor(
    connection: &Connection,
    row: i64,
    now: Millis,
    depth: u32,
) -> Result<(Facts, Vec<Record>), StoreError> {
    let (status_since, org_zone) = connection
        .prepare_cached(
            "SELECT status_since, organization.timezone
             FROM check_ JOIN organization ON organization.id = check_.org_id
             WHERE check_.row = ?",
        )?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut statement = connection.prepare_cached(
        "SELECT channel.name, count(*), max(delivery.finished_at), delivery.last_answer
         FROM delivery JOIN channel ON channel.row = delivery.channel_row
         WHERE delivery.check_row = ?1 AND state = 'failed' AND finished_at > ?2
         GROUP BY channel.row ORDER BY channel.name",
    )?;
    let undelivered = statement
        .query_map([row, now - UNDELIVERED], |row| {
            Ok(Undelivered {
                channel: row.get(0)?,
                count: row.get(1)?,
                last_at: row.get(2)?,
                answer: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            })
        })?
        .collect::<Result<_, _>>()?;
    let facts = Facts {
        status_since,
        recipients: recipients(connection, row)?,
        org_zone,
        undelivered,
    };
    let records = newest(connection, row, depth)?;
    Ok((facts, records))
}

/// The `depth` newest pings of a check as the doctor reads them, oldest first.
pub(super) fn newest(
    connection: &Connection,
    row: i64,
    depth: u32,
) -> Result<Vec<Record>, StoreError> {
    // The last line is of interest in failures only, and most of an output is not read.
    let mut statement = connection.prepare_cached(
        "SELECT kind, exit_code, created_at, received_at, duration_ms, run_id, source_ip,
             clock_off_ms, CASE kind WHEN 'fail' THEN substr(body, -?3) END
         FROM ping WHERE check_row = ?1 AND kind <> 'log'
         ORDER BY created_at DESC, row DESC LIMIT ?2",
    )?;
    let mut records = statement
        .query_map(params![row, depth, OUTPUT_END], |row| {
            let output: Option<Vec<u8>> = row.get(8)?;
            Ok(Record {
                kind: Kind::from_name(row.get_ref(0)?.as_str()?).unwrap_or(Kind::Log),
                exit_code: row.get(1)?,
                at: row.get(2)?,
                received_at: row.get(3)?,
                duration: row.get(4)?,
                run_id: row.get(5)?,
                source_ip: row.get(6)?,
                clock_off: row.get(7)?,
                last_line: output.as_deref().and_then(last_line),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    records.reverse();
    Ok(records)
}

/// The last line of an output that says anything, without what could steer a terminal.
fn last_line(output: &[u8]) -> Option<String> {
    let text = plain(output);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(
        line.trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect(),
    )
}
