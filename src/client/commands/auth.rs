//! `pakyas auth …`: who is logged in, and the keys that are kept on this machine.

use std::io::IsTerminal;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Context, INTERRUPTED, login, password};
use crate::client::api::Api;
use crate::client::args::{AuthCommand, AuthKeyCommand};
use crate::client::config::{self, Credential, Credentials};
use crate::client::error::{Error, Kind};
use crate::client::render::{self, Screen, Table, clean};
use crate::client::settings::{KeySource, Selection, same_name, typed_key};
use crate::secret::Secret;
use crate::wire::Me;

/// How much of a key may be shown, characters; of a shorter one nothing.
const SHOWN: usize = 12;

pub fn run(context: &Context, command: AuthCommand) -> Result<i32, Error> {
    match command {
        AuthCommand::Status(_) => status(context),
        AuthCommand::Key(typed) => match typed.command {
            AuthKeyCommand::List(_) => list(context).map(|()| 0),
            AuthKeyCommand::Set(typed) => set(context, typed.key),
            AuthKeyCommand::Verify(_) => verify(context),
            AuthKeyCommand::Rm(typed) if typed.legacy => rm_legacy(context).map(|()| 0),
            AuthKeyCommand::Rm(_) => rm(context).map(|()| 0),
        },
    }
}

/// What a key begins with, where enough of it stays hidden.
fn prefix(key: &str) -> String {
    match key.get(..SHOWN) {
        Some(prefix) if key.len() >= 2 * SHOWN => clean(prefix),
        _ => "…".to_owned(),
    }
}

fn expires(me: &Me, screen: Screen) -> String {
    match &me.key {
        None => "the server does not say".to_owned(),
        Some(key) => key
            .expires_at
            .map_or_else(|| "never".to_owned(), |at| screen.when(at)),
    }
}

fn status(context: &Context) -> Result<i32, Error> {
    let base = context.settings.api_url()?;
    let key = context.settings.key()?;
    let source = match key.source {
        KeySource::Environment => "PAKYAS_API_KEY",
        KeySource::Stored => "credentials.json",
        KeySource::CommandLine => "the command line",
    };
    let prefix = prefix(key.secret.expose());
    let project = match context.settings.project()? {
        Selection::None => None,
        Selection::Id(_, Some(name)) | Selection::Named(name) => Some(name),
        Selection::Id(id, None) => Some(id.to_string()),
    };
    let asked = Api::connect(&context.settings, &context.http, None).and_then(|api| api.me());
    let mut value = match &asked {
        Ok(me) => serde_json::to_value(me).unwrap_or_default(),
        Err(_) => json!({}),
    };
    let trouble = asked.as_ref().err();
    if let Value::Object(fields) = &mut value {
        for (name, value) in [
            ("works", json!(trouble.is_none())),
            ("problem", json!(trouble.map(|error| error.first_line()))),
            ("api_url", json!(base)),
            ("key_source", json!(source)),
            ("key_prefix", json!(prefix)),
            ("project_name", json!(project)),
        ] {
            fields.insert(name.to_owned(), value);
        }
    }
    render::one(context.format, &value, || {
        let mut lines = Vec::new();
        let mut line = |name: &str, text: String| lines.push(format!("{name}: {}\n", clean(&text)));
        if let Ok(me) = &asked {
            let role = me.user_role.as_ref();
            line("User", me.email.clone());
            line(
                "Organization",
                role.map_or_else(
                    || me.org_name.clone(),
                    |role| format!("{} ({role})", me.org_name),
                ),
            );
        }
        line(
            "Project",
            project.unwrap_or_else(|| "(none selected)".to_owned()),
        );
        line("Server", base.clone());
        let name = asked.as_ref().ok().and_then(|me| me.key.as_ref());
        let name = name.map_or_else(String::new, |key| format!(" '{}'", key.name));
        line("API key", format!("{prefix}…{name}, from {source}"));
        if let Ok(me) = &asked {
            line("Scopes", me.scopes.join(", "));
            line("Expires", expires(me, context.screen));
        }
        line(
            "Works",
            trouble.map_or_else(
                || "yes".to_owned(),
                |error| format!("no. {}", error.first_line()),
            ),
        );
        lines.concat()
    })?;
    Ok(trouble.map_or(0, |error| i32::from(error.kind().exit_code())))
}

