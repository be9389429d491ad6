//! `pakyas login`: take a key, see whom it belongs to, and keep it.

use std::io::Read;

use serde_json::Map;

use super::{Context, usage};
use crate::client::api::Api;
use crate::client::args::Login;
use crate::client::config::{self, Credential, Credentials};
use crate::client::error::Error;
use crate::client::render::{self, clean};
use crate::client::settings;
use crate::secret::Secret;
use crate::wire::DEFAULT_API_URL;

/// What is read of standard input for a key, bytes.
const KEY_MAX: u64 = 4096;

pub fn run(context: &Context, typed: Login) -> Result<i32, Error> {
    let base = context.settings.api_url()?;
    let secret = match typed.api_key.as_deref() {
        None | Some("") => return Err(how_to_get_a_key(&base)),
        Some("-") => from_stdin()?,
        Some(text) => Secret::from_setting(text).map_err(usage)?,
    };
    let key = settings::typed_key(secret)?;
    let text = key.secret.expose().to_owned();
    let api = Api::with_key(&context.settings, &context.http, base, key);
    let me = api.me()?;
    let directory = context.settings.directory_to_write()?;
    let aside = config::update::<Credentials>(directory, |credentials| {
        credentials.keep(Credential {
            api_url: api.base().to_owned(),
            org_id: me.org_id,
            org_name: me.org_name.clone(),
            key: text,
            rest: Map::new(),
        });
    })?;
    context.tell_aside(aside);
    context.use_from_now_on(&api, &me, None)?;
    context.talk.note(&format!(
        "Logged in as {} to the organization '{}' ({})",
        clean(&me.email),
        clean(&me.org_name),
        api.base()
    ));
    let chosen = context
        .settings
        .config()
        .is_ok_and(|config| config.projects.contains_key(&me.org_id));
    if !chosen {
        context
            .talk
            .note("Next, choose a project: pakyas project list, pakyas project switch NAME");
    }
    render::one(context.format, &me, String::new)?;
    Ok(0)
}

fn from_stdin() -> Result<Secret, Error> {
    let mut text = String::new();
    std::io::stdin()
        .take(KEY_MAX)
        .read_to_string(&mut text)
        .map_err(|e| usage(format!("Can't read the key from standard input: {e}")))?;
    match text.trim() {
        "" => Err(usage(
            "There is no key on standard input; pipe it in: pakyas login --api-key - < FILE",
        )),
        key => Secret::from_setting(key).map_err(usage),
    }
}

fn how_to_get_a_key(base: &str) -> Error {
    let whence = if base == DEFAULT_API_URL {
        "Create a key at https://pakyas.com/settings/api-keys, then run"
    } else {
        "Take the key that pakyas-server printed at its first start, then run"
    };
    usage(format!(
        "'pakyas login' needs an API key. {whence}:\n  pakyas login --api-key KEY"
    ))
}
