//! `pakyas-server user …`.

use serde_json::json;

use super::{line, org, password, table, told, user};
use crate::server::store::accounts::{Role, memberships, role_in};
use crate::server::store::{Beside, StoreError, users};

/// A person to be added.
pub(super) struct New {
    pub email: String,
    pub name: Option<String>,
    pub role: Option<Role>,
    pub password_file: Option<String>,
}

pub(super) fn add(
    store: &mut Beside,
    new: &New,
    org_name: Option<&str>,
    json: bool,
) -> Result<String, String> {
    let org = org(store, org_name)?;
    let known = store
        .read(|connection| users::by_email(connection, &new.email))
        .map_err(told)?;
    let here = match &known {
        Some(user) => store
            .read(|connection| role_in(connection, org.id, user.id))
            .map_err(told)?,
        None => None,
    };
    let role = match (here, new.role) {
        (Some(role), None) => {
            return Err(format!(
                "{} is {} in '{}' already; --role changes that",
                new.email,
                role.as_str(),
                org.name
            ));
        }
        (_, role) => role.unwrap_or(Role::Member),
    };
    let hash = match (&known, &new.password_file) {
        (Some(_), Some(_)) => {
            return Err(format!(
                "{} is known and has a password; set another with 'pakyas-server user passwd {}'",
                new.email, new.email
            ));
        }
        (Some(_), None) => None,
        (None, file) => Some(password::new(file.as_deref(), &new.email)?),
    };
    let email = &new.email;
    let id = store
        .write(|desk| {
            let id = match &known {
                Some(user) => user.id,
                None => users::create(desk, email, new.name.as_deref(), hash.as_deref())?,
            };
            users::join(desk, org.id, id, role)?;
            Ok(id)
        })
        .map_err(told)?;
    Ok(if json {
        line(&json!({
            "id": id, "email": email, "org_id": org.id, "org_name": org.name,
            "role": role.as_str(), "created": known.is_none(),
        }))
    } else {
        format!("{email} is {} in '{}'\n", role.as_str(), org.name)
    })
}

pub(super) fn list(store: &Beside, org_name: Option<&str>, json: bool) -> Result<String, String> {
    let only = org_name.map(|name| org(store, Some(name))).transpose()?;
    let only = only.map(|org| org.id);
    let people = store
        .read(|connection| {
            let mut people = Vec::new();
            for user in users::list(connection, only)? {
                let mut theirs = memberships(connection, user.id)?;
                theirs.retain(|org| only.is_none_or(|id| org.id == id));
                people.push((user, theirs));
            }
            Ok::<_, StoreError>(people)
        })
        .map_err(told)?;
    if json {
        let people: Vec<_> = people
            .iter()
            .map(|(user, theirs)| {
                json!({
                    "id": user.id, "email": user.email, "name": user.name,
                    "has_password": user.password_hash.is_some(),
                    "created_at": user.created_at, "organizations": theirs,
                })
            })
            .collect();
        return Ok(line(&json!(people)));
    }
    let mut rows = Vec::new();
    for (user, theirs) in &people {
        let password = match user.password_hash {
            Some(_) => "set",
            None => "none",
        };
        let row = |role: &str, org: &str| {
            [&user.email, role, org, password].map(|cell: &str| cell.to_owned())
        };
        if theirs.is_empty() {
            rows.push(row("-", "-"));
        }
        rows.extend(theirs.iter().map(|org| row(&org.user_role, &org.name)));
    }
    Ok(table::text(
        ["EMAIL", "ROLE", "ORGANIZATION", "PASSWORD"],
        &rows,
    ))
}

pub(super) fn passwd(
    store: &mut Beside,
    email: &str,
    file: Option<&str>,
    json: bool,
) -> Result<String, String> {
    let user = user(store, email)?;
    let hash = password::new(file, email)?;
    store
        .write(|desk| users::set_password(desk, user.id, &hash))
        .map_err(told)?;
    Ok(if json {
        line(&json!({ "id": user.id, "email": user.email }))
    } else {
        format!(
            "{} has a new password, and is signed out everywhere\n",
            user.email
        )
    })
}

pub(super) fn remove(
    store: &mut Beside,
    email: &str,
    org_name: Option<&str>,
    json: bool,
) -> Result<String, String> {
    let user = user(store, email)?;
    let from = org_name.map(|name| org(store, Some(name))).transpose()?;
    let keys = store
        .write(|desk| match &from {
            Some(org) => users::leave(desk, org.id, user.id),
            None => users::remove(desk, user.id),
        })
        .map_err(|error| match (error, &from) {
            (StoreError::Gone, Some(org)) => {
                format!("{} does not belong to '{}'", user.email, org.name)
            }
            (error, _) => told(error),
        })?;
    if json {
        return Ok(line(&json!({
            "id": user.id, "email": user.email, "removed": true, "keys_revoked": keys,
        })));
    }
    let whence = from.map_or_else(String::new, |org| format!(" from '{}'", org.name));
    let keys = match keys {
        0 => String::new(),
        1 => "; 1 API key was revoked".to_owned(),
        many => format!("; {many} API keys were revoked"),
    };
    Ok(format!("{} was removed{whence}{keys}\n", user.email))
}