fn all(context: &Context) -> Result<Vec<Credential>, Error> {
    match context.settings.directory() {
        Some(directory) => Ok(config::load::<Credentials>(directory)?.into_keys()),
        None => Ok(Vec::new()),
    }
}

fn list(context: &Context) -> Result<(), Error> {
    let keys = all(context)?;
    let config = context.settings.config()?;
    let base = context.settings.api_url()?;
    let active = |key: &Credential| key.api_url == base && Some(key.org_id) == config.org_id;
    if keys.is_empty() {
        context
            .talk
            .note("No keys are kept here. Log in: pakyas login");
    }
    let shown: Vec<Value> = keys
        .iter()
        .map(|key| {
            json!({
                "api_url": key.api_url, "org_id": key.org_id, "org_name": key.org_name,
                "key_prefix": prefix(&key.key), "active": active(key),
            })
        })
        .collect();
    render::list(context.format, &shown, || {
        if keys.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&["", "ORGANIZATION", "KEY", "SERVER"], &[1, 3]);
        for key in &keys {
            table.row([
                if active(key) { "*" } else { "" }.to_owned(),
                key.org_name.clone(),
                format!("{}…", prefix(&key.key)),
                key.api_url.clone(),
            ]);
        }
        table.text(context.screen)
    })
}

fn set(context: &Context, typed: Option<String>) -> Result<i32, Error> {
    let base = context.settings.api_url()?;
    let text = match typed {
        Some(text) => text,
        None if std::io::stdin().is_terminal() => match password::asked("API key: ", false)? {
            Some(text) => text.trim().to_owned(),
            None => return Ok(INTERRUPTED),
        },
        None => "-".to_owned(),
    };
    let key = typed_key(login::from_text("KEY", &text)?)?;
    let text = key.secret.expose().to_owned();
    let api = Api::with_key(&context.settings, &context.http, base, key);
    let me = api.me()?;
    if let Some(asked) = context.settings.asked_org()
        && Uuid::try_parse(&asked) != Ok(me.org_id)
        && !same_name(&asked, &me.org_name)
    {
        return Err(Error::new(
            Kind::NotPermitted,
            format!(
                "The API key belongs to the organization '{}', not to '{}'; nothing was kept",
                clean(&me.org_name),
                asked.escape_debug()
            ),
        ));
    }
    login::keep(context, &api, &me, text)?;
    let name = clean(&me.org_name);
    let in_use = context.settings.in_use(api.base()) == Some(me.org_id);
    let switch = match in_use {
        true => String::new(),
        false => format!(". To use that organization: pakyas org switch \"{name}\""),
    };
    let note = format!("Kept the key for '{name}'{switch}");
    context.talk.note(&note);
    render::one(context.format, &me, String::new)?;
    Ok(0)
}

/// The stored key that is meant: that of `--org`, else of the organization in use, else the
/// only one.
fn meant(context: &Context) -> Result<Credential, Error> {
    let base = context.settings.api_url()?;
    let stored = context.settings.stored_keys(&base)?;
    let found = match context.settings.asked_org() {
        Some(asked) => {
            let id = Uuid::try_parse(&asked).ok();
            stored
                .iter()
                .find(|key| Some(key.org_id) == id || same_name(&key.org_name, &asked))
        }
        None => {
            let active = context.settings.config()?.org_id;
            stored
                .iter()
                .find(|key| Some(key.org_id) == active)
                .or(match stored.as_slice() {
                    [only] => Some(only),
                    _ => None,
                })
        }
    };
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = stored.iter().map(|key| clean(&key.org_name)).collect();
        Error::new(
            Kind::NotFound,
            if names.is_empty() {
                format!("No key is kept here for {base}. Log in: pakyas login")
            } else {
                format!(
                    "No key is kept here for that organization. There are keys for: {}\n  \
                     pakyas auth key list",
                    names.join(", ")
                )
            },
        )
    })
}

