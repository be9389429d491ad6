//! A check on the wire: as it is created and as it is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest slug, characters (API.md).
pub const SLUG_MAX: usize = 100;
/// The longest name, characters (API.md).
pub const NAME_MAX: usize = 100;
/// The longest description, characters (API.md).
pub const DESCRIPTION_MAX: usize = 500;
/// The highest alert threshold (API.md).
pub const THRESHOLD_MAX: u32 = 100;

/// What a check is at the moment; the guide's table says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Just created, waiting for its first ping.
    New,
    /// On schedule.
    Up,
    /// Past the expected time, within grace.
    Late,
    /// Past grace with no ping, or the last run failed.
    Down,
    /// Running for longer than its max runtime.
    Overrunning,
    /// Monitoring is off.
    Paused,
}

impl Status {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Late => "late",
            Self::Down => "down",
            Self::Overrunning => "overrunning",
            Self::Paused => "paused",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::New,
            Self::Up,
            Self::Late,
            Self::Down,
            Self::Overrunning,
            Self::Paused,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
    }
}

/// How a check knows when it is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleType {
    /// Every `period_seconds`.
    Simple,
    /// As `cron_expression` says, in `timezone`.
    Cron,
}

/// A check as `GET /checks` shows it: every field of API.md.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct Check {
    pub id: Uuid,
    pub public_id: Uuid,
    pub project_id: Uuid,
    pub project_name: String,
    pub name: String,
    pub slug: String,
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub schedule_type: ScheduleType,
    /// With a cron expression the shortest time between two occurrences; none where an older
    /// server tells nothing then.
    pub period_seconds: Option<u64>,
    pub cron_expression: Option<String>,
    pub timezone: Option<String>,
    pub missing_after_seconds: u64,
    pub grace_seconds: u64,
    pub max_runtime_seconds: Option<u64>,
    pub alert_after_miss_pings: u32,
    pub alert_after_fail_pings: u32,
    pub missed_before_alert: u32,
    pub alert_after_failures: u32,
    pub consecutive_missed_pings: u32,
    pub consecutive_failures: u32,
    pub status: Status,
    pub paused: bool,
    pub running: bool,
    pub last_ping_at: Option<Timestamp>,
    pub last_start_at: Option<Timestamp>,
    pub last_duration_ms: Option<u64>,
    pub next_ping_expected_at: Option<Timestamp>,
    pub ping_url: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub soft_deleted: bool,
}

/// `POST /checks`. Where two names mean one value, either is accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct NewCheck {
    pub project_id: Uuid,
    pub name: String,
    pub slug: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What follows from the other fields anyway: a cron expression makes it a cron schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_type: Option<ScheduleType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron_expression: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `null` is "automatic", and so is sent; the server takes what is left out for 0.
    #[serde(default)]
    pub grace_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_after_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runtime_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_after_miss_pings: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_before_alert: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_after_fail_pings: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_after_failures: Option<u32>,
    /// One that it had elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// `PUT /checks/{id}`: only the fields given change. Where two names mean one value, either is
/// accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct CheckChange {
    /// Moves it to another project of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// An empty one clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// `simple` without a cron expression switches to the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_type: Option<ScheduleType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<u64>,
    /// An empty one switches to the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron_expression: Option<String>,
    /// An empty one clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_runtime_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_after_miss_pings: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_before_alert: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_after_fail_pings: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_after_failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

impl Check {
    /// Whether its newest run began at `moment`, a Unix time in milliseconds, or later. One that
    /// began once the check was down is not what brought it down.
    pub fn began_since(&self, moment: i64) -> bool {
        self.last_start_at
            .is_some_and(|at| at.as_millisecond() >= moment)
    }
}

/// Whether `slug` is one: `[a-z0-9-]{1,100}` (API.md).
pub fn is_slug(slug: &str) -> bool {
    (1..=SLUG_MAX).contains(&slug.len())
        && slug
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The grace that a check gets where none is given, seconds: 10 % of its period, at least
/// 30 s and at most an hour.
pub fn default_grace_seconds(period_seconds: u64) -> u64 {
    (period_seconds / 10).clamp(30, 3_600)
}

/// What a letter of Latin-1 is written as in ASCII, in lower case.
fn without_mark(c: char) -> Option<&'static str> {
    // There the small letters follow the capital ones at a distance of 32.
    let small = match c {
        'À'..='Þ' => u32::from(c) + 32,
        c => u32::from(c),
    };
    Some(match char::from_u32(small)? {
        'à'..='å' => "a",
        'æ' => "ae",
        'ç' => "c",
        'è'..='ë' => "e",
        'ì'..='ï' => "i",
        'ñ' => "n",
        'ò'..='ö' | 'ø' => "o",
        'ù'..='ü' => "u",
        'ý' | 'ÿ' => "y",
        'ß' => "ss",
        _ => return None,
    })
}

/// The slug that a name suggests: lower case, letters of Western Europe without their marks, runs
/// of anything else turned into one dash. Empty where the name holds no such letter and no digit.
pub fn slug_from_name(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if let Some(plain) = without_mark(c) {
            slug.push_str(plain);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_MAX);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_lower_case_letters_digits_and_dashes() {
        for good in ["a", "daily-backup", "0", &"x".repeat(100)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "Daily Backup", "my.job", "ä", "a_b", &"x".repeat(101)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_suggests_its_slug() {
        assert_eq!(slug_from_name("Database Backup"), "database-backup");
        assert_eq!(slug_from_name("  My -- First.Check! "), "my-first-check");
        assert_eq!(slug_from_name("日本"), "");
        assert_eq!(slug_from_name("Zürich Büro"), "zurich-buro");
        assert_eq!(
            slug_from_name("ÀÅÆçÉÏÑÖØÜÝ × ÷ straße"),
            "aaaeceinoouy-strasse"
        );
    }

    #[test]
    fn grace_is_a_tenth_of_the_period_within_bounds() {
        assert_eq!(default_grace_seconds(5), 30);
        assert_eq!(default_grace_seconds(3_600), 360);
        assert_eq!(default_grace_seconds(604_800), 3_600);
    }

    #[test]
    fn every_status_is_found_by_its_name() {
        assert_eq!(Status::from_name("overrunning"), Some(Status::Overrunning));
        assert_eq!(Status::from_name("Up"), None);
    }
}
