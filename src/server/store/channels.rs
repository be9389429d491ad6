//! Alert channels.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{Desk, StoreError, deliveries, taken, timestamp, unsigned};
use crate::random;
use crate::wire::{Channel, ChannelChange, ChannelKind, NewChannel};

/// Where a channel's messages go: all that a sender needs, and nothing that is to be shown.
#[derive(Debug, Clone)]
pub struct Address {
    /// Which sender.
    pub kind: ChannelKind,
    /// An address or a URL.
    pub target: String,
    /// Signs what is sent.
    pub secret: Option<String>,
}

/// How much of an answer is told as the reason, characters.
const REASON_MAX: usize = 200;

const COLUMNS: &str = "id, org_id, project_id, check_id, kind, name, target, secret IS NOT NULL,
    created_at, enabled, last_delivery_at, failing_since, latest_answer, disabled_reason,
    (SELECT count(*) FROM delivery
     WHERE delivery.channel_row = channel.row AND delivery.state = 'pending')";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Channel> {
    let time = |column| {
        let time: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(time.map(timestamp))
    };
    let kind = kind(row, 4)?;
    let target: String = row.get(6)?;
    Ok(Channel {
        id: row.get(0)?,
        org_id: row.get(1)?,
        project_id: row.get(2)?,
        check_id: row.get(3)?,
        kind,
        name: row.get(5)?,
        target: shown(kind, target),
        has_secret: row.get(7)?,
        created_at: timestamp(row.get(8)?),
        enabled: row.get(9)?,
        last_delivery_at: time(10)?,
        failing_since: time(11)?,
        last_answer: row.get(12)?,
        disabled_reason: row.get(13)?,
        pending: unsigned(row.get(14)?),
    })
}

/// A target as it may be shown: who knows the last part of a Slack URL can post there.
fn shown(kind: ChannelKind, target: String) -> String {
    match (kind, target.rsplit_once('/')) {
        (ChannelKind::Slack, Some((start, _))) => format!("{start}/…"),
        _ => target,
    }
}

pub(super) fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<ChannelKind> {
    let name = row.get_ref(column)?.as_str()?;
    [ChannelKind::Email, ChannelKind::Slack, ChannelKind::Webhook]
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                rusqlite::types::Type::Text,
                format!("no channel kind is called '{name}'").into(),
            )
        })
}

/// Creates a channel, its values checked.
///
/// # Errors
/// [`StoreError::Taken`] where the organization has one of that name; else as SQLite says.
pub fn create(desk: &mut Desk<'_>, new: &NewChannel) -> Result<Channel, StoreError> {
    let id = random::uuid()?;
    desk.connection
        .execute(
            "INSERT INTO channel (id, org_id, project_id, check_id, kind, name, target, secret,
                 created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                id,
                new.org_id,
                new.project_id,
                new.check_id,
                new.kind.as_str(),
                new.name,
                new.target,
                new.secret,
                desk.now
            ],
        )
        .map_err(taken("name"))?;
    get(desk.connection, new.org_id, id)?.ok_or(StoreError::Gone)
}

/// Changes the organization's channel, the values checked. Where it goes elsewhere or is
/// switched on, what waits for it is tried at once.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such channel, [`StoreError::Taken`] where another
/// has that name; else as SQLite says.
pub fn update(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    id: Uuid,
    change: &ChannelChange,
) -> Result<Channel, StoreError> {
    let row = row(desk.connection, org_id, id)?;
    let secret = change.secret.as_deref();
    desk.connection
        .prepare_cached(
            "UPDATE channel SET name = coalesce(?1, name), target = coalesce(?2, target),
                 secret = CASE WHEN ?3 IS NULL THEN secret ELSE nullif(?3, '') END,
                 enabled = coalesce(?4, enabled),
                 disabled_reason = CASE WHEN ?4 THEN NULL ELSE disabled_reason END
             WHERE row = ?5",
        )?
        .execute(params![
            change.name,
            change.target,
            secret,
            change.enabled,
            row
        ])
        .map_err(taken("name"))?;
    if change.target.is_some() || change.enabled == Some(true) {
        desk.connection
            .prepare_cached("UPDATE channel SET failures = 0, retry_at = 0 WHERE row = ?")?
            .execute([row])?;
        deliveries::at_once(desk.connection, row)?;
        desk.wake_dispatcher();
    }
    get(desk.connection, org_id, id)?.ok_or(StoreError::Gone)
}

