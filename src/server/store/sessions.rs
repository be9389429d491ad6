//! Who is signed in: tokens for programs, a cookie for a browser. Kept as hashes only.

use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::keys::{hash, token};
use super::{Desk, StoreError, timestamp};
use crate::random;
use crate::server::engine::Millis;

/// What every access token begins with, which tells it from an API key.
const ACCESS_PREFIX: &str = "pks_";

/// What every refresh token begins with.
const REFRESH_PREFIX: &str = "pkr_";

/// How long an access token is good, milliseconds: an hour.
pub const ACCESS_TIME: Millis = 3600 * 1000;

/// How long a session of a program lasts from its last refresh, milliseconds: 30 days.
const SESSION_TIME: Millis = 30 * 86_400 * 1000;

/// How long a browser stays signed in, milliseconds: 14 days.
pub const BROWSER_TIME: Millis = 14 * 86_400 * 1000;

/// How many sessions a person may have; the oldest goes first.
const SESSIONS_MAX: i64 = 100;

/// Where and with what somebody signs in, as their page shows it.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Where it came from.
    pub address: IpAddr,
    /// What it is, in a few words.
    pub agent: Option<String>,
}

/// The two tokens of a program's session, in full, this once.
pub struct Tokens {
    /// Good as `Authorization: Bearer` for [`ACCESS_TIME`].
    pub access: String,
    /// Gets the next two, once.
    pub refresh: String,
}

/// A session, and whose it is.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// Who is signed in.
    pub user_id: Uuid,
    /// Their address.
    pub email: String,
    /// When the token that was brought ends.
    pub token_expires_at: Millis,
}

/// Whether a token is meant as one of a session.
pub fn is_access_token(token: &str) -> bool {
    token.starts_with(ACCESS_PREFIX)
}

/// Opens a session for a program.
///
/// # Errors
/// As SQLite says.
pub fn open(desk: &mut Desk<'_>, user_id: Uuid, signer: &Signer) -> Result<Tokens, StoreError> {
    let tokens = tokens()?;
    let (access, refresh) = (&tokens.access, Some(tokens.refresh.as_str()));
    insert(desk, user_id, "api", access, refresh, signer)?;
    Ok(tokens)
}

/// Opens a session for a browser, and gives what its cookie holds.
///
/// # Errors
/// As SQLite says.
pub fn open_browser(
    desk: &mut Desk<'_>,
    user_id: Uuid,
    signer: &Signer,
) -> Result<String, StoreError> {
    let cookie = token::<32>("")?;
    insert(desk, user_id, "browser", &cookie, None, signer)?;
    Ok(cookie)
}

fn tokens() -> Result<Tokens, StoreError> {
    Ok(Tokens {
        access: token::<32>(ACCESS_PREFIX)?,
        refresh: token::<32>(REFRESH_PREFIX)?,
    })
}

fn insert(
    desk: &mut Desk<'_>,
    user_id: Uuid,
    kind: &str,
    access: &str,
    refresh: Option<&str>,
    signer: &Signer,
) -> Result<(), StoreError> {
    let now = desk.now;
    // Here, so that the table never grows beyond what is of use.
    desk.connection
        .execute("DELETE FROM session WHERE expires_at <= ?", [now])?;
    desk.connection.execute(
        "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE user_id = ?
         ORDER BY created_at DESC, id LIMIT -1 OFFSET ?)",
        params![user_id, SESSIONS_MAX - 1],
    )?;
    let (token_time, time) = match refresh {
        Some(_) => (ACCESS_TIME, SESSION_TIME),
        None => (BROWSER_TIME, BROWSER_TIME),
    };
    desk.connection.execute(
        "INSERT INTO session
         (id, user_id, kind, hash, hash_expires_at, refresh_hash, created_at, expires_at,
          address, agent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            random::uuid()?,
            user_id,
            kind,
            hash(access),
            now + token_time,
            refresh.map(hash),
            now,
            now + time,
            signer.address.to_string(),
            signer.agent,
        ],
    )?;
    Ok(())
}

