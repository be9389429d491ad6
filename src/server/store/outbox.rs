//! The outbox: alerts, and a delivery for each channel that is to hear of them.
//!
//! An alert is written in the transaction of the change that caused it, so it is neither lost
//! nor told twice by a restart. What becomes of the deliveries is in deliveries.rs.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::alerts::message;
use super::super::doctor::hour;
use super::super::engine::{Millis, Reason};
use super::{StoreError, inspect, timestamp};
use crate::random;
use crate::wire::webhook::{Alert, CheckRef, Delivery, NamedRef};

/// Writes an alert about the check in `check_row`, and a delivery for every channel that hears
/// of that check. Says whether there is any such channel.
pub(super) fn add(
    connection: &Connection,
    public_url: &str,
    check_row: i64,
    reason: &Reason,
    at: Millis,
    output: Option<&[u8]>,
) -> Result<bool, StoreError> {
    let id = random::uuid()?;
    let event = reason.event();
    let hint = match reason {
        Reason::Missed { .. } => other_hour(connection, check_row)?,
        _ => None,
    };
    let mut statement = connection.prepare_cached(
        "SELECT check_.id, check_.name, check_.slug, check_.public_id, project.id, project.name,
             organization.id, organization.name
         FROM check_
         JOIN project ON project.id = check_.project_id
         JOIN organization ON organization.id = check_.org_id
         WHERE check_.row = ?",
    )?;
    let payload = statement.query_row([check_row], |row| {
        let name: String = row.get(1)?;
        Ok(Delivery {
            event,
            alert: Alert {
                id,
                kind: message::kind(reason).to_owned(),
                message: match &hint {
                    Some(hint) => format!("{}. {hint}", message::sentence(&name, reason, at)),
                    None => message::sentence(&name, reason, at),
                },
                triggered_at: timestamp(at),
                output: message::output(reason, output),
            },
            check: CheckRef {
                id: row.get(0)?,
                name,
                slug: row.get(2)?,
                status: message::status(reason),
                ping_url: format!("{public_url}/{}", row.get::<_, Uuid>(3)?),
            },
            project: NamedRef {
                id: row.get(4)?,
                name: row.get(5)?,
            },
            organization: NamedRef {
                id: row.get(6)?,
                name: row.get(7)?,
            },
            timestamp: timestamp(at),
        })
    })?;
    let payload = message::fit(payload);
    connection
        .prepare_cached(
            "INSERT INTO alert (id, check_row, event, triggered_at, payload)
             VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![id, check_row, event.as_str(), at, payload])?;
    let alert_row = connection.last_insert_rowid();
    let deliveries = connection
        .prepare_cached(
            "INSERT INTO delivery (alert_row, channel_row, check_row, state, attempts,
                 next_attempt_at)
             SELECT ?1, channel.row, check_.row, 'pending', 0, 0
             FROM check_ JOIN channel ON channel.org_id = check_.org_id
             WHERE check_.row = ?2 AND channel.enabled
               AND (channel.check_id IS NULL OR channel.check_id = check_.id)
               AND (channel.project_id IS NULL OR channel.project_id = check_.project_id)",
        )?
        .execute(params![alert_row, check_row])?;
    Ok(deliveries > 0)
}

/// Why the check may have missed its time although its job ran: that comes at another hour.
fn other_hour(connection: &Connection, check_row: i64) -> Result<Option<String>, StoreError> {
    let schedule: (Option<String>, Option<String>, String) = connection
        .prepare_cached(
            "SELECT cron_expression, check_.timezone, organization.timezone
             FROM check_ JOIN organization ON organization.id = check_.org_id
             WHERE check_.row = ?",
        )?
        .query_row([check_row], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let (Some(expression), zone, org_zone) = schedule else {
        return Ok(None);
    };
    // Of each run there may be a start and an end.
    let records = inspect::newest(connection, check_row, 2 * hour::NEWEST as u32)?;
    let zone = zone.as_deref().unwrap_or(&org_zone);
    let found = hour::OtherHour::of(&expression, zone, &org_zone, &records);
    Ok(found.map(|found| found.sentence()))
}

/// How many deliveries are still to be made.
///
/// # Errors
/// As SQLite says.
pub fn pending(connection: &Connection) -> Result<i64, StoreError> {
    let count = connection
        .prepare_cached(
            "SELECT count(*) FROM delivery JOIN channel ON channel.row = delivery.channel_row
             WHERE delivery.state = 'pending' AND channel.enabled",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(count)
}
