//! `pakyas api-key …`: the organization's keys, on the server.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{Context, confirm, name, usage};
use crate::client::api::Api;
use crate::client::args::{ApiKeyCommand, ApiKeyCreate, ApiKeyRevoke};
use crate::client::error::{Error, Kind};
use crate::client::render::{self, Table, clean, relative};
use crate::client::settings::same_name;
use crate::schedule::parse_duration;
use crate::wire::account::{EXPIRES_MAX_DAYS, SCOPES};
use crate::wire::{ApiKey, ApiKeyList, CreatedKey, NewApiKey};

/// What a key may do where nothing is said: what jobs and people need from day to day.
const DEFAULT_SCOPES: &str = "read,write";

/// Seconds of a day.
const DAY: u64 = 86_400;

pub fn run(context: &Context, command: ApiKeyCommand) -> Result<i32, Error> {
    match command {
        ApiKeyCommand::List(_) => list(context),
        ApiKeyCommand::Create(typed) => create(context, &typed),
        ApiKeyCommand::Revoke(typed) => revoke(context, &typed),
    }
    .map(|()| 0)
}

fn keys(api: &Api<'_>) -> Result<Vec<ApiKey>, Error> {
    let list: ApiKeyList = api.get(&format!("/api-keys?org_id={}", api.org_id()?))?;
    Ok(list.api_keys)
}

fn list(context: &Context) -> Result<(), Error> {
    let keys = keys(&context.api()?)?;
    render::list(context.format, &keys, || {
        let now = Timestamp::now();
        let mut table = Table::new(
            &[
                "NAME",
                "KEY",
                "SCOPES",
                "EXPIRES",
                "LAST USED",
                "CREATED",
                "ID",
            ],
            &[0, 2],
        );
        for key in &keys {
            let expires = match key.expires_at {
                None => "never".to_owned(),
                Some(_) if key.is_expired => "expired".to_owned(),
                Some(at) => relative(at, now),
            };
            let used = key
                .last_used_at
                .map_or_else(|| "never".to_owned(), |at| relative(at, now));
            table.row([
                key.name.clone(),
                format!("{}…", key.key_prefix),
                key.scopes.join(","),
                expires,
                used,
                relative(key.created_at, now),
                key.id.to_string(),
            ]);
        }
        table.text(context.screen)
    })
}

fn scopes(typed: &str) -> Result<Vec<String>, Error> {
    let asked: Vec<&str> = typed.split(',').map(str::trim).collect();
    if let Some(unknown) = asked.iter().find(|scope| !SCOPES.contains(scope)) {
        return Err(usage(format!(
            "--scopes takes read, write and manage, with commas between them, not '{}'",
            unknown.escape_debug()
        )));
    }
    let in_order = SCOPES.iter().filter(|scope| asked.contains(scope));
    Ok(in_order.map(|&scope| scope.to_owned()).collect())
}

/// Whole days as typed: `90d`, or a number alone, as the official client has it.
fn days(typed: &str) -> Result<i64, Error> {
    let seconds = match typed.parse::<u64>() {
        Ok(days) => days.checked_mul(DAY),
        Err(_) => parse_duration(typed).ok(),
    };
    seconds
        .filter(|seconds| seconds.is_multiple_of(DAY))
        .and_then(|seconds| i64::try_from(seconds / DAY).ok())
        .filter(|days| (1..=EXPIRES_MAX_DAYS).contains(days))
        .ok_or_else(|| {
            usage(format!(
                "--expires needs whole days from 1d to {EXPIRES_MAX_DAYS}d, as 90d, not '{}'",
                typed.escape_debug()
            ))
        })
}

fn create(context: &Context, typed: &ApiKeyCreate) -> Result<(), Error> {
    let name = name("NAME", &typed.name)?;
    let scopes = scopes(typed.scopes.as_deref().unwrap_or(DEFAULT_SCOPES))?;
    let expires_in_days = typed.expires.as_deref().map(days).transpose()?;
    let api = context.api()?;
    let created: CreatedKey = api.post(
        "/api-keys",
        &NewApiKey {
            org_id: api.org_id()?,
            name,
            scopes,
            expires_in_days,
        },
    )?;
    context
        .talk
        .note("The key is shown this once; keep it where its user reads it");
    render::one(context.format, &created, || {
        if context.globals().quiet {
            return format!("{}\n", clean(&created.key));
        }
        format!(
            "Created the API key '{}'\n\
             \n\
             Key      {}\n\
             Scopes   {}\n\
             Expires  {}\n\
             Id       {}\n",
            clean(&created.name),
            clean(&created.key),
            clean(&created.scopes.join(", ")),
            created
                .expires_at
                .map_or_else(|| "never".to_owned(), |at| context.screen.when(at)),
            created.id
        )
    })
}

/// The key that is called so: by id, by what it begins with, or by name in any case.
fn find(api: &Api<'_>, wanted: &str) -> Result<ApiKey, Error> {
    let mut keys = keys(api)?;
    let names: Vec<String> = keys.iter().map(|key| clean(&key.name)).collect();
    let id = Uuid::try_parse(wanted).ok();
    keys.retain(|key| {
        Some(key.id) == id || key.key_prefix == wanted || same_name(&key.name, wanted)
    });
    match keys.len() {
        1 => Ok(keys.remove(0)),
        0 => Err(Error::new(
            Kind::NotFound,
            format!(
                "API key not found: none is called '{}'; there are: {}\n  pakyas api-key list   see the keys",
                wanted.escape_debug(),
                names.join(", ")
            ),
        )),
        _ => {
            let ids: Vec<_> = keys
                .iter()
                .map(|key| format!("\n  {}  {}…", key.id, clean(&key.key_prefix)))
                .collect();
            Err(usage(format!(
                "Several API keys are called '{}'; name one by its id:{}",
                wanted.escape_debug(),
                ids.concat()
            )))
        }
    }
}

fn revoke(context: &Context, typed: &ApiKeyRevoke) -> Result<(), Error> {
    let api = context.api()?;
    let key = find(&api, &typed.name)?;
    let name = clean(&key.name);
    confirm(
        &format!(
            "Revoke the API key '{name}' ({}…)? Whoever uses it is refused from then on.",
            clean(&key.key_prefix)
        ),
        typed.yes,
    )?;
    api.act("DELETE", &format!("/api-keys/{}", key.id))?;
    context.talk.note(&format!("Revoked the API key '{name}'"));
    let result = json!({ "id": key.id, "name": key.name, "revoked": true });
    render::one(context.format, &result, String::new)
}
