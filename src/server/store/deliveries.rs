//! Deliveries: which are to be tried for a channel, and how they ended.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::super::alerts::Verdict;
use super::super::alerts::patience::{Attempt, BREAK_AFTER, LONGEST_PAUSE, Outcome};
use super::super::engine::Millis;
use super::channels::{self, Address};
use super::{Desk, StoreError, timestamp, unsigned};
use crate::wire::{DeliveryList, DeliveryRecord};

/// A channel that something waits for.
#[derive(Debug)]
pub struct Waiting {
    /// Its row.
    pub channel: i64,
    /// Its id: a row may be another's after it was deleted.
    pub id: Uuid,
    /// Where to.
    pub address: Address,
    /// How often in a row its target took nothing.
    pub failures: u32,
    /// Nothing is to be sent before.
    pub retry_at: Millis,
}

/// A delivery that may be tried now.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its row, to report by.
    pub row: i64,
    /// The check's row.
    pub check: i64,
    /// The alert's id.
    pub alert: Uuid,
    /// `check.down` and its kin.
    pub event: String,
    /// When the alert was triggered.
    pub at: Millis,
}

/// Every channel that is switched on and that something waits for.
///
/// # Errors
/// As SQLite says.
pub fn waiting(connection: &Connection) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT row, kind, target, secret, failures, retry_at, id FROM channel
         WHERE enabled AND EXISTS (
             SELECT 1 FROM delivery
             WHERE delivery.channel_row = channel.row AND delivery.state = 'pending')
         ORDER BY row",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Waiting {
            channel: row.get(0)?,
            id: row.get(6)?,
            address: Address {
                kind: channels::kind(row, 1)?,
                target: row.get(2)?,
                secret: row.get(3)?,
            },
            failures: row.get(4)?,
            retry_at: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next delivery that is not due at `now` will be, or the next channel that is left
/// alone may be tried.
///
/// # Errors
/// As SQLite says.
pub fn next_at(connection: &Connection, now: Millis) -> Result<Option<Millis>, StoreError> {
    let next = |sql: &str| {
        connection
            .prepare_cached(sql)?
            .query_row([now], |row| row.get::<_, Option<Millis>>(0))
    };
    let delivery = next(
        "SELECT min(next_attempt_at) FROM delivery
         WHERE state = 'pending' AND next_attempt_at > ?",
    )?;
    let channel = next("SELECT min(retry_at) FROM channel WHERE retry_at > ?")?;
    Ok(delivery.into_iter().chain(channel).min())
}

/// The clock was set back to `now`, by `back` milliseconds as far as is known: what waits has no
/// longer to wait than before, and nothing for longer than a target may ask for.
///
/// # Errors
/// As SQLite says.
pub(super) fn bring_forward(
    connection: &Connection,
    now: Millis,
    back: Millis,
) -> Result<(), StoreError> {
    let longest = Millis::try_from(LONGEST_PAUSE.as_millis()).unwrap_or(Millis::MAX);
    for sql in [
        "UPDATE delivery SET next_attempt_at = min(max(?1, next_attempt_at - ?2), ?1 + ?3)
         WHERE state = 'pending' AND next_attempt_at > ?1",
        "UPDATE channel SET retry_at = min(max(?1, retry_at - ?2), ?1 + ?3) WHERE retry_at > ?1",
    ] {
        connection
            .prepare_cached(sql)?
            .execute([now, back, longest])?;
    }
    Ok(())
}

/// Up to `limit` deliveries to the channel, oldest first, of which each is the oldest about its
/// check: a recovery is not told before the trouble that it ends.
///
/// # Errors
/// As SQLite says.
pub fn first_of_each_check(
    connection: &Connection,
    channel: i64,
    now: Millis,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    due(connection, "", "delivery.row", channel, now, limit)
}

/// What a target that may be away is tried with: of what is due, and first about its check, the
/// one that was tried least. Else one that it never takes would be all it is ever sent.
///
/// # Errors
/// As SQLite says.
pub fn probe(
    connection: &Connection,
    channel: i64,
    now: Millis,
) -> Result<Option<Due>, StoreError> {
    let order = "delivery.attempts, delivery.row";
    Ok(due(connection, "", order, channel, now, 1)?.pop())
}

