//! `pakyas org …`: the organizations that the keys open, and which is in use.

use uuid::Uuid;

use super::Context;
use crate::client::api::{Api, no_organization};
use crate::client::args::OrgCommand;
use crate::client::config::{self, Credential, Credentials};
use crate::client::error::Error;
use crate::client::render::{self, Table, clean};
use crate::client::settings::{KeySource, same_name, typed_key};
use crate::secret::Secret;
use crate::wire::Organization;

pub fn run(context: &Context, command: OrgCommand) -> Result<i32, Error> {
    match command {
        OrgCommand::List(_) => list(context),
        OrgCommand::Switch(typed) => switch(context, &typed.name),
    }?;
    Ok(0)
}

fn list(context: &Context) -> Result<(), Error> {
    let api = context.api()?;
    let mut organizations = api.organizations()?;
    let active = api.org_id()?;
    if context.settings.key()?.source == KeySource::Stored {
        add_those_of_other_keys(context, &api, &mut organizations)?;
    }
    render::list(context.format, &organizations, || {
        let mut table = Table::new(&["", "NAME", "ROLE", "TIMEZONE", "ID"], &[1]);
        for org in &organizations {
            let mark = if org.id == active { "*" } else { "" };
            table.row([
                mark.to_owned(),
                org.name.clone(),
                org.user_role.clone(),
                org.timezone.clone(),
                org.id.to_string(),
            ]);
        }
        table.text(context.screen)
    })
}

/// A key may tell of its own organization only, so each stored one is asked.
fn add_those_of_other_keys(
    context: &Context,
    api: &Api<'_>,
    organizations: &mut Vec<Organization>,
) -> Result<(), Error> {
    for stored in context.settings.stored_keys(api.base())? {
        if organizations.iter().any(|org| org.id == stored.org_id) {
            continue;
        }
        let theirs = Secret::from_setting("credentials.json", &stored.key)
            .map_err(super::usage)
            .and_then(typed_key)
            .map(|key| Api::with_key(&context.settings, &context.http, api.base().to_owned(), key))
            .and_then(|api| api.organizations());
        match theirs {
            Ok(theirs) => {
                for org in theirs {
                    if !organizations.iter().any(|known| known.id == org.id) {
                        organizations.push(org);
                    }
                }
            }
            Err(error) => context.talk.note(&format!(
                "The key for '{}' did not help: {}",
                clean(&stored.org_name),
                error.first_line()
            )),
        }
    }
    Ok(())
}

fn switch(context: &Context, wanted: &str) -> Result<(), Error> {
    let base = context.settings.api_url()?;
    let id = Uuid::try_parse(wanted).ok();
    let is_wanted = |known: Uuid, name: &str| Some(known) == id || same_name(name, wanted);
    let key = context.settings.key();
    let from_environment = key
        .as_ref()
        .is_ok_and(|key| key.source == KeySource::Environment);
    let stored = context.settings.stored_keys(&base)?;
    let theirs = stored.iter().find(|c| is_wanted(c.org_id, &c.org_name));
    let api = match theirs {
        Some(theirs) if !from_environment => {
            let theirs_key = Secret::from_setting("credentials.json", &theirs.key);
            let mut key = typed_key(theirs_key.map_err(super::usage)?)?;
            key.source = KeySource::Stored;
            key.org = Some(theirs.org_id);
            Api::with_key(&context.settings, &context.http, base, key)
        }
        _ => {
            let mut key = key?;
            // The question is not about the organization in use.
            key.org = None;
            key.wanted_org = None;
            let api = Api::with_key(&context.settings, &context.http, base.clone(), key.clone());
            let organizations = api.organizations()?;
            let Some(found) = organizations
                .iter()
                .find(|org| is_wanted(org.id, &org.name))
            else {
                return Err(no_organization(wanted, &organizations));
            };
            key.org = Some(found.id);
            Api::with_key(&context.settings, &context.http, base, key)
        }
    };
    // Refused where the key is of another organization, before anything is changed.
    let me = api.me()?;
    if theirs.is_none() && !from_environment {
        keep_for_both(context, &api, &me.org_name, me.org_id, &stored)?;
    }
    context.use_from_now_on(&api, &me, None)?;
    context.talk.note(&format!(
        "Now using the organization '{}'",
        clean(&me.org_name)
    ));
    render::one(context.format, &me, String::new)
}

/// A key that opens a second organization is kept for that one too.
fn keep_for_both(
    context: &Context,
    api: &Api<'_>,
    name: &str,
    org_id: Uuid,
    stored: &[Credential],
) -> Result<(), Error> {
    let used = context.settings.key()?;
    let Some(known) = stored.iter().find(|c| c.key == used.secret.expose()) else {
        return Ok(());
    };
    let credential = Credential {
        api_url: api.base().to_owned(),
        org_id,
        org_name: name.to_owned(),
        ..known.clone()
    };
    let directory = context.settings.directory_to_write()?;
    let aside = config::update::<Credentials>(directory, |kept| kept.keep(credential))?;
    context.tell_aside(aside);
    Ok(())
}
