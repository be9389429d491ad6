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

pub fn run(
    typed: Monitor,
    rest: Option<Vec<OsString>>,
    faults: Vec<Error>,
    idle: Option<String>,
    globals: &Globals,
) -> Result<i32, Error> {
    let mut job = job(typed, rest, faults)?;
    job.idle = idle;
    Ok(monitor::run(job, globals))
}

/// The job that was typed. What is wrong about how it is to be watched is left out and kept with
/// it, because it runs all the same, but with `--strict`.
fn job(typed: Monitor, rest: Option<Vec<OsString>>, mut faults: Vec<Error>) -> Result<Job, Error> {
    let command = rest.filter(|words| !words.is_empty()).ok_or_else(|| {
        usage("'pakyas monitor' needs a command after '--': pakyas monitor SLUG -- COMMAND")
    })?;
    let (target, no_target) = target(typed.slug, typed.public_id, &mut faults);
    let capture = match typed.capture.as_deref() {
        None | Some("auto") => Capture::Auto,
        Some("none") => Capture::None,
        Some("stderr") => Capture::Stderr,
        Some("all") => Capture::All,
        Some(other) => {
            faults.push(usage(format!(
                "--capture: '{}' is none of auto, none, stderr and all",
                other.escape_debug()
            )));
            Capture::Auto
        }
    };
    let mut duration = |flag: &str, text: Option<String>| match parse_duration(&text?) {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(bad) => {
            faults.push(usage(format!("{flag}: {bad}")));
            None
        }
    };
    let timeout = duration("--timeout", typed.timeout);
    let kill_after = duration("--kill-after", typed.kill_after);
    let ping_timeout = duration("--ping-timeout", typed.ping_timeout);
    if timeout == Some(Duration::ZERO) {
        faults.push(usage(
            "--timeout: 0 leaves the job no time; leave the flag out to set no limit",
        ));
    }
    if typed.strict && !faults.is_empty() {
        return Err(faults.swap_remove(0));
    }
    let fault = |error: Error| error.first_line().to_owned();
    Ok(Job {
        command,
        target,
        no_target,
        faults: faults.into_iter().map(fault).collect(),
        idle: None,
        capture,
        no_output: typed.no_output,
        timeout: timeout.filter(|timeout| !timeout.is_zero()),
        kill_after: kill_after.unwrap_or(DEFAULT_KILL_AFTER),
        strict: typed.strict,
        ping_timeout: ping_timeout.unwrap_or(DEFAULT_PING_TIMEOUT),
    })
}

/// The check that the job is reported to. A text that can be neither a slug nor a public id
/// is kept as a slug: that it can't be found is told after the job, which runs all the same. With
/// it comes why there is no such check, where that is plain from what was typed.
fn target(
    slug: Option<String>,
    public_id: Option<String>,
    faults: &mut Vec<Error>,
) -> (Target, Option<Error>) {
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
        (Some(_), Some(text)) if Target::by_id(&text).is_some() => {
            faults.push(usage("Give the slug or --public-id, not both"));
            (of(text), None)
        }
        (Some(slug), Some(_)) => {
            faults.push(usage("Give the slug or --public-id, not both"));
            (of(slug), None)
        }
        (Some(text), None) => (of(text), None),
        (None, Some(text)) => {
            let target = of(text);
            let bad = matches!(target, Target::Slug(_)).then(|| not_a_public_id(from));
            (target, bad)
        }
        (None, None) => {
            let missing = usage(
                "'pakyas monitor' needs a check: pakyas monitor SLUG -- COMMAND, or --public-id ID, or PAKYAS_PUBLIC_ID",
            );
            faults.push(missing.clone());
            (Target::Slug(String::new()), Some(missing))
        }
    }
}