/// Up to `limit` deliveries to the channel, oldest first, that may be told in one message.
///
/// # Errors
/// As SQLite says.
pub fn together(
    connection: &Connection,
    channel: i64,
    now: Millis,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    due(
        connection,
        "AND earlier.next_attempt_at > ?2",
        "delivery.row",
        channel,
        now,
        limit,
    )
}

/// What is due and has no earlier delivery about its check in its way, where `hindrance` says
/// which are, in this order.
fn due(
    connection: &Connection,
    hindrance: &str,
    order: &str,
    channel: i64,
    now: Millis,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT delivery.row, delivery.check_row, alert.id, alert.event, alert.triggered_at
         FROM delivery INDEXED BY delivery_waiting
         JOIN alert ON alert.row = delivery.alert_row
         WHERE delivery.channel_row = ?1 AND delivery.state = 'pending'
           AND delivery.next_attempt_at <= ?2
           AND NOT EXISTS (
             SELECT 1 FROM delivery AS earlier INDEXED BY delivery_pending
             WHERE earlier.state = 'pending' AND earlier.channel_row = ?1
               AND earlier.check_row = delivery.check_row AND earlier.row < delivery.row
               {hindrance})
         ORDER BY {order} LIMIT ?3"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![channel, now, limit], |row| {
        Ok(Due {
            row: row.get(0)?,
            check: row.get(1)?,
            alert: row.get(2)?,
            event: row.get(3)?,
            at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The body of a webhook delivery, as JSON; none where the delivery is gone.
///
/// # Errors
/// As SQLite says.
pub fn payload(connection: &Connection, delivery: i64) -> Result<Option<String>, StoreError> {
    let payload = connection
        .prepare_cached(
            "SELECT alert.payload FROM delivery
             JOIN alert ON alert.row = delivery.alert_row
             WHERE delivery.row = ?",
        )?
        .query_row([delivery], |row| row.get(0))
        .optional()?;
    Ok(payload)
}

/// The alert that began the trouble which the delivery's alert goes on with or ends; none where
/// it is itself the first.
///
/// # Errors
/// As SQLite says.
pub fn began_with(connection: &Connection, delivery: i64) -> Result<Option<Uuid>, StoreError> {
    let first = connection
        .prepare_cached(
            "SELECT first.id FROM delivery
             JOIN alert AS first ON first.check_row = delivery.check_row
             WHERE delivery.row = ? AND first.row < delivery.alert_row
               AND first.event != 'check.up'
               AND first.row > coalesce((
                 SELECT max(row) FROM alert AS up
                 WHERE up.check_row = delivery.check_row AND up.event = 'check.up'
                   AND up.row < delivery.alert_row), 0)
             ORDER BY first.row LIMIT 1",
        )?
        .query_row([delivery], |row| row.get(0))
        .optional()?;
    Ok(first)
}

/// How an attempt ended, of one delivery or of several in one message.
#[derive(Debug, Clone)]
pub struct Report {
    /// The channel's row.
    pub channel: i64,
    /// The channel's id.
    pub id: Uuid,
    /// The deliveries' rows.
    pub deliveries: Vec<i64>,
    /// What the target's answer means.
    pub verdict: Verdict,
    /// The pause that the target asked for.
    pub retry_after: Option<Duration>,
    /// What it said, for people.
    pub answer: String,
}

/// Writes how an attempt ended.
///
/// # Errors
/// As SQLite says.
pub fn report(desk: &mut Desk<'_>, report: &Report) -> Result<(), StoreError> {
    let failures: Option<u32> = desk
        .connection
        .prepare_cached("SELECT failures FROM channel WHERE row = ? AND id = ?")?
        .query_row(params![report.channel, report.id], |row| row.get(0))
        .optional()?;
    // Deleted meanwhile, and its deliveries with it.
    let Some(failures) = failures else {
        return Ok(());
    };
    let attempt = Attempt {
        verdict: report.verdict,
        retry_after: report.retry_after,
        failures: report.verdict.failures(failures),
        now: desk.now,
    };
    let mut read = desk.connection.prepare_cached(
        "SELECT delivery.attempts - delivery.forgiven, alert.triggered_at FROM delivery
         JOIN alert ON alert.row = delivery.alert_row
         WHERE delivery.row = ? AND delivery.channel_row = ?",
    )?;
    let mut write = desk.connection.prepare_cached(
        "UPDATE delivery SET state = ?, attempts = attempts + 1, next_attempt_at = ?,
             last_answer = ?, last_attempt_at = ?, finished_at = ?
         WHERE row = ?",
    )?;
    for row in &report.deliveries {
        let found = read
            .query_row([*row, report.channel], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((attempts, since)) = found else {
            continue;
        };
        let (state, next, finished) = match attempt.outcome(attempts, since) {
            Outcome::Delivered => ("delivered", 0, Some(desk.now)),
            Outcome::Failed => ("failed", 0, Some(desk.now)),
            Outcome::Again(at) => ("pending", at, None),
        };
        write.execute(params![state, next, report.answer, desk.now, finished, row])?;
    }
    let taken = report.verdict == Verdict::Delivered;
    let gone = (report.verdict == Verdict::Gone).then(|| channels::gone(&report.answer));
    desk.connection
        .prepare_cached(
            "UPDATE channel SET failures = ?1, retry_at = ?2, latest_answer = ?3,
                 last_delivery_at = CASE WHEN ?4 THEN ?5 ELSE last_delivery_at END,
                 failing_since = CASE WHEN ?4 THEN NULL ELSE coalesce(failing_since, ?5) END,
                 enabled = CASE WHEN ?7 IS NULL THEN enabled ELSE 0 END,
                 disabled_reason = coalesce(?7, disabled_reason)
             WHERE row = ?6",
        )?
        .execute(params![
            attempt.failures,
            attempt.hold(),
            report.answer,
            taken,
            desk.now,
            report.channel,
            gone
        ])?;
    if taken && failures >= BREAK_AFTER {
        // The target is back: what waited for that alone is due.
        at_once(desk.connection, report.channel)?;
    }
    Ok(())
}

/// Makes everything that waits for the channel due, with all of its retries before it: this
/// attempt comes sooner than those were to be spread over.
pub(super) fn at_once(connection: &Connection, channel: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE delivery SET next_attempt_at = 0, forgiven = attempts
             WHERE channel_row = ? AND state = 'pending' AND next_attempt_at > 0",
        )?
        .execute([channel])?;
    Ok(())
}

/// What became of the alerts that the organization's channel was to hear of: the newest
/// `limit`.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such channel; else as SQLite says.
pub fn list(
    connection: &Connection,
    org_id: Uuid,
    channel: Uuid,
    limit: u32,
) -> Result<DeliveryList, StoreError> {
    let channel = channels::row(connection, org_id, channel)?;
    let mut statement = connection.prepare_cached(
        "SELECT alert.id, alert.event, check_.id, check_.slug,
             alert.payload ->> '$.alert.message', alert.triggered_at, delivery.state,
             delivery.attempts, delivery.last_answer, delivery.last_attempt_at,
             CASE delivery.state WHEN 'pending'
                 THEN max(delivery.next_attempt_at, channel.retry_at, alert.triggered_at) END,
             delivery.finished_at
         FROM delivery
         JOIN alert ON alert.row = delivery.alert_row
         JOIN check_ ON check_.row = delivery.check_row
         JOIN channel ON channel.row = delivery.channel_row
         WHERE delivery.channel_row = ? ORDER BY delivery.row DESC LIMIT ?",
    )?;
    let time = |row: &Row<'_>, column| {
        let time: Option<Millis> = row.get(column)?;
        Ok::<_, rusqlite::Error>(time.map(timestamp))
    };
    let rows = statement.query_map(params![channel, limit], |row| {
        Ok(DeliveryRecord {
            alert_id: row.get(0)?,
            event: row.get(1)?,
            check_id: row.get(2)?,
            check_slug: row.get(3)?,
            message: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            triggered_at: timestamp(row.get(5)?),
            state: row.get(6)?,
            attempts: row.get(7)?,
            last_answer: row.get(8)?,
            last_attempt_at: time(row, 9)?,
            next_attempt_at: time(row, 10)?,
            finished_at: time(row, 11)?,
        })
    })?;
    let deliveries = rows.collect::<Result<_, _>>()?;
    let total = connection
        .prepare_cached("SELECT count(*) FROM delivery WHERE channel_row = ?")?
        .query_row([channel], |row| row.get(0))?;
    Ok(DeliveryList {
        deliveries,
        total: unsigned(total),
    })
}
