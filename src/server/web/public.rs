//! What everybody may see of a project, without a cookie: its status page. No ids, no outputs and
//! no addresses of pings are on it. What is switched off is not there, and nobody can tell which.

use askama::Template;
use jiff::Timestamp;
use ureq_proto::http::StatusCode;

use super::badge;
use super::overview::{gravity, shape};
use super::page::{self, Frame, Message};
use crate::server::api::App;
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::http::{Request, Response};
use crate::server::store::overview::{self, Glance};
use crate::server::store::publications::{self, Published};
use crate::server::store::uptime::{self, Share, Span};
use crate::server::store::{Store, StoreError};
use crate::wire::Status;

/// How many days a strip tells of, how wide each is in it, and how high the strip is. How high a
/// kind of day is, the style says: one with trouble sticks out, so that it is told without its
/// colour too.
const DAYS: i64 = 90;
const STEP: i64 = 4;
const HEIGHT: i64 = 20;
const GOOD: i64 = 14;
const UNKNOWN: i64 = 4;

const DAY: Millis = 86_400_000;

/// How many checks a page shows: what anybody may ask for must not cost much, and so many weigh
/// less than 100 KB.
const PAGE: usize = 60;

/// How long a page may be kept by whoever fetched it, and when it asks for itself again, seconds.
const KEPT: u32 = 30;
const REFRESH: &str = "60";

#[derive(Template)]
#[template(path = "status.html")]
struct Page<'a> {
    base: &'a str,
    name: &'a str,
    listed: bool,
    summary: String,
    /// What is wrong now, on whichever page it is, and how much more than is shown.
    incidents: &'a [Incident],
    more_incidents: usize,
    lines: &'a [Line],
    /// The number of the page before this one, and of the one after it.
    before: Option<usize>,
    after: Option<usize>,
    now: String,
    now_iso: String,
}

struct Incident {
    name: String,
    status: Status,
    shape: &'static str,
    since: String,
    since_iso: String,
    reason: &'static str,
}

struct Line {
    name: String,
    status: Status,
    shape: &'static str,
    uptime: Option<String>,
    strip: Strip,
}

/// What there is to show of a project.
struct View {
    published: Published,
    summary: String,
    incidents: Vec<Incident>,
    more_incidents: usize,
    lines: Vec<Line>,
    /// Whether there are lines after these.
    more: bool,
}

/// A strip of days as paths: one subpath for each row of days that are alike, which the style
/// cuts into days.
#[derive(Default)]
struct Strip {
    good: String,
    bad: String,
    unknown: String,
    words: String,
}

/// The answer where the path is one of those that are for everybody.
pub(super) fn answer(app: &App, request: &Request) -> Option<Response> {
    let segments: Vec<&str> = request.path.split('/').skip(1).collect();
    let found = match segments.as_slice() {
        ["status" | "badge", ..] if !matches!(request.method.as_str(), "GET" | "HEAD") => {
            let refused = message(
                app,
                StatusCode::METHOD_NOT_ALLOWED,
                "That can't be done here",
                "This can only be looked at.",
            );
            return Some(refused.with("allow", "GET, HEAD"));
        }
        ["status", path] => show(app, path, request),
        ["badge", name] => badge::answer(app, request, name),
        ["status" | "badge", ..] => Ok(None),
        _ => return None,
    };
    Some(match found {
        Ok(Some(response)) => response,
        Ok(None) => message(
            app,
            StatusCode::NOT_FOUND,
            "There is nothing here",
            "The address may be mistyped, or this was made private.",
        ),
        Err(error) => page::unavailable(&error),
    })
}

fn message(app: &App, status: StatusCode, title: &str, text: &str) -> Response {
    let message = Message {
        frame: Frame::bare(page::base(&app.public_url)),
        title,
        text,
        back: None,
    };
    page::html(status, &message).with("x-robots-tag", "noindex")
}

fn show(app: &App, path: &str, request: &Request) -> Result<Option<Response>, StoreError> {
    let asked = request.parameter("page").and_then(|page| page.parse().ok());
    let number: usize = asked.unwrap_or(1).clamp(1, 1_000_000);
    let Some(view) = read(&app.store, path, number, clock::now())? else {
        return Ok(None);
    };
    let Some(public) = &view.published.publication.page else {
        return Ok(None);
    };
    let now = Timestamp::from_second(clock::now().div_euclid(1000)).unwrap_or_default();
    let page = Page {
        base: page::base(&app.public_url),
        name: &view.published.name,
        listed: public.listed,
        summary: view.summary,
        incidents: &view.incidents,
        more_incidents: view.more_incidents,
        lines: &view.lines,
        before: (number > 1).then(|| number - 1),
        after: view.more.then(|| number + 1),
        now: now.strftime("%F %R UTC").to_string(),
        now_iso: now.to_string(),
    };
    let mut response = page::html(StatusCode::OK, &page);
    response
        .headers
        .retain(|(name, _)| *name != "cache-control");
    let response = response
        .with("cache-control", format!("public, max-age={KEPT}"))
        .with("refresh", REFRESH);
    Ok(Some(if public.listed {
        response
    } else {
        response.with("x-robots-tag", "noindex")
    }))
}

