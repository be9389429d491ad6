//! What everybody may see of a project, without a cookie: its status page. No ids, no outputs and
//! no addresses of pings are on it. What is switched off is not there, and nobody can tell which.

use askama::Template;
use jiff::Timestamp;
use ureq_proto::http::StatusCode;

use super::page::{self, Frame, Message};
use super::{badge, overview::shape};
use crate::server::api::App;
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::http::{Request, Response};
use crate::server::store::overview::{self, Glance};
use crate::server::store::publications::{self, Published};
use crate::server::store::uptime::{self, Share, Span};
use crate::server::store::{Store, StoreError};
use crate::wire::Status;

/// How many days a strip tells of, how far apart they are in it, and how high it is. A day with
/// trouble sticks out, so that it is told without its colour too.
const DAYS: i64 = 90;
const STEP: i64 = 4;
const HEIGHT: i64 = 20;
const GOOD: i64 = 14;

const DAY: Millis = 86_400_000;

/// How many checks a page shows at most: what anybody may ask for must not cost much.
const MOST: usize = 300;

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
    /// What is wrong now.
    incidents: Vec<&'a Line>,
    lines: &'a [Line],
    /// How many checks are not shown.
    more: usize,
    now: String,
    now_iso: String,
}

struct Line {
    name: String,
    status: Status,
    shape: &'static str,
    since: String,
    since_iso: String,
    reason: &'static str,
    uptime: Option<String>,
    strip: Strip,
}

/// A strip of days as paths.
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
            return Some(message(
                app,
                StatusCode::METHOD_NOT_ALLOWED,
                "That can't be done here",
                "This can only be looked at.",
            ));
        }
        ["status", path] => show(app, path),
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
        frame: Frame {
            base: page::base(&app.public_url),
            email: None,
            csrf: String::new(),
        },
        title,
        text,
    };
    page::html(status, &message).with("x-robots-tag", "noindex")
}

fn show(app: &App, path: &str) -> Result<Option<Response>, StoreError> {
    let Some((published, lines, more)) = read(&app.store, path, clock::now())? else {
        return Ok(None);
    };
    let Some(public) = &published.publication.page else {
        return Ok(None);
    };
    let now = Timestamp::from_second(clock::now().div_euclid(1000)).unwrap_or_default();
    let page = Page {
        base: page::base(&app.public_url),
        name: &published.name,
        listed: public.listed,
        summary: summary(&lines),
        incidents: lines
            .iter()
            .filter(|line| !line.reason.is_empty())
            .collect(),
        lines: &lines,
        more,
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

/// The project behind the path, its checks by name, and how many more it has.
fn read(
    store: &Store,
    path: &str,
    now: Millis,
) -> Result<Option<(Published, Vec<Line>, usize)>, StoreError> {
    store.read(|connection| {
        let Some(published) = publications::by_path(connection, path)? else {
            return Ok(None);
        };
        let mut checks =
            overview::glances(connection, published.org_id, Some(published.project_id))?;
        checks.sort_by_cached_key(|check| check.name.to_lowercase());
        let more = checks.len().saturating_sub(MOST);
        // Today is the last of the days.
        let since = now.div_euclid(DAY) * DAY - (DAYS - 1) * DAY;
        let mut lines = Vec::new();
        for check in checks.iter().take(MOST) {
            let state = (check.status, check.since);
            let spans = uptime::spans(connection, check.row, state, since, now)?;
            lines.push(line(check, &spans, since, now));
        }
        Ok(Some((published, lines, more)))
    })
}

fn line(check: &Glance, spans: &[Span], since: Millis, now: Millis) -> Line {
    let at = Timestamp::from_second(check.since.div_euclid(1000)).unwrap_or_default();
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
        since: at.strftime("%F %R UTC").to_string(),
        since_iso: at.to_string(),
        reason: match check.status {
            Status::Down if check.failures > 0 => "The last run failed",
            Status::Down => "An expected run is missing",
            Status::Overrunning => "A run takes longer than it may",
            Status::Late => "A run is late",
            Status::New | Status::Up | Status::Paused => "",
        },
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
    let mut strip = Strip::default();
    let mut totals = [0; 3];
    for (index, day) in (0..).zip(days) {
        let x: i64 = index * STEP + 2;
        let (path, height, total) = match day.uptime() {
            None => (&mut strip.unknown, 4, &mut totals[2]),
            Some(10_000) => (&mut strip.good, GOOD, &mut totals[0]),
            Some(_) => (&mut strip.bad, HEIGHT, &mut totals[1]),
        };
        path.push_str(&format!("M{x} {HEIGHT}v-{height}"));
        *total += 1;
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

fn summary(lines: &[Line]) -> String {
    let of = |wanted: Status| lines.iter().filter(|line| line.status == wanted).count();
    let wrong: Vec<String> = [Status::Down, Status::Overrunning, Status::Late]
        .into_iter()
        .filter_map(|status| match of(status) {
            0 => None,
            count => Some(format!("{count} {}", status.as_str())),
        })
        .collect();
    if !wrong.is_empty() {
        format!("Of {} jobs: {}", lines.len(), wrong.join(", "))
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
        let strip = strip(&[day(0, 0), day(10, 0), day(10, 1)]);
        assert_eq!(strip.unknown, "M2 20v-4");
        assert_eq!(strip.good, "M6 20v-14");
        assert_eq!(strip.bad, "M10 20v-20");
        assert_eq!(
            strip.words,
            "1 day without trouble, 1 with trouble, 1 without data"
        );
    }

    #[test]
    fn a_percentage_is_never_rounded_up() {
        assert_eq!(percent(10_000), "100 %");
        assert_eq!(percent(9_999), "99.99 %");
        assert_eq!(percent(5), "0.05 %");
    }
}
