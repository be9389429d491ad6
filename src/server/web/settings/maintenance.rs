//! Maintenance windows: planned by the organization's clock, ended, deleted.

use askama::Template;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::fields::{Field, Problems};
use super::super::moment::Moment;
use super::super::page::Frame;
use super::super::place::{Page, Place, nothing_here};
use super::super::visit::Visit;
use super::subject::{Names, Typed};
use super::{Head, acting, done, field, filling_in, id};
use crate::schedule::{MAX_SECONDS, parse_duration};
use crate::server::api::maintenance as api;
use crate::server::clock;
use crate::server::store::{StoreError, maintenance, projects};
use crate::wire::{Maintenance, NewMaintenance};

/// How many windows that are over are shown.
const OVER_SHOWN: usize = 20;

/// A window as the page lists it.
struct Row {
    id: Uuid,
    reason: String,
    about: String,
    starts: Moment,
    ends: Moment,
    /// The same by the organization's clock, as it was typed.
    from: String,
    until: String,
    is_running: bool,
}

#[derive(Template)]
#[template(path = "maintenance.html")]
struct Windows<'a> {
    frame: Frame<'a>,
    head: Head<'a>,
    /// Running or to come, by their start; those that are over, the newest first.
    ahead: Vec<Row>,
    over: Vec<Row>,
    may: bool,
    problems: &'a Problems,
    reason: Field,
    times: [Field; 3],
    about: [Field; 2],
}

/// What was typed for a new one.
#[derive(Default)]
struct New {
    reason: String,
    starts: String,
    ends: String,
    lasts: String,
    about: Typed,
}

pub(super) fn show(visit: &Visit<'_>) -> Page {
    let place = Place::of(visit)?;
    let new = New {
        lasts: "1h".to_owned(),
        ..New::default()
    };
    page(visit, &place, &Problems::default(), &new)
}

fn page(visit: &Visit<'_>, place: &Place, problems: &Problems, new: &New) -> Page {
    let now = clock::now();
    let (windows, projects) = visit.app.store.read(|connection| {
        let projects = projects::list(connection, place.org())?;
        let names = Names::of(&projects);
        let mut windows = Vec::new();
        for window in maintenance::list(connection, place.org(), now)? {
            let (project, check) = (window.project_id, window.check_id);
            let about = names.say(connection, place.org(), project, check)?;
            windows.push((window, about));
        }
        Ok((windows, projects))
    })?;
    let row = |(window, about): (Maintenance, String)| Row {
        id: window.id,
        reason: window.reason,
        about,
        from: by_clock(place, window.starts_at),
        until: by_clock(place, window.ends_at),
        starts: Moment::of(window.starts_at),
        ends: Moment::of(window.ends_at),
        is_running: window.starts_at.as_millisecond() <= now,
    };
    let (ahead, over): (Vec<_>, Vec<_>) = windows
        .into_iter()
        .partition(|(window, _)| window.ends_at.as_millisecond() > now);
    let zone = &place.timezone;
    let template = Windows {
        frame: place.frame(visit),
        head: Head::new(visit, place, "maintenance"),
        ahead: ahead.into_iter().map(row).collect(),
        over: over.into_iter().rev().take(OVER_SHOWN).map(row).collect(),
        may: place.may("write"),
        problems,
        reason: Field::new("reason", "Reason")
            .value(&new.reason)
            .hint("What people read who wonder, such as Database upgrade.")
            .required()
            .of(problems),
        times: [
            Field::new("starts_at", "Starts")
                .kind("datetime-local")
                .value(&new.starts)
                .hint(format!("In {zone}. Left empty, it starts now."))
                .of(problems),
            Field::new("lasts", "Lasts")
                .value(&new.lasts)
                .hint("Such as 90m or 2h.")
                .of(problems),
            Field::new("ends_at", "Or ends")
                .kind("datetime-local")
                .value(&new.ends)
                .hint(format!("In {zone}. Counts where it is given."))
                .of(problems),
        ],
        about: new.about.fields(&projects, problems),
    };
    Ok(visit.page(problems.status(), &template))
}

