//! `pakyas logout`: the key is forgotten on this machine; it stays good for others.

use super::{Context, auth};
use crate::client::error::{Error, Kind};
use crate::client::render::clean;
use crate::client::settings;

pub fn run(context: &Context) -> Result<i32, Error> {
    if settings::variable("PAKYAS_API_KEY").is_some() && !context.globals().ignore_env {
        return Err(Error::new(
            Kind::Refused,
            "The key is in PAKYAS_API_KEY, which only the shell can forget: unset PAKYAS_API_KEY",
        ));
    }
    if context.settings.asked_org().is_none() {
        // For its sentence, where nobody is logged in.
        context.settings.key()?;
    }
    let gone = auth::forget(context)?;
    context.talk.note(&format!(
        "Logged out of the organization '{}'",
        clean(&gone.org_name)
    ));
    Ok(0)
}
