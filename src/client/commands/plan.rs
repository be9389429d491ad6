//! When a job runs, as it was typed after `check create` or `check update`, in either spelling.
//!
//! What a cron expression means is the server's to know; here only what no server would take
//! is refused, before anything is sent.

use super::usage;
use crate::client::error::Error;
use crate::schedule::crontab::{self, which_zone};
use crate::schedule::{MAX_SECONDS, MIN_PERIOD_SECONDS, format_duration, parse_duration};

/// The longest cron expression and zone that are sent, characters.
const TEXT_MAX: usize = 200;

/// What is said to a zone where there is a period.
pub(super) const ZONE_WITHOUT_CRON: &str =
    "--tz goes with --cron; a period is the same in every time zone";

/// The five fields, with the numbers that each takes.
const FIELDS: [(&str, u8, u8); 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
];

/// What may stand after `@`.
const WORDS: [&str; 7] = [
    "hourly", "daily", "midnight", "weekly", "monthly", "yearly", "annually",
];

/// The flags about the schedule, as typed.
#[derive(Debug, Default, Clone)]
pub(super) struct Typed {
    pub period: Option<String>,
    pub every: Option<String>,
    pub cron: Option<String>,
    pub tz: Option<String>,
    pub grace: Option<String>,
    pub missing_after: Option<String>,
}

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Every so many seconds.
    Every(u64),
    /// As this expression says.
    Cron(String),
}

/// The flags about the schedule, settled: what was not given is `None`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub plan: Option<Plan>,
    pub timezone: Option<String>,
    /// Seconds.
    pub grace: Option<u64>,
    /// What else is to be said.
    pub hint: Option<String>,
}

/// Settles the flags.
///
/// # Errors
/// A usage error where two flags contradict each other or a value can't be meant.
pub(super) fn settle(mut typed: Typed) -> Result<Schedule, Error> {
    let hint = match typed.cron.take() {
        None => None,
        Some(text) => {
            let line = crontab::read(&text).map_err(|why| usage(format!("--cron: {why}")))?;
            typed.cron = Some(line.expression);
            line.zone
                .map(|own| take_zone(&mut typed.tz, own))
                .transpose()?
        }
    };
    let every = one_of(("--period", typed.period), ("--every", typed.every))?;
    let plan = match (every, typed.cron) {
        (Some((flag, _)), Some(_)) => {
            return Err(usage(format!(
                "{flag} and --cron are two schedules; leave one out"
            )));
        }
        (Some((flag, text)), None) => Some(Plan::Every(seconds(flag, &text, MIN_PERIOD_SECONDS)?)),
        (None, Some(text)) => Some(Plan::Cron(cron(&text)?)),
        (None, None) => None,
    };
    if typed.tz.is_some() && matches!(plan, Some(Plan::Every(_))) {
        return Err(usage(ZONE_WITHOUT_CRON));
    }
    let grace = one_of(
        ("--grace", typed.grace),
        ("--missing-after", typed.missing_after),
    )?;
    Ok(Schedule {
        plan,
        timezone: typed.tz.as_deref().map(zone).transpose()?,
        grace: grace
            .map(|(flag, text)| seconds(flag, &text, 0))
            .transpose()?,
        hint,
    })
}

/// Takes the zone of a crontab's `CRON_TZ=` for the one that was not typed; gives what to say.
fn take_zone(tz: &mut Option<String>, own: String) -> Result<String, Error> {
    if let Some(other) = tz.as_ref().filter(|other| **other != own) {
        return Err(usage(format!(
            "--cron has the zone {} in it and --tz is {}; leave one out",
            own.escape_debug(),
            other.escape_debug()
        )));
    }
    let hint = format!(
        "The time zone of the cron expression is taken as --tz {}",
        own.escape_debug()
    );
    *tz = Some(own);
    Ok(hint)
}

