//! Alert channels.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{Desk, StoreError, taken, timestamp};
use crate::random;
use crate::wire::{Channel, ChannelKind, NewChannel};

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

const COLUMNS: &str = "id, org_id, project_id, kind, name, target, secret IS NOT NULL, created_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Channel> {
    Ok(Channel {
        id: row.get(0)?,
        org_id: row.get(1)?,
        project_id: row.get(2)?,
        kind: kind(row, 3)?,
        name: row.get(4)?,
        target: row.get(5)?,
        has_secret: row.get(6)?,
        created_at: timestamp(row.get(7)?),
    })
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
            "INSERT INTO channel (id, org_id, project_id, kind, name, target, secret, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                id,
                new.org_id,
                new.project_id,
                new.kind.as_str(),
                new.name,
                new.target,
                new.secret,
                desk.now
            ],
        )
        .map_err(taken("name"))?;
    Ok(Channel {
        id,
        org_id: new.org_id,
        project_id: new.project_id,
        kind: new.kind,
        name: new.name.clone(),
        target: new.target.clone(),
        has_secret: new.secret.is_some(),
        created_at: timestamp(desk.now),
    })
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
    let row: i64 = desk
        .connection
        .prepare_cached("SELECT row FROM channel WHERE org_id = ? AND id = ?")?
        .query_row([org_id, id], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::Gone)?;
    desk.connection
        .execute("DELETE FROM delivery WHERE channel_row = ?", [row])?;
    desk.connection
        .execute("DELETE FROM channel WHERE row = ?", [row])?;
    Ok(())
}
