//! `pakyas login --no-browser`: email and password on the terminal get a key for this machine;
//! the password is not kept.

use std::io::Write;

use uuid::Uuid;

use super::{Context, INTERRUPTED, login, usage};
use crate::client::api::{Api, no_organization};
use crate::client::door::Door;
use crate::client::error::{Error, Kind};
use crate::client::render::clean;
use crate::client::settings::{same_name, typed_key};
use crate::client::talk::say;
use crate::secret::Secret;
use crate::sys::{self, Typed};
use crate::wire::account::{CreatedKey, NewApiKey};
use crate::wire::check::NAME_MAX;
use crate::wire::{Me, Organization};

pub fn run(context: &Context, base: String) -> Result<i32, Error> {
    let (email, password) = match (asked("Email: ", true)?, base.as_str()) {
        (Some(email), server) => match asked(&format!("Password for {server}: "), false)? {
            Some(password) => (email, password),
            None => return Ok(given_up()),
        },
        (None, _) => return Ok(given_up()),
    };
    let door = Door {
        http: &context.http,
        base: &base,
    };
    let signed_in = door.sign_in(email.trim(), &password)?;
    drop(password);
    let mut session = typed_key(Secret::from_text(signed_in.access_token))?;
    let of_session = |key| Api::with_key(&context.settings, &context.http, base.clone(), key);
    let organizations = of_session(session.clone()).organizations()?;
    let Some(org) = choose(context, &organizations)? else {
        return Ok(given_up());
    };
    session.org = Some(org);
    let api = of_session(session);
    let created = key_for_this_machine(&api);
    // The session has done its work, whatever came of it; one that is left ends by itself.
    if let Err(error) = api.act("POST", "/auth/logout") {
        context.talk.detail(error.first_line());
    }
    login::take(context, base, Secret::from_text(created?.key))
}

fn key_for_this_machine(api: &Api<'_>) -> Result<CreatedKey, Error> {
    let me: Me = api.me()?;
    let host = sys::host_name().unwrap_or_else(|| "pakyas".to_owned());
    api.post(
        "/api-keys",
        &NewApiKey {
            org_id: me.org_id,
            name: clean(&host).chars().take(NAME_MAX).collect(),
            scopes: me.scopes,
            expires_in_days: None,
        },
    )
}

fn given_up() -> i32 {
    say("Login was given up; nothing was changed");
    INTERRUPTED
}

/// What the person types; `None` where they gave up.
///
/// # Errors
/// [`super::Kind::Usage`] where there is no terminal to ask at.
pub(super) fn asked(prompt: &str, show: bool) -> Result<Option<String>, Error> {
    let typed = if show {
        sys::ask(prompt)
    } else {
        sys::ask_hidden(prompt)
    };
    match typed {
        Ok(Typed::Line(text)) => Ok(Some(text)),
        Ok(Typed::Interrupted) => Ok(None),
        Ok(Typed::NoTerminal) => Err(usage(
            "There is no terminal to ask for email and password at. With a key nothing is asked: \
             pakyas login --api-key file:PATH (or set PAKYAS_API_KEY)",
        )),
        Err(error) => Err(Error::new(
            Kind::Refused,
            format!("Can't read from the terminal: {error}"),
        )),
    }
}

/// The organization that was asked for, or the only one, or the one that the person names.
fn choose(context: &Context, organizations: &[Organization]) -> Result<Option<Uuid>, Error> {
    let find = |wanted: &str| {
        let id = Uuid::try_parse(wanted.trim()).ok();
        organizations
            .iter()
            .find(|org| Some(org.id) == id || same_name(&org.name, wanted))
            .map(|org| Some(org.id))
            .ok_or_else(|| no_organization(wanted, organizations))
    };
    if let Some(wanted) = context.settings.asked_org() {
        return find(&wanted);
    }
    match organizations {
        [] => Err(Error::new(
            Kind::NotPermitted,
            "You belong to no organization there; have whoever runs the server add you to one",
        )),
        [only] => Ok(Some(only.id)),
        several => {
            let mut screen = std::io::stderr();
            for (number, org) in several.iter().enumerate() {
                let _ = writeln!(screen, "{:3}  {}", number + 1, clean(&org.name));
            }
            let Some(answer) = asked("Which organization? ", true)? else {
                return Ok(None);
            };
            let number: usize = answer.trim().parse().unwrap_or(0);
            match number.checked_sub(1).and_then(|index| several.get(index)) {
                Some(org) => Ok(Some(org.id)),
                None => find(&answer),
            }
        }
    }
}
