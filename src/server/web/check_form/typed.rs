//! What was typed into the form of a check, as the API takes it, and the API's sentences in the words
//! of the form. Knows nothing of pages.

use super::super::fields::Problems;
use crate::schedule::{MAX_SECONDS, MIN_PERIOD_SECONDS, format_duration, parse_duration, zone};
use crate::server::api::{self, ApiError};
use crate::wire::check::slug_from_name;
use crate::wire::{Check, NewCheck, ScheduleType};

/// What was typed, or what stands there at first; the names are those of the fields.
#[derive(Clone, Default)]
pub(in crate::server::web) struct Typed {
    pub project: String,
    pub new_project: String,
    pub name: String,
    pub slug: String,
    pub description: String,
    pub tags: String,
    /// `simple` or `cron`.
    pub schedule: String,
    pub period: String,
    pub cron_expression: String,
    pub timezone: String,
    pub grace: String,
    pub max_runtime: String,
    pub misses: String,
    pub failures: String,
}

impl Typed {
    /// From a form or a query.
    pub fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name| value(name).unwrap_or_default().trim().to_owned();
        Self {
            project: value("project"),
            new_project: value("new_project"),
            name: value("name"),
            slug: value("slug"),
            description: value("description"),
            tags: value("tags"),
            schedule: value("schedule"),
            period: value("period"),
            cron_expression: value("cron_expression"),
            timezone: value("timezone"),
            grace: value("grace"),
            max_runtime: value("max_runtime"),
            misses: value("misses"),
            failures: value("failures"),
        }
    }

    /// What a form for a new check begins with.
    pub fn fresh(project: String) -> Self {
        Self {
            project,
            schedule: "simple".to_owned(),
            period: "1d".to_owned(),
            misses: "1".to_owned(),
            failures: "1".to_owned(),
            ..Self::default()
        }
    }

    /// A check as it is; `period` is what it had before it had a cron expression.
    pub fn of(check: &Check, period: Option<u64>) -> Self {
        Self {
            project: check.project_id.to_string(),
            new_project: String::new(),
            name: check.name.clone(),
            slug: check.slug.clone(),
            description: check.description.clone().unwrap_or_default(),
            tags: check.tags.join(", "),
            schedule: match check.schedule_type {
                ScheduleType::Simple => "simple".to_owned(),
                ScheduleType::Cron => "cron".to_owned(),
            },
            period: period.map(format_duration).unwrap_or_default(),
            cron_expression: check.cron_expression.clone().unwrap_or_default(),
            timezone: check.timezone.clone().unwrap_or_default(),
            grace: format_duration(check.grace_seconds),
            max_runtime: check
                .max_runtime_seconds
                .map(format_duration)
                .unwrap_or_default(),
            misses: check.alert_after_miss_pings.to_string(),
            failures: check.alert_after_fail_pings.to_string(),
        }
    }

    pub fn is_cron(&self) -> bool {
        self.schedule == "cron"
    }

    /// What was typed about the schedule. Of the two kinds the one that was not chosen is kept
    /// as far as it is good, and nobody is bothered with it otherwise.
    pub fn timing(&self, problems: &mut Problems) -> NewCheck {
        let mut asked = NewCheck {
            grace_seconds: duration("grace", &self.grace, problems),
            ..NewCheck::default()
        };
        if self.is_cron() {
            let kept = parse_duration(&self.period).ok();
            asked.period_seconds =
                kept.filter(|period| (MIN_PERIOD_SECONDS..=MAX_SECONDS).contains(period));
            asked.schedule_type = Some(ScheduleType::Cron);
            asked.timezone = Some(self.timezone.clone());
            if self.cron_expression.is_empty() {
                problems.add(
                    "cron_expression",
                    "Say when the job runs, such as 0 2 * * * for every day at 02:00",
                );
                asked.cron_expression = Some("@daily".to_owned());
            } else {
                asked.cron_expression = Some(self.cron_expression.clone());
            }
        } else {
            asked.schedule_type = Some(ScheduleType::Simple);
            let zone = Some(&self.timezone).filter(|text| zone::named(text).is_ok());
            asked.timezone = zone.cloned();
            if self.period.is_empty() {
                problems.add("period", "Say how often the job runs, such as 1h 30m or 1d");
            }
            // Where it can't be read, what stands in is never saved.
            asked.period_seconds = duration("period", &self.period, problems).or(Some(3600));
        }
        asked
    }

    /// All of it, as the API takes it.
    pub fn asked(&self, old_tags: Option<&[String]>, problems: &mut Problems) -> NewCheck {
        let threshold = |field, text: &str, problems: &mut Problems| match text {
            "" => None,
            text => text.parse().ok().or_else(|| {
                problems.add(field, "Give a number from 1 to 100");
                None
            }),
        };
        let tags = match old_tags {
            // A tag may have a comma in it: what was not touched is not taken apart.
            Some(old) if old.join(", ") == self.tags => old.to_vec(),
            _ => self
                .tags
                .split(',')
                .map(str::trim)
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        NewCheck {
            project_id: self.project.parse().unwrap_or_default(),
            name: self.name.clone(),
            slug: match (self.slug.as_str(), old_tags) {
                ("", None) => slug_from_name(&self.name),
                (slug, _) => slug.to_owned(),
            },
            // A text area's lines come with CRLF (HTML, "constructing the entry list").
            description: Some(self.description.replace("\r\n", "\n")),
            tags,
            max_runtime_seconds: duration("max_runtime", &self.max_runtime, problems),
            alert_after_miss_pings: threshold("misses", &self.misses, problems),
            alert_after_fail_pings: threshold("failures", &self.failures, problems),
            ..self.timing(problems)
        }
    }
}

