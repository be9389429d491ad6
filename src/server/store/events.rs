//! Events: what became of a check, told from its pings, its changes of status and its alerts.
//!
//! A ping is not written twice for this: its event is its row. The order is that in which the
//! server took things into account, so that whoever follows it misses nothing; a ping that was
//! told late stands where it arrived.

use rusqlite::{Connection, Row, params};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::alerts::message;
use super::super::engine::{self, Effect, Event, Millis};
use super::pings::{number_of, number_of_event};
use super::{StoreError, narrow, timestamp, unsigned};
use crate::wire::history::{EventPage, EventRecord, EventType};
use crate::wire::{Kind, Status};

/// A ping that was told later than this stands where it arrived and not where it happened,
/// milliseconds. The index `ping_late` has the same number.
const LATE: Millis = 10_000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How many at most.
    pub limit: usize,
    /// Nothing from before this.
    pub since: Option<Millis>,
    /// Only what is older than this.
    pub cursor: Option<Position>,
    /// Pings.
    pub signals: bool,
    /// Changes of status.
    pub states: bool,
    /// Alerts.
    pub alerts: bool,
}

/// A place in the order of a check's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    at: Millis,
    /// What a ping does to a check comes after the ping.
    source: Source,
    row: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Ping,
    Change,
}

impl Position {
    /// As a cursor; nobody but [`Position::parse`] need understand it.
    pub fn text(self) -> String {
        let source = match self.source {
            Source::Ping => 'p',
            Source::Change => 'c',
        };
        format!("{}{source}{}", self.at, self.row)
    }

    /// The position of a cursor; none where it is not one of [`Position::text`].
    pub fn parse(text: &str) -> Option<Self> {
        let middle = text.find(['p', 'c'])?;
        let digits = |text: &str| {
            let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            all.then(|| text.parse().ok()).flatten()
        };
        Some(Self {
            at: digits(&text[..middle])?,
            source: if text.as_bytes()[middle] == b'p' {
                Source::Ping
            } else {
                Source::Change
            },
            row: digits(&text[middle + 1..])?,
        })
    }
}

/// Writes what the engine made of `cause` into the history of the check in `row`: called with
/// each effect, after it was carried out, `expected` being when the next end was expected.
pub(super) fn record(
    connection: &Connection,
    row: i64,
    cause: &Event,
    effect: &Effect,
    expected: Option<Millis>,
    now: Millis,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (check_row, kind, source, occurred_at, effective_at, from_status,
             to_status, expected_at, alert_row)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
             CASE ?2 WHEN 'alert_decision'
                 THEN (SELECT max(row) FROM alert WHERE check_row = ?1) END)",
    )?;
    let (kind, at, source, from, to) = match effect {
        Effect::Changed { from, to, at, .. } => (
            EventType::StatusChanged,
            *at,
            source(cause, *to, *at),
            Some(*from),
            *to,
        ),
        Effect::Alert { reason, at, held } => {
            let status = message::status(reason);
            (
                EventType::AlertDecision,
                *at,
                // Held until its window ended, whatever woke the engine then.
                if *held {
                    "maintenance"
                } else {
                    source(cause, status, *at)
                },
                None,
                status,
            )
        }
        Effect::Finished { .. } => return Ok(()),
    };
    insert.execute(params![
        row,
        kind.as_str(),
        source,
        at,
        now,
        from.map(Status::as_str),
        to.as_str(),
        expected,
    ])?;
    Ok(())
}

/// Who or what made the check `to` at `at`. A ping first wakes the engine to what time alone
/// has done before it.
fn source(cause: &Event, to: Status, at: Millis) -> &'static str {
    match (cause, to) {
        (_, Status::Late | Status::Overrunning) => "schedule",
        (Event::Signal(engine::Signal { kind, at: own, .. }), Status::Down)
            if *kind != Kind::Fail || at < *own =>
        {
            "schedule"
        }
        (Event::Signal(_), _) => "ping",
        (Event::TimePassed, _) => "schedule",
        _ => "user",
    }
}

