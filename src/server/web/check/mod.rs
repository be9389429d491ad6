//! The page of one check: what it is and why, when it is expected, how it went, who was told,
//! how a job reports to it; and what may be done to it.
//!
//! `figures.rs` and `draw.rs` compute, `timing.rs`, `crontab.rs` and `snippets.rs` put into
//! words; here it is read and put together. `run.rs` is the page of one run, `act.rs` what the
//! buttons do.

pub(super) mod act;
mod crontab;
mod draw;
mod figures;
pub(super) mod run;
mod snippets;
mod timing;

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::moment::{Moment, Part, lasting, parts};
use super::notices::Failing;
use super::overview::shape;
use super::page::Frame;
use super::visit::Visit;
use crate::server::alerts::message::milliseconds;
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::http::Response;
use crate::server::plain;
use crate::server::store::accounts::{Role, memberships};
use crate::server::store::checks::{self, Which};
use crate::server::store::events::{self, Position, Wanted};
use crate::server::store::{StoreError, channels, check_page, inspect, projects};
use crate::wire::history::EventRecord;
use crate::wire::{Check, Kind, Organization, Status};
use draw::{Chart, Timeline};
use figures::{Uptime, WINDOWS};
use run::RunLine;
use snippets::Snippet;

/// How many runs, alerts and changes of status the page shows.
const RUNS: u32 = 25;
const ALERTS: usize = 10;
const CHANGES: usize = 8;

/// How many runs a chart shows.
const CHARTED: u32 = 90;

/// How many runs the timeline looks through.
const DRAWN: u32 = 20_000;

/// How many of the last lines that a failed run wrote stand at the top, how much of each,
/// characters, and how much of the output is looked through for them, bytes.
const EXCERPT: usize = 10;
const LINE: usize = 400;
const OUTPUT_END: u32 = 10_000;

const DAY: Millis = 86_400_000;

/// What the timeline may show: the name in the address, in words, how long.
const SPANS: [(&str, &str, Millis); 4] = [
    ("24h", "24 hours", DAY),
    ("7d", "7 days", 7 * DAY),
    ("30d", "30 days", 30 * DAY),
    ("90d", "90 days", 90 * DAY),
];

/// A check of an organization that whoever asks belongs to.
struct Found {
    org: Organization,
    /// Whether they belong to others as well.
    many_orgs: bool,
    may_write: bool,
    row: i64,
    check: Check,
}

impl Found {
    fn frame<'v>(&self, visit: &'v Visit<'_>) -> Frame<'v> {
        visit
            .frame()
            .within(self.org.id, &self.org.name, self.many_orgs)
    }
}

#[derive(Template)]
#[template(path = "check.html")]
struct Page<'a> {
    frame: Frame<'a>,
    now: Moment,
    path: String,
    check: &'a Check,
    may_write: bool,
    shape: &'static str,
    since: Option<Moment>,
    /// Why it is what it is.
    reason: Option<String>,
    /// The maintenance window that it is in: its reason, and its end.
    window: Option<(String, Option<Moment>)>,
    running: Option<Moment>,
    last: Option<RunLine>,
    /// The end of what the last run wrote, where it failed.
    excerpt: Excerpt,
    schedule: String,
    upcoming: Vec<Moment>,
    created: Moment,
    uptimes: Vec<UptimeLine>,
    spans: Vec<(&'static str, &'static str, bool)>,
    timeline: Timeline,
    timeline_words: String,
    ticks: Vec<Moment>,
    changes: Vec<(Moment, Vec<Part>)>,
    charts: Vec<ChartPart>,
    runs: Vec<RunLine>,
    older: Option<Uuid>,
    is_older: bool,
    alerts: Vec<AlertLine>,
    older_alerts: Option<String>,
    recipients: u32,
    /// Which of them do not get through.
    failing: Vec<Failing>,
    /// Where channels are made.
    org_id: Uuid,
    snippets: Vec<Snippet>,
}

