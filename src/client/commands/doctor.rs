//! `pakyas check doctor`: what is wrong with a check, and what mends it.

use super::{Context, usage};
use crate::client::args::CheckDoctor;
use crate::client::error::Error;
use crate::client::lookup;
use crate::client::render::{self, clean};
use crate::wire::history::{Diagnosis, Severity};

/// The exit code where a finding is as severe as was asked for.
const FOUND: i32 = 1;

pub fn run(context: &Context, typed: &CheckDoctor) -> Result<i32, Error> {
    let fail_on = fail_on(typed.fail_on.as_deref())?;
    let api = context.api()?;
    let check = lookup::check_or_id(&api, &context.settings.project()?, &typed.check)?;
    let deep = typed.deep;
    let diagnosis: Diagnosis = api.get(&format!("/checks/{}/doctor?deep={deep}", check.id))?;
    render::one(context.format, &diagnosis, || {
        report(&diagnosis, context.screen.colours)
    })?;
    let found = |least| diagnosis.findings.iter().any(|f| f.severity >= least);
    Ok(if fail_on.is_some_and(found) { FOUND } else { 0 })
}

/// The least severity that makes the command fail, an error where nothing is said; none for
/// `never`.
fn fail_on(typed: Option<&str>) -> Result<Option<Severity>, Error> {
    match typed.map(str::to_ascii_lowercase).as_deref() {
        Some("never") => Ok(None),
        Some("info") => Ok(Some(Severity::Info)),
        Some("warning") => Ok(Some(Severity::Warning)),
        None | Some("error") => Ok(Some(Severity::Error)),
        Some(other) => Err(usage(format!(
            "--fail-on takes error, warning, info or never, not '{}'",
            other.escape_debug()
        ))),
    }
}

/// The summary, then each finding with the commands that mend it, ready to be pasted.
fn report(diagnosis: &Diagnosis, colours: bool) -> String {
    let mut text = format!("{}\n", clean(&diagnosis.summary));
    for finding in &diagnosis.findings {
        let mut severity = finding.severity.as_str().to_owned();
        if colours {
            let colour = match finding.severity {
                Severity::Error => "31",
                Severity::Warning => "33",
                Severity::Info => "36",
            };
            severity = format!("\u{1b}[{colour}m{severity}\u{1b}[0m");
        }
        text.push_str(&format!(
            "\n{severity}: {} ({})\n  {}\n",
            clean(&finding.title),
            clean(&finding.code),
            clean(&finding.description)
        ));
        for action in &finding.suggested_actions {
            text.push_str(&format!("  $ {}\n", clean(action)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_ordered_and_an_error_is_one_by_itself() {
        assert_eq!(fail_on(None).ok(), Some(Some(Severity::Error)));
        assert_eq!(fail_on(Some("NEVER")).ok(), Some(None));
        assert_eq!(fail_on(Some("Warning")).ok(), Some(Some(Severity::Warning)));
        assert!(fail_on(Some("fatal")).is_err());
        assert!(Severity::Error > Severity::Warning && Severity::Warning > Severity::Info);
    }
}
