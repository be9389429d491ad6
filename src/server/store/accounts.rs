//! Organizations, users and API keys.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::{Desk, StoreError};
use crate::random;
use crate::wire::{NewProject, Organization};

/// What every key begins with.
const KEY_PREFIX: &str = "pk_live_";

/// How much of a key may be shown later, so that people can tell their keys apart.
const SHOWN: usize = KEY_PREFIX.len() + 4;

/// All that a key can be allowed.
const ALL_SCOPES: &str = "read write manage";

/// A first organization with its owner, project and key.
pub struct FirstOrganization {
    /// Its name.
    pub org: String,
    /// Its first project's name.
    pub project: String,
    /// Its owner's address.
    pub email: String,
    /// A PHC string.
    pub password_hash: Option<String>,
}

/// What [`create_first`] made. The key is not kept anywhere.
pub struct Created {
    /// The organization.
    pub org_id: Uuid,
    /// Its first project.
    pub project_id: Uuid,
    /// The API key, in full, this once.
    pub api_key: String,
}

/// Whom an API key speaks for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's organization.
    pub org_id: Uuid,
    /// Its name.
    pub org_name: String,
    /// The owner of the key.
    pub email: String,
    /// `read`, `write`, `manage`.
    pub scopes: Vec<String>,
}

/// Whether there is an organization at all.
///
/// # Errors
/// As SQLite says.
pub fn any_organization(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM organization)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Creates an organization, its owner, its first project and an API key that may do all.
///
/// # Errors
/// [`StoreError::Taken`] where there is an organization already; else as SQLite says.
pub fn create_first(desk: &mut Desk<'_>, first: &FirstOrganization) -> Result<Created, StoreError> {
    if any_organization(desk.connection)? {
        return Err(StoreError::Taken("data directory"));
    }
    let (org_id, user_id) = (random::uuid()?, random::uuid()?);
    let now = desk.now;
    desk.connection.execute(
        "INSERT INTO organization (id, name, timezone, created_at) VALUES (?, ?, 'UTC', ?)",
        params![org_id, first.org, now],
    )?;
    desk.connection.execute(
        "INSERT INTO user (id, email, password_hash, created_at) VALUES (?, ?, ?, ?)",
        params![user_id, first.email, first.password_hash, now],
    )?;
    desk.connection.execute(
        "INSERT INTO membership (org_id, user_id, role) VALUES (?, ?, 'owner')",
        params![org_id, user_id],
    )?;
    let project = super::projects::create(
        desk,
        &NewProject {
            org_id,
            name: first.project.clone(),
            description: None,
        },
    )?;
    let api_key = create_key(desk, org_id, user_id, "first key")?;
    Ok(Created {
        org_id,
        project_id: project.id,
        api_key,
    })
}

fn create_key(
    desk: &mut Desk<'_>,
    org_id: Uuid,
    user_id: Uuid,
    name: &str,
) -> Result<String, StoreError> {
    let secret: String = random::bytes::<24>()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = format!("{KEY_PREFIX}{secret}");
    desk.connection.execute(
        "INSERT INTO api_key (id, org_id, user_id, name, prefix, hash, scopes, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            random::uuid()?,
            org_id,
            user_id,
            name,
            &key[..SHOWN],
            key_hash(&key),
            ALL_SCOPES,
            desk.now
        ],
    )?;
    Ok(key)
}

/// Keys are 24 random bytes, so a fast hash protects them as well as a slow one would.
fn key_hash(key: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// Whom `key` speaks for, or none where it is no key of ours.
///
/// # Errors
/// As SQLite says.
pub fn caller(connection: &Connection, key: &str) -> Result<Option<Caller>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT organization.id, organization.name, user.email, api_key.scopes
         FROM api_key
         JOIN organization ON organization.id = api_key.org_id
         JOIN user ON user.id = api_key.user_id
         WHERE api_key.hash = ?",
    )?;
    let caller = statement.query_row([key_hash(key)], |row| {
        Ok(Caller {
            org_id: row.get(0)?,
            org_name: row.get(1)?,
            email: row.get(2)?,
            scopes: row
                .get_ref(3)?
                .as_str()?
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        })
    });
    Ok(caller.optional()?)
}

/// The organizations that the owner of a key can see with it: the key's own.
///
/// # Errors
/// As SQLite says.
pub fn organizations(
    connection: &Connection,
    caller: &Caller,
) -> Result<Vec<Organization>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT organization.id, organization.name, organization.timezone, membership.role
         FROM organization
         JOIN membership ON membership.org_id = organization.id
         JOIN user ON user.id = membership.user_id
         WHERE organization.id = ? AND user.email = ?",
    )?;
    let rows = statement.query_map(params![caller.org_id, caller.email], |row| {
        Ok(Organization {
            id: row.get(0)?,
            name: row.get(1)?,
            timezone: row.get(2)?,
            user_role: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
