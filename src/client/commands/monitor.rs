//! `pakyas monitor`: from what was typed to a job. Nothing but the command line and
//! `PAKYAS_PUBLIC_ID` is looked at here, because the job must start whatever the rest is like.

use std::ffi::OsString;
use std::time::Duration;

use super::{not_a_public_id, usage};
use crate::client::args::{Globals, Monitor};
use crate::client::delivery::Target;
use crate::client::error::Error;
use crate::client::monitor::{self, Capture, DEFAULT_KILL_AFTER, DEFAULT_PING_TIMEOUT, Job};
use crate::client::settings::Settings;
use crate::schedule::parse_duration;

pub fn run(typed: Monitor, rest: Option<Vec<OsString>>, globals: &Globals) -> Result<i32, Error> {
    Ok(monitor::run(job(typed, rest)?, globals))
}

fn job(typed: Monitor, rest: Option<Vec<OsString>>) -> Result<Job, Error> {
    let (target, bad_public_id) = target(typed.slug, typed.public_id)?;
    let command = rest.filter(|words| !words.is_empty()).ok_or_else(|| {
        usage("'pakyas monitor' needs a command after '--': pakyas monitor SLUG -- COMMAND")
    })?;
    let capture = match typed.capture.as_deref() {
        None | Some("auto") => Capture::Auto,
        Some("none") => Capture::None,
        Some("stderr") => Capture::Stderr,
        Some("all") => Capture::All,
        Some(other) => {
            return Err(usage(format!(
                "--capture: '{}' is none of auto, none, stderr and all",
                other.escape_debug()
            )));
        }
    };
    let duration = |flag: &str, text: Option<String>| match text {
        Some(text) => match parse_duration(&text) {
            Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
            Err(bad) => Err(usage(format!("{flag}: {bad}"))),
        },
        None => Ok(None),
    };
    let timeout = duration("--timeout", typed.timeout)?;
    if timeout == Some(Duration::ZERO) {
        return Err(usage(
            "--timeout: 0 leaves the job no time; leave the flag out to set no limit",
        ));
    }
    Ok(Job {
        command,
        target,
        bad_public_id,
        capture,
        no_output: typed.no_output,
        timeout,
        kill_after: duration("--kill-after", typed.kill_after)?.unwrap_or(DEFAULT_KILL_AFTER),
        strict: typed.strict,
        ping_timeout: duration("--ping-timeout", typed.ping_timeout)?
            .unwrap_or(DEFAULT_PING_TIMEOUT),
    })
}

/// The check that the job is reported to. A text that can be neither a slug nor a public id
/// is kept as a slug: that it can't be found is told after the job, which runs all the same. With
/// it comes what is wrong with a public id that can't be one.
fn target(
    slug: Option<String>,
    public_id: Option<String>,
) -> Result<(Target, Option<Error>), Error> {
    let of = |text: String| Target::by_id(&text).unwrap_or(Target::Slug(text));
    let from = match public_id {
        Some(_) => "--public-id",
        None => "PAKYAS_PUBLIC_ID",
    };
    // An empty flag is that of a variable that is not set: the environment counts, and where
    // that says nothing either, the job still runs.
    let public_id = match (public_id, Settings::public_id()) {
        (Some(text), Some(of_environment)) if text.is_empty() => Some(of_environment),
        (None, of_environment) if slug.is_none() => of_environment,
        (typed, _) => typed,
    };
    match (slug, public_id) {
        (Some(_), Some(_)) => Err(usage("Give the slug or --public-id, not both")),
        (Some(text), None) => Ok((of(text), None)),
        (None, Some(text)) => {
            let target = of(text);
            let bad = matches!(target, Target::Slug(_)).then(|| not_a_public_id(from));
            Ok((target, bad))
        }
        (None, None) => Err(usage(
            "'pakyas monitor' needs a check: pakyas monitor SLUG -- COMMAND, or --public-id ID, or PAKYAS_PUBLIC_ID",
        )),
    }
}