/// The one value that two flags may give, with the flag that gave it.
fn one_of(
    (flag, text): (&'static str, Option<String>),
    (other_flag, other): (&'static str, Option<String>),
) -> Result<Option<(&'static str, String)>, Error> {
    match (text, other) {
        (Some(_), Some(_)) => Err(usage(format!(
            "{flag} and {other_flag} mean the same; leave one out"
        ))),
        (Some(text), None) => Ok(Some((flag, text))),
        (None, Some(text)) => Ok(Some((other_flag, text))),
        (None, None) => Ok(None),
    }
}

/// A duration typed after `flag`, in seconds.
pub(super) fn seconds(flag: &str, text: &str, least: u64) -> Result<u64, Error> {
    let seconds = parse_duration(text).map_err(|bad| usage(format!("{flag}: {bad}")))?;
    if (least..=MAX_SECONDS).contains(&seconds) {
        return Ok(seconds);
    }
    Err(usage(format!(
        "{flag}: {} is out of range; it may be from {} to {} (366 days)",
        text.escape_debug(),
        format_duration(least),
        format_duration(MAX_SECONDS)
    )))
}

/// A cron expression that at least looks like one. A shell that was not told by quotes to
/// leave the stars alone gives something else.
fn cron(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let looks_like_one = if let Some(word) = text.strip_prefix('@') {
        WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
    } else {
        text.split_whitespace().count() == FIELDS.len()
    };
    if looks_like_one && text.len() <= TEXT_MAX && !text.contains(char::is_control) {
        return match out_of_range(text) {
            Some(why) => Err(usage(format!("--cron: {why}"))),
            None => Ok(text.to_owned()),
        };
    }
    Err(usage(format!(
        "--cron: '{}' is not a cron expression; write all five fields in quotes (\"0 2 * * *\"), or a word such as @daily",
        text.chars().take(60).collect::<String>().escape_debug()
    )))
}

/// What is wrong with a number of a cron expression that stands alone or in a range. The rest of
/// the grammar is the server's to know.
fn out_of_range(text: &str) -> Option<String> {
    for (field, (name, least, most)) in text.split_whitespace().zip(FIELDS) {
        for item in field.split(',') {
            let numbers = item.split('/').next().unwrap_or_default().split('-');
            for number in numbers.filter(|n| n.bytes().all(|b| b.is_ascii_digit())) {
                if !number.is_empty() && !number.parse().is_ok_and(|n| (least..=most).contains(&n))
                {
                    return Some(format!(
                        "the {name} '{number}' is wrong, it may be {least} to {most}"
                    ));
                }
            }
        }
    }
    None
}

/// The name of a time zone, or what may be one.
pub(super) fn zone(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if let Some(question) = which_zone(text) {
        return Err(usage(format!("--tz: {question}")));
    }
    if text.len() <= TEXT_MAX && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(text.to_owned());
    }
    Err(usage(format!(
        "--tz: '{}' is not a time zone; give its IANA name, such as Asia/Manila",
        text.chars().take(60).collect::<String>().escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(flags: &[(&str, &str)]) -> Result<Schedule, String> {
        let mut typed = Typed::default();
        for (flag, value) in flags {
            let field = match *flag {
                "--period" => &mut typed.period,
                "--every" => &mut typed.every,
                "--cron" => &mut typed.cron,
                "--tz" => &mut typed.tz,
                "--grace" => &mut typed.grace,
                _ => &mut typed.missing_after,
            };
            *field = Some((*value).to_owned());
        }
        settle(typed).map_err(|error| error.to_string())
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let one = typed(&[("--period", "1h"), ("--grace", "10m")]);
        let other = typed(&[("--every", "3600"), ("--missing-after", "600")]);
        assert!(one.is_ok());
        assert_eq!(one, other);
    }

    #[test]
    fn a_number_out_of_its_range_is_told() {
        for (text, word) in [
            ("61 * * * *", "the minute '61' is wrong, it may be 0 to 59"),
            ("0 1,24 * * *", "the hour '24'"),
            ("0 0 0 * *", "the day of the month '0'"),
            ("0 0 1-32/2 * *", "the day of the month '32'"),
            ("0 0 * 13 *", "the month '13'"),
            ("0 0 * * 8", "the day of the week '8'"),
            ("999999999999 * * * *", "the minute"),
        ] {
            let told = typed(&[("--cron", text)]).unwrap_err();
            assert!(told.contains(word), "{text}: {told}");
        }
        for text in [
            "*/90 * * * *",
            "5,7 1-5 L,15W JAN-3 7,5L,1#2",
            "0-59 0-23 1-31 1-12 0-7",
        ] {
            assert!(typed(&[("--cron", text)]).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_cron_expression_has_five_fields_or_is_a_word() {
        for text in ["0 2 * * *", " */5  * * * MON-FRI ", "@daily", "@Yearly"] {
            assert!(typed(&[("--cron", text)]).is_ok(), "{text}");
        }
        for text in [
            "",
            "0",
            "0 2 * *",
            "0 0 2 * * *",
            "@",
            "@every 5m",
            "@reboot",
        ] {
            let told = typed(&[("--cron", text)]).unwrap_err();
            assert!(told.contains("quotes"), "{text}: {told}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (flags, word) in [
            (
                &[("--period", "1h"), ("--every", "1h")][..],
                "mean the same",
            ),
            (&[("--period", "1h"), ("--cron", "@daily")], "two schedules"),
            (&[("--every", "1h"), ("--tz", "UTC")], "--tz goes with"),
            (&[("--tz", "not a zone")], "IANA"),
            (&[("--grace", "1h"), ("--missing-after", "1h")], "the same"),
            (&[("--every", "soon")], "--every"),
        ] {
            let told = typed(flags).unwrap_err();
            assert!(told.contains(word), "{flags:?}: {told}");
        }
    }
}