/// A page of a check's events, newest first.
///
/// # Errors
/// As SQLite says.
pub fn list(
    connection: &Connection,
    check_row: i64,
    wanted: &Wanted,
) -> Result<EventPage, StoreError> {
    // One more than asked for tells whether there are more; one snapshot for all sources.
    let transaction = connection.unchecked_transaction()?;
    let mut found = Vec::new();
    if wanted.signals {
        signals(&transaction, check_row, wanted, InTime::Yes, &mut found)?;
        signals(&transaction, check_row, wanted, InTime::No, &mut found)?;
    }
    if wanted.states || wanted.alerts {
        changes(&transaction, check_row, wanted, &mut found)?;
    }
    found.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
    let has_more = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    let next = found.last().filter(|_| has_more);
    Ok(EventPage {
        next_cursor: next.map(|(position, _)| position.text()),
        has_more,
        events: found.into_iter().map(|(_, event)| event).collect(),
    })
}

type Found = Vec<(Position, EventRecord)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum InTime {
    Yes,
    No,
}

/// The bounds of a page for one source: everything before this time and row, and since when.
fn bounds(wanted: &Wanted, source: Source) -> (Millis, i64, Millis) {
    let (at, row) = match wanted.cursor {
        None => (Millis::MAX, i64::MAX),
        Some(cursor) if cursor.source == source => (cursor.at, cursor.row),
        // Of the other source, what has the cursor's time is before it or after it as a whole.
        Some(cursor) if source < cursor.source => (cursor.at, i64::MAX),
        Some(cursor) => (cursor.at, i64::MIN),
    };
    (at, row, wanted.since.unwrap_or(Millis::MIN))
}

fn signals(
    connection: &Connection,
    check_row: i64,
    wanted: &Wanted,
    in_time: InTime,
    found: &mut Found,
) -> Result<(), StoreError> {
    // The literal number lets SQLite see that `ping_late` has these rows.
    let (time, condition) = match in_time {
        InTime::Yes => ("created_at", "received_at - created_at <= 10000"),
        InTime::No => ("received_at", "received_at - created_at > 10000"),
    };
    const _: () = assert!(LATE == 10_000);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT row, kind, exit_code, created_at, received_at, duration_ms, run_id, source_ip,
             user_agent, cpu_ms, max_rss_kb, body IS NOT NULL
         FROM ping
         WHERE check_row = ?1 AND {condition} AND ({time}, row) < (?2, ?3) AND {time} >= ?4
           AND kind <> 'log'
         ORDER BY {time} DESC, row DESC LIMIT ?5"
    ))?;
    let (at, row, since) = bounds(wanted, Source::Ping);
    let limit = i64::try_from(wanted.limit + 1).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![check_row, at, row, since, limit], |row| {
        let time = row.get(if in_time == InTime::Yes { 3 } else { 4 })?;
        let position = Position {
            at: time,
            source: Source::Ping,
            row: row.get(0)?,
        };
        Ok((position, signal(row)?))
    })?;
    for row in rows {
        found.push(row?);
    }
    Ok(())
}

/// The event of a ping; its id is the ping's.
fn signal(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    let number = |column| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(unsigned))
    };
    let kind = Kind::from_name(row.get_ref(1)?.as_str()?).unwrap_or(Kind::Log);
    let exit_code: Option<u8> = row.get(2)?;
    let (created, received): (Millis, Millis) = (row.get(3)?, row.get(4)?);
    let duration = row.get::<_, Option<i64>>(5)?.map(narrow);
    let late = received - created;
    let text = |column| row.get::<_, Option<String>>(column);
    Ok(EventRecord {
        id: number_of(row.get(0)?),
        event_type: match kind {
            Kind::Start => EventType::RunStarted,
            Kind::Success | Kind::Fail | Kind::Log => EventType::RunFinished,
        },
        occurred_at: timestamp(created),
        effective_at: timestamp(received),
        source: "ping".to_owned(),
        payload: json!({
            "type": kind,
            "exit_code": exit_code,
            "duration_ms": duration,
            "run_id": text(6)?,
            "source_ip": text(7)?,
            "user_agent": text(8)?,
            "cpu_ms": number(9)?,
            "max_rss_kb": number(10)?,
            "has_body": row.get::<_, bool>(11)?,
            "late_ms": (late > LATE).then_some(late),
        }),
        from_status: None,
        to_status: None,
        summary: message::signal(kind, exit_code, duration, (late > LATE).then_some(late)),
    })
}