struct UptimeLine {
    label: &'static str,
    share: Option<String>,
    /// Whether it was down for more than a hundredth of that time.
    poor: bool,
    words: String,
}

struct ChartPart {
    id: &'static str,
    title: &'static str,
    chart: Chart,
    first: Moment,
    last: Moment,
}

/// The last lines of an output.
#[derive(Default)]
struct Excerpt {
    lines: Vec<String>,
    /// Whether there is more.
    is_cut: bool,
}

impl Excerpt {
    /// Of the `end` of an output of so many bytes.
    fn new(end: &[u8], length: u64) -> Self {
        let is_cut = length > end.len() as u64;
        let all = plain::lines(end, is_cut);
        let last = &all[all.len() - all.len().min(EXCERPT)..];
        let lines: Vec<String> = last.iter().map(|one| plain::shortened(one, LINE)).collect();
        Self {
            is_cut: is_cut || lines != all,
            lines,
        }
    }
}

/// An alert, and what became of it.
struct AlertLine {
    at: Moment,
    message: Vec<Part>,
    deliveries: Vec<DeliveryLine>,
}

struct DeliveryLine {
    channel: String,
    kind: String,
    state: String,
    words: String,
    answer: Option<String>,
}

pub(super) fn show(visit: &Visit<'_>, id: &str) -> Result<Response, StoreError> {
    let found = match find(visit, id)? {
        Ok(found) => found,
        Err(answer) => return Ok(answer),
    };
    let now = clock::now();
    let Found {
        org,
        may_write,
        row,
        check,
        ..
    } = &found;
    let (row, moment) = (*row, |at| Moment::new(at, now));
    let asked = |name| visit.request.parameter(name).unwrap_or_default();
    let zone = org.timezone.as_str();
    let upcoming = timing::upcoming(check, zone, now);
    let (name, _, span) = *SPANS
        .iter()
        .find(|span| span.0 == asked("span"))
        .unwrap_or_else(|| usual_span(check, &upcoming));
    let before: Option<Uuid> = asked("before").parse().ok();
    let page = visit.app.store.read(|connection| {
        let inspection = inspect::inspect(connection, row, check, now)?;
        let steps = check_page::steps(connection, row, now - 90 * DAY)?;
        let ends = check_page::ends(connection, row, now - span, DRAWN)?;
        let charted = check_page::ends(connection, row, 0, CHARTED)?;
        let mut runs = check_page::runs(connection, row, before, RUNS)?;
        let last = check_page::last_end(connection, row, OUTPUT_END)?;
        let wanted = |limit, states, cursor| Wanted {
            limit,
            since: None,
            cursor,
            signals: false,
            states,
            alerts: !states,
        };
        let changes = events::list(connection, row, &wanted(CHANGES, true, None))?;
        let cursor = Position::parse(&asked("alerts"));
        let alerts = events::list(connection, row, &wanted(ALERTS, false, cursor))?;
        let project = projects::get(connection, org.id, check.project_id)?;

        let has_more = runs.len() > RUNS as usize;
        runs.truncate(RUNS as usize);
        let excerpt = match &last {
            Some((run, end)) if run.kind == Kind::Fail => {
                Excerpt::new(end, run.output.unwrap_or(0))
            }
            _ => Excerpt::default(),
        };
        let window = inspection.maintenance;
        Ok(Page {
            frame: found.frame(visit),
            path: format!("/checks/{}", check.id),
            check,
            may_write: *may_write,
            shape: shape(check.status),
            since: inspection
                .status_since
                .map(|at| moment(at.as_millisecond())),
            reason: inspection
                .critical_reason
                // Of one failure, the line about the last run says it all.
                .filter(|_| check.status != Status::Down || check.consecutive_failures != 1)
                .or_else(|| calm(check, now)),
            window: window.in_maintenance.then(|| {
                let ends = window.ends_at.map(|at| moment(at.as_millisecond()));
                (window.reason.unwrap_or_default(), ends)
            }),
            running: check
                .last_start_at
                .filter(|_| check.running)
                .map(|at| moment(at.as_millisecond())),
            last: last.map(|(run, _)| RunLine::new(&run, now)),
            excerpt,
            schedule: timing::in_words(check, zone),
            upcoming: upcoming.iter().map(|at| moment(*at)).collect(),
            created: moment(check.created_at.as_millisecond()),
            uptimes: uptimes(&steps, now),
            spans: SPANS
                .map(|(one, words, _)| (one, words, one == name))
                .to_vec(),
            timeline: Timeline::new(&steps, &ends, now - span, now),
            timeline_words: sum_up(&ends),
            ticks: (0..=4).map(|n| moment(now - span + span * n / 4)).collect(),
            changes: changes
                .events
                .iter()
                .map(|event| change(event, now))
                .collect(),
            charts: charts(&charted, now),
            older: runs.last().filter(|_| has_more).map(|run| run.id),
            is_older: before.is_some(),
            runs: runs.iter().map(|run| RunLine::new(run, now)).collect(),
            alerts: alerts
                .events
                .iter()
                .map(|event| alert(event, now))
                .collect(),
            older_alerts: alerts.next_cursor,
            recipients: inspection.alerting.recipient_count,
            failing: channels::list(connection, org.id)?
                .iter()
                .filter(|channel| channels::is_for(channel, check.project_id, check.id))
                .filter_map(|channel| Failing::of(channel, now))
                .collect(),
            org_id: org.id,
            now: moment(now),
            snippets: snippets::all(
                check,
                project.as_ref().map_or("", |project| &project.slug),
                &visit.app.public_url,
                zone,
                now,
            ),
        })
    })?;
    Ok(visit.page(StatusCode::OK, &page))
}