/// The organization's channel with this id.
///
/// # Errors
/// As SQLite says.
pub fn get(connection: &Connection, org_id: Uuid, id: Uuid) -> Result<Option<Channel>, StoreError> {
    let channel = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM channel WHERE org_id = ? AND id = ?"
        ))?
        .query_row([org_id, id], from_row)
        .optional()?;
    Ok(channel)
}

/// The row of the organization's channel with this id, or [`StoreError::Gone`].
pub(super) fn row(connection: &Connection, org_id: Uuid, id: Uuid) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT row FROM channel WHERE org_id = ? AND id = ?")?
        .query_row([org_id, id], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::Gone)
}

/// The organization's channels by name.
///
/// # Errors
/// As SQLite says.
pub fn list(connection: &Connection, org_id: Uuid) -> Result<Vec<Channel>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM channel WHERE org_id = ? ORDER BY name"
    ))?;
    let rows = statement.query_map([org_id], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether the channel hears of this check of its organization's. The same ones that
/// `outbox::add` writes deliveries for.
pub fn hears(channel: &Channel, project_id: Uuid, check_id: Uuid) -> bool {
    channel.enabled && is_for(channel, project_id, check_id)
}

/// The same, whether or not it is switched on.
pub fn is_for(channel: &Channel, project_id: Uuid, check_id: Uuid) -> bool {
    channel.project_id.is_none_or(|id| id == project_id)
        && channel.check_id.is_none_or(|id| id == check_id)
}

/// Why a channel is switched off whose target gave this answer and is gone for good.
pub(super) fn gone(answer: &str) -> String {
    let line = answer.lines().next().unwrap_or_default();
    let line: String = line.chars().take(REASON_MAX).collect();
    format!("its target answered that it is gone for good ({line})")
}

/// Where the organization's channel with this id sends to.
///
/// # Errors
/// As SQLite says.
pub fn address(
    connection: &Connection,
    org_id: Uuid,
    id: Uuid,
) -> Result<Option<Address>, StoreError> {
    let address = connection
        .prepare_cached("SELECT kind, target, secret FROM channel WHERE org_id = ? AND id = ?")?
        .query_row([org_id, id], |row| {
            Ok(Address {
                kind: kind(row, 0)?,
                target: row.get(1)?,
                secret: row.get(2)?,
            })
        })
        .optional()?;
    Ok(address)
}

/// Deletes the organization's channel, and with it what it was still to be sent.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such channel; else as SQLite says.
pub fn delete(desk: &mut Desk<'_>, org_id: Uuid, id: Uuid) -> Result<(), StoreError> {
    let row = row(desk.connection, org_id, id)?;
    desk.connection
        .execute("DELETE FROM delivery WHERE channel_row = ?", [row])?;
    desk.connection
        .execute("DELETE FROM channel WHERE row = ?", [row])?;
    Ok(())
}

/// Deletes the channels that are for one check or one project alone, which is gone: `scope` is
/// the column that names it.
pub(super) fn delete_of(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    scope: &'static str,
    id: Uuid,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = {
        let mut statement = desk.connection.prepare_cached(&format!(
            "SELECT id FROM channel WHERE org_id = ? AND {scope} = ?"
        ))?;
        let rows = statement.query_map([org_id, id], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    ids.into_iter()
        .try_for_each(|channel| delete(desk, org_id, channel))
}
