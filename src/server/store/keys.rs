//! API keys: made, listed, revoked, and told apart from what is none.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::accounts::{Caller, Credential, Standing, role};
use super::{Desk, StoreError, timestamp};
use crate::random;
use crate::server::engine::Millis;
use crate::server::hash::hex;
use crate::wire::{ApiKey, KeyRef};

/// What every key begins with.
const KEY_PREFIX: &str = "pk_live_";

/// How much of a key may be shown later, so that people can tell their keys apart.
const SHOWN: usize = KEY_PREFIX.len() + 4;

/// How many keys an organization may have at once.
pub const KEYS_MAX: i64 = 500;

/// A key to be made.
pub struct NewKey {
    /// What it opens.
    pub org_id: Uuid,
    /// Who it speaks for; what they may do bounds it whenever it is used.
    pub user_id: Uuid,
    /// 1–100 characters.
    pub name: String,
    /// `read`, `write`, `manage`.
    pub scopes: Vec<String>,
    /// When it ends, where it does.
    pub expires_at: Option<Millis>,
}

/// SHA-256 of a token. Tokens are 24 random bytes or more, so a fast hash protects them as well
/// as a slow one would.
pub(super) fn hash(token: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// `prefix` and `N` random bytes in hexadecimal.
pub(super) fn token<const N: usize>(prefix: &str) -> Result<String, StoreError> {
    Ok(format!("{prefix}{}", hex(&random::bytes::<N>()?)))
}

/// Makes a key. It is given once, here, and not kept anywhere.
///
/// # Errors
/// [`StoreError::Full`] where the organization has as many as it may; else as SQLite says.
pub fn create(desk: &mut Desk<'_>, new: &NewKey) -> Result<(ApiKey, String), StoreError> {
    let count: i64 = desk.connection.query_row(
        "SELECT count(*) FROM api_key WHERE org_id = ?",
        [new.org_id],
        |row| row.get(0),
    )?;
    if count >= KEYS_MAX {
        return Err(StoreError::Full("API keys"));
    }
    let key = token::<24>(KEY_PREFIX)?;
    let id = random::uuid()?;
    desk.connection.execute(
        "INSERT INTO api_key (id, org_id, user_id, name, prefix, hash, scopes, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            id,
            new.org_id,
            new.user_id,
            new.name,
            &key[..SHOWN],
            hash(&key),
            new.scopes.join(" "),
            desk.now,
            new.expires_at,
        ],
    )?;
    let made = ApiKey {
        id,
        name: new.name.clone(),
        key_prefix: key[..SHOWN].to_owned(),
        scopes: new.scopes.clone(),
        project_access: "all".to_owned(),
        allowed_project_ids: Some(Vec::new()),
        expires_at: new.expires_at.map(timestamp),
        last_used_at: None,
        created_at: timestamp(desk.now),
        is_expired: false,
    };
    Ok((made, key))
}

fn scopes(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The organization's keys, the oldest first; expired ones too, until they are revoked.
///
/// # Errors
/// As SQLite says.
pub fn list(connection: &Connection, org_id: Uuid, now: Millis) -> Result<Vec<ApiKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, prefix, scopes, expires_at, last_used_at, created_at
         FROM api_key WHERE org_id = ? ORDER BY created_at, id",
    )?;
    let rows = statement.query_map([org_id], |row| {
        let expires_at: Option<Millis> = row.get(4)?;
        Ok(ApiKey {
            id: row.get(0)?,
            name: row.get(1)?,
            key_prefix: row.get(2)?,
            scopes: scopes(row.get_ref(3)?.as_str()?),
            project_access: "all".to_owned(),
            allowed_project_ids: Some(Vec::new()),
            expires_at: expires_at.map(timestamp),
            last_used_at: row.get::<_, Option<Millis>>(5)?.map(timestamp),
            created_at: timestamp(row.get(6)?),
            is_expired: expires_at.is_some_and(|at| at <= now),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whose key it is, in the organization.
///
/// # Errors
/// As SQLite says.
pub fn owner(connection: &Connection, org_id: Uuid, id: Uuid) -> Result<Option<Uuid>, StoreError> {
    let owner = connection
        .prepare_cached("SELECT user_id FROM api_key WHERE org_id = ? AND id = ?")?
        .query_row([org_id, id], |row| row.get(0))
        .optional()?;
    Ok(owner)
}

/// Whose keys the organization's are: by a key's id, the person and their address.
///
/// # Errors
/// As SQLite says.
pub fn owners(
    connection: &Connection,
    org_id: Uuid,
) -> Result<HashMap<Uuid, (Uuid, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT api_key.id, user.id, user.email FROM api_key
         JOIN user ON user.id = api_key.user_id WHERE api_key.org_id = ?",
    )?;
    let rows = statement.query_map([org_id], |row| {
        Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Revokes the organization's key: the next request with it is refused.
///
/// # Errors
/// [`StoreError::Gone`] where there is no such key; else as SQLite says.
pub fn revoke(desk: &mut Desk<'_>, org_id: Uuid, id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM api_key WHERE org_id = ? AND id = ?";
    match desk.connection.execute(sql, [org_id, id])? {
        0 => Err(StoreError::Gone),
        _ => Ok(()),
    }
}

/// Remembers when keys were last used; never sets a time back.
///
/// # Errors
/// As SQLite says.
pub fn used(desk: &mut Desk<'_>, uses: &[(Uuid, Millis)]) -> Result<(), StoreError> {
    let mut statement = desk.connection.prepare_cached(
        "UPDATE api_key SET last_used_at = max(?, coalesce(last_used_at, 0)) WHERE id = ?",
    )?;
    for (id, at) in uses {
        statement.execute(params![at, id])?;
    }
    Ok(())
}

/// What a key is worth at `now`: what it allows, as far as its person may do that today.
pub(super) fn standing(
    connection: &Connection,
    key: &str,
    now: Millis,
) -> Result<Standing, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT organization.id, organization.name, user.id, user.email, membership.role,
                api_key.scopes, api_key.id, api_key.name, api_key.prefix, api_key.expires_at
         FROM api_key
         JOIN organization ON organization.id = api_key.org_id
         JOIN user ON user.id = api_key.user_id
         JOIN membership ON membership.org_id = api_key.org_id
                        AND membership.user_id = api_key.user_id
         WHERE api_key.hash = ?",
    )?;
    let found = statement.query_row([hash(key)], |row| {
        let role = role(row, 4)?;
        let mut allowed = scopes(row.get_ref(5)?.as_str()?);
        allowed.retain(|scope| role.scopes().contains(&scope.as_str()));
        let expires_at: Option<Millis> = row.get(9)?;
        let caller = Caller {
            org_id: row.get(0)?,
            org_name: row.get(1)?,
            user_id: row.get(2)?,
            email: row.get(3)?,
            role,
            scopes: allowed,
            credential: Credential::Key(KeyRef {
                id: row.get(6)?,
                name: row.get(7)?,
                key_prefix: row.get(8)?,
                expires_at: expires_at.map(timestamp),
            }),
        };
        Ok((expires_at, caller))
    });
    Ok(match found.optional()? {
        None => Standing::Unknown,
        Some((Some(at), _)) if at <= now => Standing::Expired(timestamp(at)),
        Some((_, caller)) => Standing::Good(Box::new(caller)),
    })
}