fn verify(context: &Context) -> Result<i32, Error> {
    let base = context.settings.api_url()?;
    let stored = if context.settings.asked_org().is_some() {
        vec![meant(context)?]
    } else {
        context.settings.stored_keys(&base)?
    };
    if stored.is_empty() {
        // For its sentence.
        meant(context)?;
    }
    let mut code = 0;
    let mut rows = Vec::new();
    for credential in stored {
        let asked = Secret::from_setting("credentials.json", &credential.key)
            .map_err(super::usage)
            .and_then(typed_key)
            .and_then(|mut key| {
                key.source = KeySource::Stored;
                key.org = Some(credential.org_id);
                Api::with_key(&context.settings, &context.http, base.clone(), key).me()
            });
        if let (Err(error), 0) = (&asked, code) {
            code = i32::from(error.kind().exit_code());
        }
        rows.push((credential, asked));
    }
    let shown: Vec<Value> = rows
        .iter()
        .map(|(credential, asked)| {
            let key = asked.as_ref().ok().and_then(|me| me.key.as_ref());
            json!({
                "api_url": credential.api_url, "org_id": credential.org_id,
                "org_name": credential.org_name, "key_prefix": prefix(&credential.key),
                "works": asked.is_ok(),
                "problem": asked.as_ref().err().map(|error| error.first_line()),
                "expires_at": key.and_then(|key| key.expires_at),
            })
        })
        .collect();
    render::list(context.format, &shown, || {
        let mut table = Table::new(&["ORGANIZATION", "KEY", "WORKS", "EXPIRES"], &[0]);
        for (credential, asked) in &rows {
            table.row([
                credential.org_name.clone(),
                format!("{}…", prefix(&credential.key)),
                if asked.is_ok() { "yes" } else { "no" }.to_owned(),
                asked
                    .as_ref()
                    .map_or_else(|_| "-".to_owned(), |me| expires(me, context.screen)),
            ]);
        }
        table.text(context.screen)
    })?;
    for (credential, asked) in &rows {
        if let Err(error) = asked {
            context.talk.note(&format!(
                "The key for '{}' does not work: {}",
                clean(&credential.org_name),
                error.first_line()
            ));
        }
    }
    Ok(code)
}

/// Forgets the stored key that is meant, and gives it.
///
/// # Errors
/// As [`meant`], or where the files can't be written.
pub(super) fn forget(context: &Context) -> Result<Credential, Error> {
    let gone = meant(context)?;
    let directory = context.settings.directory_to_write()?;
    let aside = config::update::<Credentials>(directory, |credentials| {
        credentials
            .keys()
            .retain(|key| (&key.api_url, key.org_id) != (&gone.api_url, gone.org_id));
    })?;
    context.tell_aside(aside);
    Ok(gone)
}

fn rm(context: &Context) -> Result<(), Error> {
    let gone = forget(context)?;
    context.talk.note(&format!(
        "Forgot the key for '{}' on this machine; it stays good until it is revoked: \
         pakyas api-key revoke",
        clean(&gone.org_name)
    ));
    let result = json!({
        "api_url": gone.api_url, "org_id": gone.org_id, "org_name": gone.org_name,
        "removed": true,
    });
    render::one(context.format, &result, String::new)
}

/// Forgets a key of the official client's that belongs to no organization.
fn rm_legacy(context: &Context) -> Result<(), Error> {
    let directory = context.settings.directory_to_write()?;
    let mut removed = false;
    let aside = config::update::<Credentials>(directory, |credentials| {
        // By its second and by its first form of that file.
        for name in ["legacy_api_key", "api_key"] {
            removed |= credentials.rest.remove(name).is_some();
        }
    })?;
    context.tell_aside(aside);
    context.talk.note(match removed {
        true => "Forgot the official client's key that belongs to no organization",
        false => "There is no key here that belongs to no organization",
    });
    let result = json!({ "legacy": true, "removed": removed });
    render::one(context.format, &result, String::new)
}
