//! Durations as people write them ("5m", "1h 30m", "2 days"), and the limits of a schedule.
//! For the server also cron expressions and time zones.
//!
//! Knows nothing of checks: it turns text into seconds and seconds into text.

#[cfg(feature = "server")]
pub mod cron;
pub mod crontab;
#[cfg(feature = "server")]
pub mod zone;

use std::fmt;

/// The longest period and the longest grace that a check may have: 366 days, in seconds (API.md).
pub const MAX_SECONDS: u64 = 366 * 86_400;

/// The shortest period that a check may have, in seconds (API.md).
pub const MIN_PERIOD_SECONDS: u64 = 1;

const UNITS: [(&str, u64); 5] = [
    ("w", 604_800),
    ("d", 86_400),
    ("h", 3_600),
    ("m", 60),
    ("s", 1),
];

/// Why a text is not a duration; its `Display` is a sentence that shows how to write one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDuration {
    text: String,
    why: &'static str,
}

impl fmt::Display for BadDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not a duration: {}; write seconds (300) or units (5m, 1h 30m, 2 days)",
            self.text.escape_debug(),
            self.why
        )
    }
}

impl std::error::Error for BadDuration {}

/// Reads a duration and gives whole seconds: a bare number of seconds, or numbers with the
/// units `s`, `m`, `h`, `d`, `w` (or their words), in any order, with or without spaces.
///
/// # Errors
/// [`BadDuration`] where a number or a unit is missing or unknown, a unit comes twice, or the
/// sum does not fit in 64 bits. Limits such as [`MAX_SECONDS`] are the caller's to check.
///
/// ```
/// assert_eq!(pakyas::schedule::parse_duration("1h 30m"), Ok(5400));
/// assert_eq!(pakyas::schedule::parse_duration("300"), Ok(300));
/// ```
pub fn parse_duration(text: &str) -> Result<u64, BadDuration> {
    let bad = |why| BadDuration {
        text: text.chars().take(40).collect(),
        why,
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad("it is empty"));
    }
    if rest.bytes().all(|b| b.is_ascii_digit()) {
        return rest.parse().map_err(|_| bad("the number is too large"));
    }
    let mut total: u64 = 0;
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err(bad("a number is missing"));
        }
        let number: u64 = rest[..digits]
            .parse()
            .map_err(|_| bad("the number is too large"))?;
        rest = rest[digits..].trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if letters == 0 {
            return Err(bad("a unit is missing"));
        }
        let unit = unit_seconds(&rest[..letters]).ok_or_else(|| bad("the unit is unknown"))?;
        if seen.contains(&unit) {
            return Err(bad("a unit comes twice"));
        }
        seen.push(unit);
        rest = rest[letters..].trim_start();
        total = number
            .checked_mul(unit)
            .and_then(|seconds| total.checked_add(seconds))
            .ok_or_else(|| bad("the number is too large"))?;
    }
    Ok(total)
}

fn unit_seconds(word: &str) -> Option<u64> {
    Some(match word.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    })
}

/// Writes whole seconds the way [`parse_duration`] reads them, exactly: `5400` is `1h 30m`.
pub fn format_duration(seconds: u64) -> String {
    if seconds == 0 {
        return "0s".to_owned();
    }
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, unit) in UNITS {
        if rest >= unit {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    parts.join(" ")
}

/// The five fields with which cron starts a job that often, where it can.
pub fn cron_times(period: u64) -> Option<String> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 3_600;
    const DAY: u64 = 86_400;
    Some(match period {
        MINUTE => "* * * * *".to_owned(),
        HOUR => "0 * * * *".to_owned(),
        DAY => "0 2 * * *".to_owned(),
        604_800 => "0 2 * * 1".to_owned(),
        _ if period < HOUR && period.is_multiple_of(MINUTE) && HOUR.is_multiple_of(period) => {
            format!("*/{} * * * *", period / MINUTE)
        }
        _ if period < DAY && period.is_multiple_of(HOUR) && DAY.is_multiple_of(period) => {
            format!("0 */{} * * *", period / HOUR)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("0", 0),
            ("300", 300),
            (" 60 ", 60),
            ("30s", 30),
            ("5m", 300),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            ("2 days", 172_800),
            ("1 Week 1 sec", 604_801),
        ] {
            assert_eq!(parse_duration(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_an_example() {
        for text in [
            "",
            "  ",
            "abc",
            "5x",
            "m5",
            "1h 30",
            "-5",
            "1.5h",
            "5m 5m",
            "99999999999999999999",
            "99999999999999999w",
        ] {
            let message = parse_duration(text).unwrap_err().to_string();
            assert!(message.contains("1h 30m"), "{text}: {message}");
        }
    }

    #[test]
    fn cron_lines_are_offered_where_cron_can_keep_the_period() {
        for (period, line) in [
            (60, Some("* * * * *")),
            (300, Some("*/5 * * * *")),
            (3_600, Some("0 * * * *")),
            (21_600, Some("0 */6 * * *")),
            (86_400, Some("0 2 * * *")),
            (604_800, Some("0 2 * * 1")),
            (5, None),
            (420, None),
            (90, None),
        ] {
            assert_eq!(cron_times(period).as_deref(), line, "{period}");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_is_read_back(seconds in 0..=MAX_SECONDS) {
            prop_assert_eq!(parse_duration(&format_duration(seconds)), Ok(seconds));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = parse_duration(&text);
        }
    }
}