/// The check with this id, where whoever asks may see it; else what they are answered. What is
/// another organization's is not there.
fn find(visit: &Visit<'_>, id: &str) -> Result<Result<Found, Response>, StoreError> {
    let Some(person) = &visit.person else {
        return Ok(Err(visit.sign_in_first()));
    };
    let app = visit.app;
    let found = app.store.read(|connection| {
        let Ok(id) = id.parse::<Uuid>() else {
            return Ok(None);
        };
        let theirs = memberships(connection, person.user_id)?;
        let many_orgs = theirs.len() > 1;
        for org in theirs {
            let Some(row) = checks::row_of(connection, org.id, id)? else {
                continue;
            };
            let which = Which::Id(id);
            let mut found =
                checks::list(connection, org.id, &which, &app.public_url, clock::now())?;
            let role = Role::named(&org.user_role).unwrap_or(Role::ReadOnly);
            return Ok(found.pop().map(|check| Found {
                org,
                many_orgs,
                may_write: role.scopes().contains(&"write"),
                row,
                check,
            }));
        }
        Ok(None)
    })?;
    Ok(found.ok_or_else(|| {
        visit.message(
            StatusCode::NOT_FOUND,
            "There is no such check",
            "The address may be mistyped, or the check was deleted.",
        )
    }))
}

/// The span in which some thirty runs are expected.
fn usual_span(check: &Check, upcoming: &[Millis]) -> &'static (&'static str, &'static str, Millis) {
    let period = match upcoming {
        [first, second, ..] => second - first,
        _ => i64::try_from(check.period_seconds.unwrap_or(86_400)).unwrap_or(0) * 1000,
    };
    SPANS
        .iter()
        .find(|span| period.saturating_mul(30) <= span.2)
        .unwrap_or(&SPANS[3])
}

/// A sentence about a check that nobody need look at.
fn calm(check: &Check, now: Millis) -> Option<String> {
    let expected = check.next_ping_expected_at?.as_millisecond();
    match check.status {
        Status::Late => {
            let grace = i64::try_from(check.grace_seconds)
                .unwrap_or(0)
                .saturating_mul(1000);
            let left = expected.saturating_add(grace) - now;
            Some(format!(
                "It was expected {} ago. It has {} of its grace left.",
                lasting(now - expected),
                lasting(left.max(0))
            ))
        }
        _ => None,
    }
}

