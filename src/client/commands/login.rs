//! `pakyas login`: come by a key, see whom it belongs to, and keep it.

use std::io::Read;

use serde_json::Map;

use super::{Context, browser, password, usage};
use crate::client::api::Api;
use crate::client::args::Login;
use crate::client::config::{self, Credential, Credentials};
use crate::client::error::Error;
use crate::client::render::{self, clean};
use crate::client::settings;
use crate::secret::Secret;
use crate::wire::Me;

/// What is read of standard input for a key, bytes.
const KEY_MAX: u64 = 4096;

pub fn run(context: &Context, typed: Login) -> Result<i32, Error> {
    let base = context.settings.api_url()?;
    match (typed.api_key.as_deref(), typed.no_browser) {
        (Some(_), true) => Err(usage(
            "--no-browser asks for a password, and --api-key needs none: give one of the two",
        )),
        (Some(text), false) => take(context, base, from_text("--api-key", text)?),
        (None, true) => password::run(context, base),
        (None, false) => browser::run(context, base),
    }
}

/// A key as it is typed after `from`: itself, `file:PATH`, or `-` for standard input.
///
/// # Errors
/// [`super::Kind::Usage`] where there is none.
pub(super) fn from_text(from: &str, text: &str) -> Result<Secret, Error> {
    match text {
        "" => Err(usage(
            "The API key is empty. Take one from the server, then run: pakyas login --api-key KEY",
        )),
        "-" => from_stdin(),
        text => Secret::from_setting(from, text).map_err(usage),
    }
}

/// Keeps a key for the organization that it belongs to.
///
/// # Errors
/// Where the files can't be written.
pub(super) fn keep(context: &Context, api: &Api<'_>, me: &Me, key: String) -> Result<(), Error> {
    let directory = context.settings.directory_to_write()?;
    let aside = config::update::<Credentials>(directory, |credentials| {
        credentials.keep(Credential {
            api_url: api.base().to_owned(),
            org_id: me.org_id,
            org_name: me.org_name.clone(),
            key,
            rest: Map::new(),
        });
    })?;
    context.tell_aside(aside);
    Ok(())
}

/// Sees whom a key belongs to, keeps it, and uses its organization from now on.
///
/// # Errors
/// Where the server does not take it, or it can't be kept; nothing is changed then.
pub(super) fn take(context: &Context, base: String, secret: Secret) -> Result<i32, Error> {
    let key = settings::typed_key(secret)?;
    let text = key.secret.expose().to_owned();
    let api = Api::with_key(&context.settings, &context.http, base, key);
    let me = api.me()?;
    keep(context, &api, &me, text)?;
    context.use_from_now_on(&api, &me, None)?;
    context.talk.note(&format!(
        "Logged in as {} to the organization '{}' ({})",
        clean(&me.email),
        clean(&me.org_name),
        api.base()
    ));
    if settings::variable("PAKYAS_API_KEY").is_some() {
        context
            .talk
            .note("PAKYAS_API_KEY is set, and stronger than the key that was kept");
    }
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
            "There is no key on standard input; pipe it in (< FILE), or name the file: file:PATH",
        )),
        key => Secret::from_setting("standard input", key).map_err(usage),
    }
}
