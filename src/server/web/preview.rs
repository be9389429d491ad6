//! When a schedule that somebody types is next expected: shown by the form itself, and to the
//! script beside it (`check-form.js`).

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ureq_proto::http::StatusCode;

use super::check_form::Typed;
use super::fields::Problems;
use super::moment::{Moment, lasting};
use super::page;
use super::place::{Page, Place};
use super::visit::Visit;
use crate::schedule::cron::Cron;
use crate::schedule::zone;
use crate::server::api::checks::settle;
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::http::Response;
use crate::wire::NewCheck;

/// How many times are shown.
const SHOWN: usize = 5;

/// What is shown of a schedule.
#[derive(Template)]
#[template(path = "schedule-preview.html")]
pub(super) struct Preview {
    problem: Option<String>,
    /// Whether the schedule is a cron expression, whose times stand whatever is reported.
    is_cron: bool,
    times: Vec<Time>,
    zone: String,
    grace: String,
}

struct Time {
    /// By the clock of the schedule's zone, to compare with a crontab; none of a period.
    there: Option<String>,
    at: Moment,
}

impl Preview {
    /// Of what was typed; `org_zone` is the zone of a schedule that has none.
    pub fn of(typed: &Typed, org_zone: &str, now: Millis) -> Self {
        let mut problems = Problems::default();
        let asked = NewCheck {
            name: "a".to_owned(),
            slug: "a".to_owned(),
            ..typed.timing(&mut problems)
        };
        if let Some(problem) = problems.first() {
            return Self::wrong(problem.to_owned());
        }
        match settle(asked) {
            Err(error) => Self::wrong(super::check_form::in_words(&error.body.error)),
            Ok(settled) => {
                let name = settled.timezone.as_deref().unwrap_or(org_zone);
                let zone = zone::named(name).map_or(TimeZone::UTC, |(_, zone)| zone);
                let step = settled.period.saturating_mul(1000).max(1000);
                let cron = match &settled.cron {
                    Some(expression) => match Cron::parse(expression, zone.clone()) {
                        Ok(cron) => Some(cron),
                        Err(why) => return Self::wrong(why.to_string()),
                    },
                    None => None,
                };
                let next = |at: &Millis| match &cron {
                    Some(cron) => cron.next_after(*at),
                    None => at.checked_add(step),
                };
                let times = std::iter::successors(next(&now), next).take(SHOWN);
                Self {
                    problem: None,
                    is_cron: cron.is_some(),
                    times: times
                        .map(|at| Time {
                            there: cron.is_some().then(|| by_clock(at, &zone)),
                            at: Moment::new(at, now),
                        })
                        .collect(),
                    zone: name.to_owned(),
                    grace: lasting(settled.grace.saturating_mul(1000)),
                }
            }
        }
    }

    fn wrong(problem: String) -> Self {
        Self {
            problem: Some(problem),
            is_cron: false,
            times: Vec::new(),
            zone: String::new(),
            grace: String::new(),
        }
    }
}

/// To the minute, as cron has it.
fn by_clock(at: Millis, zone: &TimeZone) -> String {
    let time = Timestamp::from_second(at.div_euclid(1000)).unwrap_or_default();
    let there = time.to_zoned(zone.clone());
    there.strftime("%a %-d %b %Y, %H:%M").to_string()
}

/// A part of a page, for the script: of the schedule in the query.
pub(super) fn show(visit: &Visit<'_>) -> Page {
    let told = |status, text: &str| Response::text(status, text).with("cache-control", "no-store");
    // Not led to the form, whose page would turn up within this one.
    let Some(person) = &visit.person else {
        let text = "You are not signed in any more; reload the page";
        return Ok(told(StatusCode::UNAUTHORIZED, text));
    };
    if let Err(pause) = visit.app.rates.preview(person.user_id) {
        let text = "That was asked too often; wait a while";
        return Ok(told(StatusCode::TOO_MANY_REQUESTS, text)
            .with("retry-after", pause.as_secs().max(1).to_string()));
    }
    let place = Place::of(visit)?;
    let typed = Typed::read(|name| visit.request.parameter(name));
    let preview = Preview::of(&typed, &place.timezone, clock::now());
    Ok(page::html(StatusCode::OK, &preview))
}
