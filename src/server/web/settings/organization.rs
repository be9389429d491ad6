//! The organization's time zone: that of cron expressions without one, and that in which
//! maintenance is planned.

use askama::Template;

use super::super::check_form::zones;
use super::super::fields::{Field, Problems};
use super::super::page::Frame;
use super::super::place::{Page, Place};
use super::super::visit::Visit;
use super::{Head, done, field, filling_in};
use crate::schedule::zone;
use crate::server::clock;
use crate::server::store::accounts;

#[derive(Template)]
#[template(path = "organization.html")]
struct Zone<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    may: bool,
    name: &'a str,
    timezone: &'a str,
    /// The time there.
    now: String,
    problems: &'a Problems,
    field: Field,
    zones: Vec<String>,
}

pub(super) fn show(visit: &Visit<'_>) -> Page {
    let place = Place::of(visit)?;
    page(visit, &place, &Problems::default(), &place.timezone)
}

fn page(visit: &Visit<'_>, place: &Place, problems: &Problems, typed: &str) -> Page {
    let now = jiff::Timestamp::from_millisecond(clock::now()).unwrap_or_default();
    let template = Zone {
        frame: place.frame(visit),
        head: Head::new(visit, place, "organization"),
        may: place.may("manage"),
        name: &place.caller.org_name,
        timezone: &place.timezone,
        now: now
            .to_zoned(place.zone.clone())
            .strftime("%A, %-d %B %Y, %H:%M")
            .to_string(),
        problems,
        field: Field::new("timezone", "Time zone")
            .value(typed)
            .list("zones")
            .hint("An IANA name, such as Asia/Manila or UTC.")
            .required()
            .of(problems),
        zones: zones(),
    };
    Ok(visit.page(problems.status(), &template))
}

pub(super) fn update(visit: &Visit<'_>) -> Page {
    let (token, place) = filling_in(visit, "manage")?;
    let typed = field(visit, "timezone");
    token.or_again(|problems| page(visit, &place, problems, &typed))?;
    match zone::named(&typed) {
        Ok((name, _)) => {
            let org_id = place.org();
            visit
                .app
                .store
                .write(move |desk| accounts::set_timezone(desk, org_id, &name))?;
            Ok(done(visit, &place, "organization", "zone"))
        }
        Err(why) => {
            let mut problems = Problems::default();
            problems.add("timezone", why.to_string());
            page(visit, &place, &problems, &typed)
        }
    }
}
