//! The outbox: alerts, and their delivery to each channel that is to hear of them.
//!
//! An alert is written in the transaction of the change that caused it, so it is neither lost
//! nor told twice by a restart. Here is what is to be delivered, not how.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::alerts::message;
use super::super::engine::{Millis, Reason};
use super::channels::{self, Address};
use super::{Desk, StoreError, timestamp};
use crate::random;
use crate::wire::webhook::{Alert, CheckRef, Delivery, NamedRef};

/// A delivery that is due.
#[derive(Debug)]
pub struct Due {
    /// Its row, to report by.
    pub row: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Where to.
    pub address: Address,
    /// The body of a webhook delivery, as JSON.
    pub payload: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target has it.
    Delivered,
    /// To be tried again at this time.
    Again(Millis),
    /// Given up.
    Failed,
}

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
                message: message::sentence(&name, reason, at),
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
             WHERE check_.row = ?2
               AND (channel.project_id IS NULL OR channel.project_id = check_.project_id)",
        )?
        .execute(params![alert_row, check_row])?;
    Ok(deliveries > 0)
}

/// Up to `limit` deliveries that are due at `now`, oldest first, and when the next one after
/// them is. To each channel, the alerts about one check go in their order: a recovery is not
/// told before the trouble that it ends.
///
/// # Errors
/// As SQLite says.
pub fn due(
    connection: &Connection,
    now: Millis,
    limit: u32,
) -> Result<(Vec<Due>, Option<Millis>), StoreError> {
    const FIRST_OF_ITS_KIND: &str = "delivery.state = 'pending' AND NOT EXISTS (
        SELECT 1 FROM delivery AS earlier
        WHERE earlier.state = 'pending' AND earlier.channel_row = delivery.channel_row
          AND earlier.check_row = delivery.check_row AND earlier.row < delivery.row)";
    let mut statement = connection.prepare_cached(&format!(
        "SELECT delivery.row, delivery.attempts, channel.kind, channel.target, channel.secret,
             alert.payload
         FROM delivery
         JOIN channel ON channel.row = delivery.channel_row
         JOIN alert ON alert.row = delivery.alert_row
         WHERE {FIRST_OF_ITS_KIND} AND delivery.next_attempt_at <= ?
         ORDER BY delivery.row LIMIT ?"
    ))?;
    let rows = statement.query_map(params![now, limit], |row| {
        Ok(Due {
            row: row.get(0)?,
            attempts: row.get(1)?,
            address: Address {
                kind: channels::kind(row, 2)?,
                target: row.get(3)?,
                secret: row.get(4)?,
            },
            payload: row.get(5)?,
        })
    })?;
    let due = rows.collect::<Result<_, _>>()?;
    let next = connection
        .prepare_cached(&format!(
            "SELECT min(next_attempt_at) FROM delivery
             WHERE {FIRST_OF_ITS_KIND} AND delivery.next_attempt_at > ?"
        ))?
        .query_row([now], |row| row.get(0))?;
    Ok((due, next))
}

/// How many deliveries are still to be made.
///
/// # Errors
/// As SQLite says.
pub fn pending(connection: &Connection) -> Result<i64, StoreError> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM delivery WHERE state = 'pending'")?
        .query_row([], |row| row.get(0))?;
    Ok(count)
}

/// Writes how an attempt ended, and what the target said (for people).
///
/// # Errors
/// As SQLite says.
pub fn report(
    desk: &mut Desk<'_>,
    row: i64,
    outcome: &Outcome,
    answer: &str,
) -> Result<(), StoreError> {
    let (state, next, finished) = match outcome {
        Outcome::Delivered => ("delivered", 0, Some(desk.now)),
        Outcome::Failed => ("failed", 0, Some(desk.now)),
        Outcome::Again(at) => ("pending", *at, None),
    };
    desk.connection
        .prepare_cached(
            "UPDATE delivery SET state = ?, attempts = attempts + 1, next_attempt_at = ?,
                 last_answer = ?, finished_at = ?
             WHERE row = ?",
        )?
        .execute(params![state, next, answer, finished, row])?;
    Ok(())
}