fn uptimes(steps: &[check_page::Step], now: Millis) -> Vec<UptimeLine> {
    let line = |(label, window): (&'static str, Millis)| {
        let Some(uptime) = Uptime::of(steps, now, window) else {
            return UptimeLine {
                label,
                share: None,
                poor: false,
                words: "It was not watched then".to_owned(),
            };
        };
        let mut words = match uptime.down {
            0 => "never down".to_owned(),
            down => format!("down for {}", lasting(down)),
        };
        // A hundredth of the window is what a pause or a late start may take unsaid.
        if uptime.watched() < window / 100 * 99 {
            words += &format!(", watched for {}", lasting(uptime.watched()));
        }
        UptimeLine {
            label,
            share: Some(uptime.percent()),
            poor: uptime.down > uptime.watched() / 100,
            words,
        }
    };
    WINDOWS.map(line).into_iter().collect()
}

/// What the timeline shows, for people who don't see it.
fn sum_up(ends: &[check_page::End]) -> String {
    let failed = ends.iter().filter(|end| !end.well).count();
    format!("{} runs succeeded, {failed} failed", ends.len() - failed)
}

fn charts(ends: &[check_page::End], now: Millis) -> Vec<ChartPart> {
    let points = |value: fn(&check_page::End) -> Option<i64>| -> Vec<(Millis, bool, i64)> {
        let point = |end| Some((end, value(end)?));
        let points = ends.iter().rev().filter_map(point);
        points
            .map(|(end, value)| (end.at, end.well, value))
            .collect()
    };
    let part = |id, title, chart: Option<Chart>| {
        chart.map(|chart| ChartPart {
            id,
            title,
            first: Moment::new(chart.first, now),
            last: Moment::new(chart.last, now),
            chart,
        })
    };
    let took = |value: i64| milliseconds(value.max(0).unsigned_abs());
    let duration = Chart::new(&points(|end| end.duration), took);
    let memory = Chart::new(&points(|end| end.memory), |value| {
        run::memory(value.max(0).unsigned_abs())
    });
    [
        part("duration", "Duration", duration),
        part("memory", "Peak memory", memory),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn change(event: &EventRecord, now: Millis) -> (Moment, Vec<Part>) {
    let at = Moment::new(event.occurred_at.as_millisecond(), now);
    (at, parts(&event.summary, now))
}

fn alert(event: &EventRecord, now: Millis) -> AlertLine {
    let said = event.payload["message"].as_str();
    let deliveries = event.payload["channels"].as_array();
    let line = |one: &serde_json::Value| {
        let text = |field: &str| one[field].as_str().map(str::to_owned);
        let state = text("state").unwrap_or_default();
        let answer = text("last_answer");
        let at = |field: &str| {
            let at = one[field].as_str()?.parse::<jiff::Timestamp>().ok()?;
            Some(Moment::new(at.as_millisecond(), now).words)
        };
        let words = match (state.as_str(), at("next_attempt_at"), at("finished_at")) {
            ("delivered", _, Some(at)) => format!("told {at}"),
            ("delivered", ..) => "told".to_owned(),
            ("failed", _, Some(at)) => format!("could not be told, given up {at}"),
            ("failed", ..) => "could not be told".to_owned(),
            (_, Some(at), _) => format!("not told yet, next try {at}"),
            _ => "on its way".to_owned(),
        };
        DeliveryLine {
            channel: text("name").unwrap_or_default(),
            kind: text("kind").unwrap_or_default(),
            // Of what was delivered, what the target answered is of no interest.
            answer: answer.filter(|_| state != "delivered"),
            state,
            words,
        }
    };
    AlertLine {
        at: Moment::new(event.occurred_at.as_millisecond(), now),
        message: parts(said.unwrap_or("An alert was due"), now),
        deliveries: deliveries.into_iter().flatten().map(line).collect(),
    }
}
