//! API keys: who may make which, and who may revoke them.

use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::{Answer, ApiError, App, Scope, id, id_parameter, json, lacks, name, own_org};
use crate::server::clock;
use crate::server::http::{Request, Response};
use crate::server::store::StoreError;
use crate::server::store::accounts::{Caller, Credential};
use crate::server::store::keys::{self, NewKey};
use crate::wire::account::{EXPIRES_MAX_DAYS, SCOPES};
use crate::wire::{ApiKey, ApiKeyList, CreatedKey, NewApiKey};

/// Milliseconds of a day.
const DAY: i64 = 86_400 * 1000;

pub(super) fn list(app: &App, caller: &Caller, request: &Request) -> Answer {
    own_org(caller, id_parameter(request, "org_id")?)?;
    let api_keys = all(app, caller)?;
    let total = api_keys.len();
    Ok(Response::json(
        StatusCode::OK,
        &ApiKeyList { api_keys, total },
    ))
}

/// The organization's keys, with their last use.
pub(in crate::server) fn all(app: &App, caller: &Caller) -> Result<Vec<ApiKey>, StoreError> {
    let mut api_keys = app
        .store
        .read(|connection| keys::list(connection, caller.org_id, clock::now()))?;
    app.accounts.uses.complete(&mut api_keys);
    Ok(api_keys)
}

/// With `manage` for anyone's use; and whoever is signed in makes keys for their own use, which
/// may do no more than they may.
pub(super) fn create(app: &App, caller: &Caller, request: &Request) -> Answer {
    if matches!(caller.credential, Credential::Key(_)) && !caller.may(Scope::Manage.name()) {
        return Err(lacks(caller, Scope::Manage.name()));
    }
    let new: NewApiKey = json(request)?;
    own_org(caller, Some(new.org_id))?;
    Ok(Response::json(
        StatusCode::CREATED,
        &make(app, caller, &new)?,
    ))
}

/// Makes a key for the caller, which may do no more than they may.
pub(in crate::server) fn make(
    app: &App,
    caller: &Caller,
    new: &NewApiKey,
) -> Result<CreatedKey, ApiError> {
    let wanted = scopes(&new.scopes)?;
    if let Some(more) = wanted.iter().find(|scope| !caller.may(scope)) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            &format!(
                "A key can't be given the scope '{more}', which its maker lacks; leave it out"
            ),
        ));
    }
    let expires_at = match new.expires_in_days {
        None => None,
        Some(days) if (1..=EXPIRES_MAX_DAYS).contains(&days) => Some(clock::now() + days * DAY),
        Some(_) => {
            return Err(ApiError::field(
                "expires_in_days",
                &format!(
                    "A key can expire in 1 to {EXPIRES_MAX_DAYS} days; leave 'expires_in_days' out for one that never does"
                ),
            ));
        }
    };
    let new = NewKey {
        org_id: caller.org_id,
        user_id: caller.user_id,
        name: name(&new.name)?,
        scopes: wanted,
        expires_at,
    };
    let (made, key) = app.store.write(move |desk| keys::create(desk, &new))?;
    Ok(CreatedKey {
        id: made.id,
        name: made.name,
        full_key: key.clone(),
        key,
        key_prefix: made.key_prefix,
        scopes: made.scopes,
        expires_at: made.expires_at,
        created_at: made.created_at,
    })
}

/// With `manage` any key of the organization. Whoever is signed in may always revoke their own,
/// and a key itself: it is not good any more once this is answered.
pub(super) fn revoke(app: &App, caller: &Caller, key: &str) -> Answer {
    end(app, caller, id(key, "API key")?)?;
    Ok(Response::empty())
}

/// Revokes the organization's key, where the caller may.
pub(in crate::server) fn end(app: &App, caller: &Caller, id: Uuid) -> Result<(), ApiError> {
    let org_id = caller.org_id;
    let is_itself = matches!(&caller.credential, Credential::Key(key) if key.id == id);
    if !is_itself && !caller.may(Scope::Manage.name()) {
        let owner = app
            .store
            .read(|connection| keys::owner(connection, org_id, id))?;
        let is_person = matches!(caller.credential, Credential::Session(_));
        if !is_person || owner != Some(caller.user_id) {
            return Err(lacks(caller, Scope::Manage.name()));
        }
    }
    app.store
        .write(move |desk| keys::revoke(desk, org_id, id))?;
    Ok(())
}

/// The scopes that were asked for, each once and in the usual order.
fn scopes(asked: &[String]) -> Result<Vec<String>, ApiError> {
    let refuse = || {
        ApiError::field(
            "scopes",
            "The scopes must be one or more of read, write and manage",
        )
    };
    if asked.is_empty() || asked.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(refuse());
    }
    let in_order = SCOPES
        .iter()
        .filter(|scope| asked.iter().any(|a| a == *scope));
    Ok(in_order.map(|&scope| scope.to_owned()).collect())
}