fn duration(field: &str, text: &str, problems: &mut Problems) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    parse_duration(text)
        .map_err(|why| problems.add(field, why.to_string()))
        .ok()
}

/// The fields that the API and the form call differently.
const NAMES: [(&str, &str, &str); 6] = [
    ("period_seconds", "period", "The period"),
    ("grace_seconds", "grace", "The grace"),
    ("max_runtime_seconds", "max_runtime", "The maximum run time"),
    ("alert_after_miss_pings", "misses", "Misses"),
    ("alert_after_fail_pings", "failures", "Failures"),
    ("cron_expression", "cron_expression", "The cron expression"),
];

/// A sentence of the API in the words of the form.
pub(in crate::server::web) fn in_words(sentence: &str) -> String {
    NAMES
        .iter()
        .fold(sentence.to_owned(), |text, (name, _, words)| {
            text.replace(&format!("'{name}'"), words)
        })
}

/// Has the API look at all of it: what it refuses is noted and left out, until there is nothing
/// left that it refuses, so that a person learns of everything at once.
pub(super) fn look_at(asked: &NewCheck, problems: &mut Problems) {
    let mut rest = asked.clone();
    for _ in 0..NAMES.len() + 6 {
        let Err(error) = api::checks::settle(rest.clone()) else {
            return;
        };
        note(&error, problems);
        match error.body.field.as_deref().unwrap_or_default() {
            "name" => rest.name = "a".to_owned(),
            "slug" => rest.slug = "a".to_owned(),
            "description" => rest.description = None,
            "tags" => rest.tags.clear(),
            "timezone" => rest.timezone = None,
            "cron_expression" => rest.cron_expression = Some("@daily".to_owned()),
            "period_seconds" => rest.period_seconds = Some(3600),
            "grace_seconds" => rest.grace_seconds = Some(60),
            "max_runtime_seconds" => rest.max_runtime_seconds = None,
            "alert_after_miss_pings" => rest.alert_after_miss_pings = None,
            "alert_after_fail_pings" => rest.alert_after_fail_pings = None,
            _ => return,
        }
    }
}

pub(super) fn note(error: &ApiError, problems: &mut Problems) {
    let name = error.body.field.as_deref().unwrap_or_default();
    let field = NAMES.iter().find(|(theirs, ..)| *theirs == name);
    let field = field.map_or(name, |(_, ours, _)| ours);
    if problems.of(field).is_none() {
        problems.add(field, in_words(&error.body.error));
    }
}
