//! `pakyas-server key …`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Org, all_orgs, line, org, table, told, user};
use crate::server::clock;
use crate::server::store::accounts::{Role, role_in};
use crate::server::store::keys::{self, NewKey};
use crate::server::store::{Beside, StoreError, users};
use crate::wire::ApiKey;

/// Milliseconds of a day.
const DAY: i64 = 86_400 * 1000;

/// A key to be made.
pub(super) struct New {
    pub name: String,
    pub user: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub expires_in_days: Option<i64>,
}

pub(super) fn create(
    store: &mut Beside,
    new: New,
    org_name: Option<&str>,
    json: bool,
) -> Result<String, String> {
    let org = org(store, org_name)?;
    let user = match &new.user {
        Some(email) => user(store, email)?,
        None => owner(store, &org)?,
    };
    let role = store
        .read(|connection| role_in(connection, org.id, user.id))
        .map_err(told)?
        .ok_or_else(|| {
            format!(
                "{} does not belong to '{}'; add them first with 'pakyas-server user add'",
                user.email, org.name
            )
        })?;
    let scopes = new
        .scopes
        .unwrap_or_else(|| role.scopes().iter().map(|&s| s.to_owned()).collect());
    if let Some(more) = scopes.iter().find(|s| !role.scopes().contains(&s.as_str())) {
        return Err(format!(
            "{} is {} in '{}', so a key in their name can't have the scope '{more}'",
            user.email,
            role.as_str(),
            org.name
        ));
    }
    let new = NewKey {
        org_id: org.id,
        user_id: user.id,
        name: new.name,
        scopes,
        expires_at: new.expires_in_days.map(|days| clock::now() + days * DAY),
    };
    let (made, key) = store.write(|desk| keys::create(desk, &new)).map_err(told)?;
    Ok(if json {
        line(&json!({
            "id": made.id, "name": made.name, "key": key, "full_key": key,
            "key_prefix": made.key_prefix, "scopes": made.scopes,
            "expires_at": made.expires_at, "created_at": made.created_at,
            "org_id": org.id, "user": user.email,
        }))
    } else {
        format!("API key: {key}\nThe key is shown this once; keep it.\n")
    })
}

/// The first of the organization's owners.
fn owner(store: &Beside, org: &Org) -> Result<users::User, String> {
    store
        .read(|connection| {
            for user in users::list(connection, Some(org.id))? {
                if role_in(connection, org.id, user.id)? == Some(Role::Owner) {
                    return Ok(Some(user));
                }
            }
            Ok::<_, StoreError>(None)
        })
        .map_err(told)?
        .ok_or_else(|| {
            format!(
                "'{}' has no owner; say in whose name the key is with --user",
                org.name
            )
        })
}

/// The keys of one organization, or of all.
fn all(store: &Beside, org_name: Option<&str>) -> Result<Vec<(Org, ApiKey)>, String> {
    let only = org_name.map(|name| org(store, Some(name))).transpose()?;
    store
        .read(|connection| {
            let mut all = Vec::new();
            for org in all_orgs(connection)? {
                if only.as_ref().is_some_and(|only| only.id != org.id) {
                    continue;
                }
                for key in keys::list(connection, org.id, clock::now())? {
                    let org = Org {
                        id: org.id,
                        name: org.name.clone(),
                    };
                    all.push((org, key));
                }
            }
            Ok(all)
        })
        .map_err(told)
}

pub(super) fn list(store: &Beside, org_name: Option<&str>, json: bool) -> Result<String, String> {
    let all = all(store, org_name)?;
    if json {
        let all: Vec<_> = all
            .iter()
            .map(|(org, key)| {
                let mut value = json!(key);
                if let Value::Object(fields) = &mut value {
                    fields.insert("org_id".to_owned(), json!(org.id));
                    fields.insert("org_name".to_owned(), json!(org.name));
                }
                value
            })
            .collect();
        return Ok(line(&json!(all)));
    }
    let time = |time: Option<Timestamp>| {
        time.map_or_else(|| "never".to_owned(), |time| format!("{time:.0}"))
    };
    let rows: Vec<_> = all
        .into_iter()
        .map(|(org, key)| {
            [
                key.name,
                key.key_prefix,
                org.name,
                key.scopes.join(","),
                if key.is_expired {
                    "expired".to_owned()
                } else {
                    time(key.expires_at)
                },
                time(key.last_used_at),
                key.id.to_string(),
            ]
        })
        .collect();
    Ok(table::text(
        [
            "NAME",
            "PREFIX",
            "ORGANIZATION",
            "SCOPES",
            "EXPIRES",
            "LAST USED",
            "ID",
        ],
        &rows,
    ))
}

pub(super) fn revoke(
    store: &mut Beside,
    wanted: &str,
    org_name: Option<&str>,
    json: bool,
) -> Result<String, String> {
    let mut found = all(store, org_name)?;
    let id = wanted.parse().ok();
    found.retain(|(_, key)| Some(key.id) == id || key.name == wanted || key.key_prefix == wanted);
    let (org, key) = match found.len() {
        1 => found.remove(0),
        0 => {
            return Err(format!(
                "there is no API key '{wanted}'; 'pakyas-server key list' shows those that there are"
            ));
        }
        _ => {
            return Err(format!(
                "several API keys are called '{wanted}'; name one by its id, as 'pakyas-server key list' shows it"
            ));
        }
    };
    store
        .write(|desk| keys::revoke(desk, org.id, key.id))
        .map_err(told)?;
    Ok(if json {
        line(&json!({ "id": key.id, "name": key.name, "revoked": true }))
    } else {
        format!(
            "The API key '{}' ({}…) is revoked\n",
            key.name, key.key_prefix
        )
    })
}