/// A time by the organization's clock, with the name of its zone.
fn by_clock(place: &Place, at: Timestamp) -> String {
    let there = at.to_zoned(place.zone.clone());
    let there = there.strftime("%a %-d %b %Y, %H:%M");
    format!("{there} {}", place.timezone)
}

/// A time of the organization's clock, as a browser's field gives it; what the clock skips is
/// right after, what it doubles the first of both.
fn time(place: &Place, text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    let there = place.zone.to_ambiguous_zoned(civil).compatible().ok()?;
    Some(there.timestamp())
}

pub(super) fn plan(visit: &Visit<'_>) -> Page {
    let (token, place) = filling_in(visit, "write")?;
    let typed = New {
        reason: field(visit, "reason"),
        starts: field(visit, "starts_at"),
        ends: field(visit, "ends_at"),
        lasts: field(visit, "lasts"),
        about: Typed::sent(visit),
    };
    token.or_again(|problems| page(visit, &place, problems, &typed))?;
    let mut problems = Problems::default();
    let now = Timestamp::from_millisecond(clock::now()).unwrap_or_default();
    let example = "Give a day and a time, such as 2026-12-01T22:00";
    let starts = match typed.starts.as_str() {
        "" => now,
        text => time(&place, text).unwrap_or_else(|| {
            problems.add("starts_at", example);
            now
        }),
    };
    let ends = match (typed.ends.as_str(), typed.lasts.as_str()) {
        ("", "") => {
            problems.add("lasts", "Say how long it lasts, or when it ends");
            None
        }
        ("", lasts) => match parse_duration(lasts) {
            Ok(seconds) => {
                let seconds = i64::try_from(seconds.min(2 * MAX_SECONDS)).unwrap_or_default();
                starts.checked_add(SignedDuration::from_secs(seconds)).ok()
            }
            Err(why) => {
                problems.add("lasts", why.to_string());
                None
            }
        },
        (text, _) => {
            let end = time(&place, text);
            if end.is_none() {
                problems.add("ends_at", example);
            }
            end
        }
    };
    let (project_id, check_id) = typed.about.find(visit, &place, &mut problems)?;
    if !problems.is_empty() {
        return page(visit, &place, &problems, &typed);
    }
    let asked = NewMaintenance {
        org_id: place.org(),
        project_id,
        check_id,
        reason: typed.reason.clone(),
        starts_at: starts.to_string(),
        ends_at: ends.unwrap_or(starts).to_string(),
    };
    match api::plan(visit.app, &place.caller, asked) {
        Ok(_) => Ok(done(visit, &place, "maintenance", "planned")),
        Err(error) => {
            match (error.body.field.as_deref(), typed.ends.as_str()) {
                (Some("ends_at"), "") => problems.add("lasts", "It may last 1 s to 366 days"),
                (Some("ends_at"), _) => problems.add(
                    "ends_at",
                    "It must end after it starts, and within 366 days",
                ),
                _ => problems.take(visit, &error)?,
            }
            page(visit, &place, &problems, &typed)
        }
    }
}

pub(super) fn end(visit: &Visit<'_>, window: &str) -> Page {
    let place = acting(visit, "write")?;
    let (org_id, id) = (place.org(), id(visit, window)?);
    let ended = visit
        .app
        .store
        .write(move |desk| maintenance::end(desk, org_id, id));
    match ended {
        Ok(()) => Ok(done(visit, &place, "maintenance", "ended")),
        Err(StoreError::Gone) => Err(nothing_here(visit)),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn delete(visit: &Visit<'_>, window: &str) -> Page {
    let place = acting(visit, "write")?;
    let (org_id, id) = (place.org(), id(visit, window)?);
    let deleted = visit
        .app
        .store
        .write(move |desk| maintenance::delete(desk, org_id, id));
    match deleted {
        Ok(()) => Ok(done(visit, &place, "maintenance", "deleted")),
        Err(StoreError::Gone) => Err(nothing_here(visit)),
        Err(error) => Err(error.into()),
    }
}
