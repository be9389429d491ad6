//! People: their addresses, their passwords' hashes, and which organizations they belong to.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::accounts::{Role, role, role_in};
use super::{Desk, StoreError, taken, timestamp};
use crate::random;

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// Their id.
    pub id: Uuid,
    /// Their address, by which they sign in; case does not matter.
    pub email: String,
    /// How they want to be called.
    pub name: Option<String>,
    /// A PHC string; none where nobody has set a password yet.
    pub password_hash: Option<String>,
    /// When they were added.
    pub created_at: jiff::Timestamp,
}

/// The person with this address.
///
/// # Errors
/// As SQLite says.
pub fn by_email(connection: &Connection, email: &str) -> Result<Option<User>, StoreError> {
    let user = connection
        .prepare_cached(
            "SELECT id, email, name, password_hash, created_at FROM user WHERE email = ?",
        )?
        .query_row([email.trim()], from_row)
        .optional()?;
    Ok(user)
}

/// The person with this id.
///
/// # Errors
/// As SQLite says.
pub fn by_id(connection: &Connection, id: Uuid) -> Result<Option<User>, StoreError> {
    let user = connection
        .prepare_cached("SELECT id, email, name, password_hash, created_at FROM user WHERE id = ?")?
        .query_row([id], from_row)
        .optional()?;
    Ok(user)
}

/// The people of one organization, or all of them; by address.
///
/// # Errors
/// As SQLite says.
pub fn list(connection: &Connection, org_id: Option<Uuid>) -> Result<Vec<User>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, email, name, password_hash, created_at FROM user
         WHERE ?1 IS NULL OR id IN (SELECT user_id FROM membership WHERE org_id = ?1)
         ORDER BY email",
    )?;
    let rows = statement.query_map([org_id], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The people of one organization with what they are there; by address.
///
/// # Errors
/// As SQLite says.
pub fn members(connection: &Connection, org_id: Uuid) -> Result<Vec<(User, Role)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT user.id, email, name, password_hash, user.created_at, membership.role
         FROM membership JOIN user ON user.id = membership.user_id
         WHERE membership.org_id = ? ORDER BY email",
    )?;
    let rows = statement.query_map([org_id], |row| Ok((from_row(row)?, role(row, 5)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        email: row.get(1)?,
        name: row.get(2)?,
        password_hash: row.get(3)?,
        created_at: timestamp(row.get(4)?),
    })
}

/// Adds a person, who belongs to no organization yet.
///
/// # Errors
/// [`StoreError::Taken`] where the address is known; else as SQLite says.
pub fn create(
    desk: &mut Desk<'_>,
    email: &str,
    name: Option<&str>,
    password_hash: Option<&str>,
) -> Result<Uuid, StoreError> {
    let id = random::uuid()?;
    desk.connection
        .execute(
            "INSERT INTO user (id, email, name, password_hash, created_at) VALUES (?, ?, ?, ?, ?)",
            params![id, email, name, password_hash, desk.now],
        )
        .map_err(taken("email"))?;
    Ok(id)
}

/// Gives the person another password; who is signed in with the old one is not any more.
///
/// # Errors
/// As SQLite says.
pub fn set_password(desk: &mut Desk<'_>, id: Uuid, hash: &str) -> Result<(), StoreError> {
    desk.connection.execute(
        "UPDATE user SET password_hash = ? WHERE id = ?",
        params![hash, id],
    )?;
    desk.connection
        .execute("DELETE FROM session WHERE user_id = ?", [id])?;
    Ok(())
}

/// Makes the person a member of the organization, or changes what they are there.
///
/// # Errors
/// [`StoreError::LastOwner`] where the organization would have no owner left; else as SQLite says.
pub fn join(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    user_id: Uuid,
    role: Role,
) -> Result<(), StoreError> {
    if role != Role::Owner {
        another_owner(desk.connection, org_id, user_id)?;
    }
    desk.connection.execute(
        "INSERT INTO membership (org_id, user_id, role) VALUES (?, ?, ?)
         ON CONFLICT (org_id, user_id) DO UPDATE SET role = excluded.role",
        params![org_id, user_id, role.as_str()],
    )?;
    Ok(())
}

/// Takes the person out of the organization; their keys there are revoked. Gives how many.
///
/// # Errors
/// [`StoreError::Gone`] where they don't belong to it; [`StoreError::LastOwner`] where it would
/// have no owner left; else as SQLite says.
pub fn leave(desk: &mut Desk<'_>, org_id: Uuid, user_id: Uuid) -> Result<usize, StoreError> {
    role_in(desk.connection, org_id, user_id)?.ok_or(StoreError::Gone)?;
    another_owner(desk.connection, org_id, user_id)?;
    let keys = desk.connection.execute(
        "DELETE FROM api_key WHERE org_id = ? AND user_id = ?",
        [org_id, user_id],
    )?;
    desk.connection.execute(
        "DELETE FROM membership WHERE org_id = ? AND user_id = ?",
        [org_id, user_id],
    )?;
    Ok(keys)
}

/// Removes the person from everywhere; their keys and sessions end. Gives how many keys.
///
/// # Errors
/// As [`leave`].
pub fn remove(desk: &mut Desk<'_>, user_id: Uuid) -> Result<usize, StoreError> {
    let mut keys = 0;
    for org in super::accounts::memberships(desk.connection, user_id)? {
        keys += leave(desk, org.id, user_id)?;
    }
    for sql in [
        "DELETE FROM session WHERE user_id = ?",
        "DELETE FROM user WHERE id = ?",
    ] {
        desk.connection.execute(sql, [user_id])?;
    }
    Ok(keys)
}

/// That the organization has an owner besides this person, or that they are none.
fn another_owner(connection: &Connection, org_id: Uuid, user_id: Uuid) -> Result<(), StoreError> {
    if role_in(connection, org_id, user_id)? != Some(Role::Owner) {
        return Ok(());
    }
    let others: i64 = connection.query_row(
        "SELECT count(*) FROM membership WHERE org_id = ? AND role = 'owner' AND user_id <> ?",
        [org_id, user_id],
        |row| row.get(0),
    )?;
    if others == 0 {
        return Err(StoreError::LastOwner);
    }
    Ok(())
}