/// The project behind the path, with this page of its checks, by name.
fn read(store: &Store, path: &str, number: usize, now: Millis) -> Result<Option<View>, StoreError> {
    store.read(|connection| {
        let Some(published) = publications::by_path(connection, path)? else {
            return Ok(None);
        };
        let mut checks =
            overview::glances(connection, published.org_id, Some(published.project_id))?;
        checks.sort_by_cached_key(|check| check.name.to_lowercase());
        let mut wrong: Vec<&Glance> = checks.iter().collect();
        wrong.sort_by_key(|check| gravity(check));
        let wrong: Vec<Incident> = wrong.into_iter().filter_map(incident).collect();
        // Today is the last of the days.
        let since = now.div_euclid(DAY) * DAY - (DAYS - 1) * DAY;
        let first = (number - 1).saturating_mul(PAGE);
        let mut lines = Vec::new();
        for check in checks.iter().skip(first).take(PAGE) {
            let state = (check.status, check.since);
            let spans = uptime::spans(connection, check.row, state, since, now)?;
            lines.push(line(check, &spans, since, now));
        }
        Ok(Some(View {
            summary: summary(&checks),
            more_incidents: wrong.len().saturating_sub(PAGE),
            incidents: wrong.into_iter().take(PAGE).collect(),
            lines,
            more: checks.len() > first.saturating_add(PAGE),
            published,
        }))
    })
}

/// What is wrong with a check, where something is.
fn incident(check: &Glance) -> Option<Incident> {
    let reason = match check.status {
        Status::Down if check.failures > 0 => "The last run failed",
        Status::Down => "An expected run is missing",
        Status::Overrunning => "A run takes longer than it may",
        Status::Late => "A run is late",
        Status::New | Status::Up | Status::Paused => return None,
    };
    let at = Timestamp::from_second(check.since.div_euclid(1000)).unwrap_or_default();
    Some(Incident {
        name: check.name.clone(),
        status: check.status,
        shape: shape(check.status),
        since: at.strftime("%F %R UTC").to_string(),
        since_iso: at.to_string(),
        reason,
    })
}

fn line(check: &Glance, spans: &[Span], since: Millis, now: Millis) -> Line {
    let days: Vec<Share> = (0..DAYS)
        .map(|day| {
            let from = since + day * DAY;
            uptime::share(spans, from, (from + DAY).min(now))
        })
        .collect();
    let whole = days.iter().fold(Share::default(), |sum, day| sum.and(*day));
    Line {
        name: check.name.clone(),
        status: check.status,
        shape: shape(check.status),
        uptime: whole.uptime().map(percent),
        strip: strip(&days),
    }
}

/// From hundredths of a percent.
fn percent(uptime: i64) -> String {
    match uptime {
        10_000 => "100 %".to_owned(),
        uptime => format!("{}.{:02} %", uptime / 100, uptime % 100),
    }
}

fn strip(days: &[Share]) -> Strip {
    /// Which of the kinds a day is.
    fn kind(day: &Share) -> usize {
        match day.uptime() {
            Some(10_000) => 0,
            Some(_) => 1,
            None => 2,
        }
    }
    let mut strip = Strip::default();
    let mut totals = [0; 3];
    let mut x = 0;
    for alike in days.chunk_by(|one, next| kind(one) == kind(next)) {
        let count = alike.len() as i64;
        let which = kind(&alike[0]);
        let (path, height) = match which {
            0 => (&mut strip.good, GOOD),
            1 => (&mut strip.bad, HEIGHT),
            _ => (&mut strip.unknown, UNKNOWN),
        };
        path.push_str(&format!("M{x} {}h{}", HEIGHT - height / 2, count * STEP));
        totals[which] += count;
        x += count * STEP;
    }
    let [good, bad, unknown] = totals;
    strip.words = format!(
        "{} without trouble, {bad} with trouble, {unknown} without data",
        if good == 1 {
            "1 day".to_owned()
        } else {
            format!("{good} days")
        }
    );
    strip
}

fn summary(checks: &[Glance]) -> String {
    let of = |wanted: Status| checks.iter().filter(|check| check.status == wanted).count();
    let wrong: Vec<String> = [Status::Down, Status::Overrunning, Status::Late]
        .into_iter()
        .filter_map(|status| match of(status) {
            0 => None,
            count => Some(format!("{count} {}", status.as_str())),
        })
        .collect();
    if !wrong.is_empty() {
        format!("Of {} jobs: {}", checks.len(), wrong.join(", "))
    } else if of(Status::Up) == 0 {
        "Nothing to tell yet".to_owned()
    } else {
        "All jobs run as they should".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_day_is_at_the_left_and_each_has_its_kind() {
        let day = |watched, wrong| Share { watched, wrong };
        let days = [day(0, 0), day(10, 0), day(10, 0), day(10, 1), day(10, 0)];
        let strip = strip(&days);
        assert_eq!(strip.unknown, "M0 18h4");
        assert_eq!(strip.good, "M4 13h8M16 13h4");
        assert_eq!(strip.bad, "M12 10h4");
        assert_eq!(
            strip.words,
            "3 days without trouble, 1 with trouble, 1 without data"
        );
    }

    #[test]
    fn a_percentage_is_never_rounded_up() {
        assert_eq!(percent(10_000), "100 %");
        assert_eq!(percent(9_999), "99.99 %");
        assert_eq!(percent(5), "0.05 %");
    }
}
