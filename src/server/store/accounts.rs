//! Organizations and who belongs to them, and whom a request's token speaks for.
//!
//! Nothing of this is kept in memory between two requests: what a command changes beside the
//! running server (see `beside.rs`) holds from the next request on.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::keys::{self, NewKey};
use super::sessions;
use super::{Desk, StoreError, timestamp};
use crate::random;
use crate::server::engine::Millis;
use crate::wire::{KeyRef, NewProject, Organization};

/// What a person is in an organization. It bounds each key of theirs and each session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May do all. An organization always has one.
    Owner,
    /// May do all.
    Admin,
    /// May change checks and projects, but neither channels nor other people's keys.
    Member,
    /// May look.
    ReadOnly,
}

impl Role {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::ReadOnly];

    /// Its name on the wire, in the tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::ReadOnly => "read-only",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it may do, as scopes.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Owner | Self::Admin => &["read", "write", "manage"],
            Self::Member => &["read", "write"],
            Self::ReadOnly => &["read"],
        }
    }
}

/// A role that no version knows may do least.
pub(super) fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    Ok(Role::named(row.get_ref(column)?.as_str()?).unwrap_or(Role::ReadOnly))
}

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

/// What a token is.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An API key.
    Key(KeyRef),
    /// A person's session, by its id.
    Session(Uuid),
}

/// Whom a token speaks for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organization that the request is about.
    pub org_id: Uuid,
    /// Its name.
    pub org_name: String,
    /// The person: who is signed in, or made the key.
    pub user_id: Uuid,
    /// That person's address.
    pub email: String,
    /// What that person is in the organization now.
    pub role: Role,
    /// `read`, `write`, `manage`: what the token allows, and its person may do now.
    pub scopes: Vec<String>,
    /// The token.
    pub credential: Credential,
}

impl Caller {
    /// Whether it may do what this scope stands for.
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|has| has == scope)
    }
}

/// What a token is worth.
pub enum Standing {
    /// It speaks for someone.
    Good(Box<Caller>),
    /// It is none of ours, or not any more.
    Unknown,
    /// It was good until then.
    Expired(jiff::Timestamp),
    /// Its person does not belong to the organization that was asked for, or to none at all.
    Stranger,
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
    let user_id = super::users::create(desk, &first.email, None, first.password_hash.as_deref())?;
    let (org_id, project_id) = create(desk, &first.org, &first.project, user_id)?;
    let (_, api_key) = keys::create(
        desk,
        &NewKey {
            org_id,
            user_id,
            name: "first key".to_owned(),
            scopes: Role::Owner.scopes().iter().map(|&s| s.to_owned()).collect(),
            expires_at: None,
        },
    )?;
    Ok(Created {
        org_id,
        project_id,
        api_key,
    })
}

/// Creates an organization with its owner and its first project; gives the ids of both.
///
/// # Errors
/// As SQLite says.
pub fn create(
    desk: &mut Desk<'_>,
    name: &str,
    project: &str,
    owner: Uuid,
) -> Result<(Uuid, Uuid), StoreError> {
    let org_id = random::uuid()?;
    desk.connection.execute(
        "INSERT INTO organization (id, name, timezone, created_at) VALUES (?, ?, 'UTC', ?)",
        params![org_id, name, desk.now],
    )?;
    desk.connection.execute(
        "INSERT INTO membership (org_id, user_id, role) VALUES (?, ?, 'owner')",
        params![org_id, owner],
    )?;
    let project = super::projects::create(
        desk,
        &NewProject {
            org_id,
            name: project.to_owned(),
            description: None,
        },
    )?;
    Ok((org_id, project.id))
}

/// What `token` is worth at `now`. A session may be used for any of its person's
/// organizations: for `wanted`, else for the oldest. A key has only one.
///
/// # Errors
/// As SQLite says.
pub fn standing(
    connection: &Connection,
    token: &str,
    wanted: Option<Uuid>,
    now: Millis,
) -> Result<Standing, StoreError> {
    if !sessions::is_access_token(token) {
        return keys::standing(connection, token, now);
    }
    let Some(session) = sessions::by_access_token(connection, token)? else {
        return Ok(Standing::Unknown);
    };
    if session.token_expires_at <= now {
        return Ok(Standing::Expired(timestamp(session.token_expires_at)));
    }
    let theirs = memberships(connection, session.user_id)?;
    let chosen = match wanted {
        Some(wanted) => theirs.into_iter().find(|org| org.id == wanted),
        None => theirs.into_iter().next(),
    };
    let Some(org) = chosen else {
        return Ok(Standing::Stranger);
    };
    let role = Role::named(&org.user_role).unwrap_or(Role::ReadOnly);
    Ok(Standing::Good(Box::new(Caller {
        org_id: org.id,
        org_name: org.name,
        user_id: session.user_id,
        email: session.email,
        role,
        scopes: role.scopes().iter().map(|&s| s.to_owned()).collect(),
        credential: Credential::Session(session.id),
    })))
}

/// The organizations that the caller can see: a key's own, or all of a signed-in person's.
///
/// # Errors
/// As SQLite says.
pub fn organizations(
    connection: &Connection,
    caller: &Caller,
) -> Result<Vec<Organization>, StoreError> {
    let mut theirs = memberships(connection, caller.user_id)?;
    if matches!(caller.credential, Credential::Key(_)) {
        theirs.retain(|org| org.id == caller.org_id);
    }
    Ok(theirs)
}

/// The person's organizations, the oldest first.
///
/// # Errors
/// As SQLite says.
pub fn memberships(
    connection: &Connection,
    user_id: Uuid,
) -> Result<Vec<Organization>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT organization.id, organization.name, organization.timezone, membership.role
         FROM membership
         JOIN organization ON organization.id = membership.org_id
         WHERE membership.user_id = ?
         ORDER BY organization.created_at, organization.id",
    )?;
    let rows = statement.query_map([user_id], organization_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Gives the organization another time zone, by its IANA name; its cron checks that have none of
/// their own are expected by that from now on.
///
/// # Errors
/// As SQLite says.
pub fn set_timezone(desk: &mut Desk<'_>, org_id: Uuid, name: &str) -> Result<(), StoreError> {
    desk.connection.execute(
        "UPDATE organization SET timezone = ? WHERE id = ?",
        params![name, org_id],
    )?;
    super::checks::follow_zone(desk, org_id)
}

/// What the person is in the organization; none where they don't belong to it.
///
/// # Errors
/// As SQLite says.
pub fn role_in(
    connection: &Connection,
    org_id: Uuid,
    user_id: Uuid,
) -> Result<Option<Role>, StoreError> {
    let found = connection
        .prepare_cached("SELECT role FROM membership WHERE org_id = ? AND user_id = ?")?
        .query_row([org_id, user_id], |row| role(row, 0))
        .optional()?;
    Ok(found)
}

fn organization_row(row: &Row<'_>) -> rusqlite::Result<Organization> {
    Ok(Organization {
        id: row.get(0)?,
        name: row.get(1)?,
        timezone: row.get(2)?,
        user_role: row.get(3)?,
    })
}

/// All organizations by id and name, the oldest first: for whoever runs the server.
///
/// # Errors
/// As SQLite says.
pub fn all(connection: &Connection) -> Result<Vec<(Uuid, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id, name FROM organization ORDER BY created_at, id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
