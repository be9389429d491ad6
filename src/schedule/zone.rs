//! Time zones by their IANA names, and the nearest name where there is none.

use std::fmt;

use jiff::tz::TimeZone;

use super::crontab::which_zone;
use crate::suggest::nearest;

/// The longest name that is looked at, characters; the longest of IANA has 30.
const NAME_MAX: usize = 64;

/// That no time zone has this name; its `Display` is a sentence with the nearest name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownZone {
    text: String,
    near: Option<String>,
    /// What to ask where the name may be that of two.
    question: Option<String>,
}

impl fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(question) = &self.question {
            return f.write_str(question);
        }
        let text = self.text.escape_debug();
        match &self.near {
            Some(near) => write!(
                f,
                "There is no time zone '{text}'; did you mean '{near}'? Give an IANA name"
            ),
            None => write!(
                f,
                "There is no time zone '{text}'; give an IANA name such as Asia/Manila or UTC"
            ),
        }
    }
}

impl std::error::Error for UnknownZone {}

/// The time zone of that name, in any case, and its name as IANA writes it.
///
/// # Errors
/// [`UnknownZone`] where there is none.
pub fn named(text: &str) -> Result<(String, TimeZone), UnknownZone> {
    let unknown = || UnknownZone {
        text: text.chars().take(NAME_MAX).collect(),
        near: near(text),
        question: which_zone(text),
    };
    if text.len() > NAME_MAX {
        return Err(unknown());
    }
    let zone = TimeZone::get(text).map_err(|_| unknown())?;
    match zone.iana_name() {
        Some(name) if !zone.is_unknown() => Ok((name.to_owned(), zone.clone())),
        _ => Err(unknown()),
    }
}

/// The longest abbreviation of a zone, characters. A slip away from `PST` is `EST`, which nobody
/// meant who typed it, and which zone `PST` is depends on who says it.
const ABBREVIATION_MAX: usize = 4;

/// The name that was meant: one that differs by a slip, or that of the city alone.
fn near(text: &str) -> Option<String> {
    let plain = |text: &str| text.trim().replace(' ', "_").to_lowercase();
    let typed = plain(text);
    let names: Vec<(String, String)> = jiff::tz::db()
        .available()
        .map(|name| (plain(name.as_str()), name.as_str().to_owned()))
        .collect();
    let city = |name: &str| name == typed || name.rsplit('/').next() == Some(typed.as_str());
    let found = names
        .iter()
        .find(|(name, _)| city(name))
        .map(|(name, _)| name.as_str());
    let is_long = typed.chars().count() > ABBREVIATION_MAX;
    let slip = || nearest(&typed, names.iter().map(|(name, _)| name.as_str()));
    let found = found.or_else(|| slip().filter(|_| is_long))?;
    names
        .iter()
        .find(|(name, _)| name == found)
        .map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_in_any_case_and_called_as_iana_does() {
        for name in ["Asia/Manila", "asia/manila"] {
            assert_eq!(named(name).unwrap().0, "Asia/Manila");
        }
        assert_eq!(named("UTC").unwrap().0, "UTC");
    }

    #[test]
    fn an_unknown_zone_is_refused_with_the_nearest_name() {
        for (text, near) in [
            ("Asia/Manilla", "'Asia/Manila'?"),
            ("Manila", "'Asia/Manila'?"),
            ("america/new york", "'America/New_York'?"),
            ("Rome", "'Europe/Rome'?"),
            ("Nowhere at all", "such as Asia/Manila"),
            ("PST", "such as Asia/Manila"),
            ("pdt", "such as Asia/Manila"),
            ("GMT+8", "'Etc/GMT+8' is 8 hours behind"),
            ("AEST", "such as Asia/Manila"),
            ("", "such as Asia/Manila"),
            ("Etc/Unknown", "IANA"),
            ("../../etc/passwd", "IANA"),
        ] {
            let message = named(text).unwrap_err().to_string();
            assert!(message.contains(near), "{text}: {message}");
        }
        assert!(named(&"x".repeat(10_000)).is_err());
    }
}
