//! `pakyas logout`: the key is forgotten on this machine; it stays good for others.

use super::Context;
use crate::client::config::{self, Credentials};
use crate::client::error::{Error, Kind};
use crate::client::render::clean;
use crate::client::settings::KeySource;

pub fn run(context: &Context) -> Result<i32, Error> {
    let key = context.settings.key()?;
    if key.source == KeySource::Environment {
        return Err(Error::new(
            Kind::Refused,
            "The key is in PAKYAS_API_KEY, which only the shell can forget: unset PAKYAS_API_KEY",
        ));
    }
    let api_url = context.settings.api_url()?;
    let directory = context.settings.directory_to_write()?;
    let mut name = String::new();
    config::update::<Credentials>(directory, |credentials| {
        credentials.keys.retain(|known| {
            let is_it = known.api_url == api_url && Some(known.org_id) == key.org;
            if is_it {
                name = clean(&known.org_name);
            }
            !is_it
        });
    })?;
    context
        .talk
        .note(&format!("Logged out of the organization '{name}'"));
    Ok(0)
}