/// Gives the session that `refresh_token` belongs to new tokens; none where it belongs to none.
/// One that was used before ends the session: two have it, and one of them is a thief.
///
/// # Errors
/// As SQLite says.
pub fn refresh(desk: &mut Desk<'_>, refresh_token: &str) -> Result<Option<Tokens>, StoreError> {
    let (hashed, now) = (hash(refresh_token), desk.now);
    desk.connection
        .execute("DELETE FROM session WHERE used_refresh_hash = ?", [hashed])?;
    let tokens = tokens()?;
    let changed = desk.connection.execute(
        "UPDATE session SET hash = ?, hash_expires_at = ?, refresh_hash = ?,
                used_refresh_hash = ?, expires_at = ?
         WHERE refresh_hash = ? AND expires_at > ?",
        params![
            hash(&tokens.access),
            now + ACCESS_TIME,
            hash(&tokens.refresh),
            hashed,
            now + SESSION_TIME,
            hashed,
            now,
        ],
    )?;
    Ok((changed > 0).then_some(tokens))
}

/// Ends a session.
///
/// # Errors
/// As SQLite says.
pub fn close(desk: &mut Desk<'_>, id: Uuid) -> Result<(), StoreError> {
    desk.connection
        .execute("DELETE FROM session WHERE id = ?", [id])?;
    Ok(())
}

/// A session as its person may see it.
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// Whether it is a browser's, and not a program's.
    pub is_browser: bool,
    /// Where it was opened from, and with what; none where that was not kept yet.
    pub address: Option<String>,
    /// As [`Signer::agent`].
    pub agent: Option<String>,
    /// When somebody signed in.
    pub created_at: jiff::Timestamp,
    /// When it ends, unless it is used.
    pub expires_at: jiff::Timestamp,
}

/// The person's sessions that are good at `now`, the newest first.
///
/// # Errors
/// As SQLite says.
pub fn list(
    connection: &Connection,
    user_id: Uuid,
    now: Millis,
) -> Result<Vec<Listed>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind = 'browser', created_at, expires_at, address, agent FROM session
         WHERE user_id = ? AND expires_at > ? ORDER BY created_at DESC, id",
    )?;
    let rows = statement.query_map(params![user_id, now], |row| {
        Ok(Listed {
            id: row.get(0)?,
            is_browser: row.get(1)?,
            created_at: timestamp(row.get(2)?),
            expires_at: timestamp(row.get(3)?),
            address: row.get(4)?,
            agent: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Ends all of the person's sessions but this one, or the one that is named.
///
/// # Errors
/// As SQLite says.
pub fn close_others(
    desk: &mut Desk<'_>,
    user_id: Uuid,
    keep: Uuid,
    only: Option<Uuid>,
) -> Result<(), StoreError> {
    desk.connection.execute(
        "DELETE FROM session WHERE user_id = ?1 AND id <> ?2 AND (?3 IS NULL OR id = ?3)",
        params![user_id, keep, only],
    )?;
    Ok(())
}

/// The session of a program that this access token belongs to; its token may have ended.
///
/// # Errors
/// As SQLite says.
pub fn by_access_token(
    connection: &Connection,
    token: &str,
) -> Result<Option<Session>, StoreError> {
    find(connection, "api", token)
}

/// The session of a browser with this cookie, where it is still good at `now`.
///
/// # Errors
/// As SQLite says.
pub fn by_cookie(
    connection: &Connection,
    cookie: &str,
    now: Millis,
) -> Result<Option<Session>, StoreError> {
    let found = find(connection, "browser", cookie)?;
    Ok(found.filter(|session| session.token_expires_at > now))
}

fn find(connection: &Connection, kind: &str, token: &str) -> Result<Option<Session>, StoreError> {
    let session = connection
        .prepare_cached(
            "SELECT session.id, session.user_id, user.email, session.hash_expires_at
             FROM session JOIN user ON user.id = session.user_id
             WHERE session.hash = ? AND session.kind = ?",
        )?
        .query_row(params![hash(token), kind], |row| {
            Ok(Session {
                id: row.get(0)?,
                user_id: row.get(1)?,
                email: row.get(2)?,
                token_expires_at: row.get(3)?,
            })
        })
        .optional()?;
    Ok(session)
}