fn changes(
    connection: &Connection,
    check_row: i64,
    wanted: &Wanted,
    found: &mut Found,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT event.row, event.kind, event.source, occurred_at, effective_at, from_status,
             to_status, expected_at, alert_row, alert.id, alert.event,
             alert.payload ->> '$.alert.type', alert.payload ->> '$.alert.message'
         FROM event LEFT JOIN alert ON alert.row = event.alert_row
         WHERE event.check_row = ?1 AND (effective_at, event.row) < (?2, ?3)
           AND effective_at >= ?4 AND (event.kind = ?6 OR event.kind = ?7)
         ORDER BY effective_at DESC, event.row DESC LIMIT ?5",
    )?;
    let (at, row, since) = bounds(wanted, Source::Change);
    let limit = i64::try_from(wanted.limit + 1).unwrap_or(i64::MAX);
    let kind = |asked: bool, kind: EventType| asked.then(|| kind.as_str());
    let rows = statement.query_map(
        params![
            check_row,
            at,
            row,
            since,
            limit,
            kind(wanted.states, EventType::StatusChanged),
            kind(wanted.alerts, EventType::AlertDecision),
        ],
        |row| {
            let position = Position {
                at: row.get(4)?,
                source: Source::Change,
                row: row.get(0)?,
            };
            Ok((position, change(connection, row)?))
        },
    )?;
    for row in rows {
        found.push(row?);
    }
    Ok(())
}

fn change(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    let status = |column| -> rusqlite::Result<Option<Status>> {
        let name = row.get::<_, Option<String>>(column)?;
        Ok(name.and_then(|name| Status::from_name(&name)))
    };
    let is_alert = row.get_ref(1)?.as_str()? == EventType::AlertDecision.as_str();
    let source: String = row.get(2)?;
    let expected: Option<Millis> = row.get(7)?;
    let (from, to) = (status(5)?, status(6)?);
    let (event_type, payload, summary) = if is_alert {
        let channels = match row.get::<_, Option<i64>>(8)? {
            Some(alert) => deliveries(connection, alert)?,
            None => Vec::new(),
        };
        let said: Option<String> = row.get(12)?;
        let summary = message::told(said.as_deref(), &channels);
        let payload = json!({
            "alert_id": row.get::<_, Option<Uuid>>(9)?,
            "event": row.get::<_, Option<String>>(10)?,
            "type": row.get::<_, Option<String>>(11)?,
            "message": said,
            "channels": channels,
        });
        (EventType::AlertDecision, payload, summary)
    } else {
        (
            EventType::StatusChanged,
            json!({"expected_at": expected.map(timestamp)}),
            message::change(from, to, &source, expected),
        )
    };
    Ok(EventRecord {
        id: number_of_event(row.get(0)?),
        event_type,
        occurred_at: timestamp(row.get(3)?),
        effective_at: timestamp(row.get(4)?),
        source,
        payload,
        from_status: from,
        to_status: to,
        summary,
    })
}

/// To which channels an alert went, and how that is going. A channel's address may be a secret.
fn deliveries(connection: &Connection, alert: i64) -> rusqlite::Result<Vec<Value>> {
    let mut statement = connection.prepare_cached(
        "SELECT channel.id, channel.name, channel.kind, state, attempts, last_answer,
             next_attempt_at, finished_at
         FROM delivery JOIN channel ON channel.row = delivery.channel_row
         WHERE alert_row = ? ORDER BY delivery.row",
    )?;
    let rows = statement.query_map([alert], |row| {
        let state: String = row.get(3)?;
        let next: Millis = row.get(6)?;
        let next = (state == "pending" && next > 0).then(|| timestamp(next));
        Ok(json!({
            "id": row.get::<_, Uuid>(0)?,
            "name": row.get::<_, String>(1)?,
            "kind": row.get::<_, String>(2)?,
            "state": state,
            "attempts": row.get::<_, i64>(4)?,
            "last_answer": row.get::<_, Option<String>>(5)?,
            "next_attempt_at": next,
            "finished_at": row.get::<_, Option<Millis>>(7)?.map(timestamp),
        }))
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_cursor_is_none() {
        for bad in [
            "",
            "p",
            "1p",
            "p1",
            "1x2",
            "-1p2",
            "1p2p3",
            "1p+2",
            "9999999999999999999p1",
        ] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_back(at in 0..Millis::MAX, row in 0..i64::MAX, ping: bool) {
            let source = if ping { Source::Ping } else { Source::Change };
            let position = Position { at, source, row };
            prop_assert_eq!(Position::parse(&position.text()), Some(position));
        }
    }
}
