//! What became of a check: its events, what it is now, and what is wrong with it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ureq_proto::http::StatusCode;

use super::pings::check_row;
use super::{Answer, ApiError, App, checks, id};
use crate::schedule::parse_duration;
use crate::server::clock;
use crate::server::doctor;
use crate::server::engine::Millis;
use crate::server::http::{Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::events::{self, Position, Wanted};
use crate::server::store::inspect;
use crate::wire::history::{Diagnosis, EVENT_CLASSES};

/// How many events a page has: what is not said, and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 1000;

fn bad(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, sentence)
}

/// `GET /checks/{id}/events`.
pub(super) fn events(app: &App, caller: &Caller, check: &str, request: &Request) -> Answer {
    let wanted = wanted(request, clock::now())?;
    let row = check_row(app, caller, check)?;
    let page = app
        .store
        .read(|connection| events::list(connection, row, &wanted))?;
    Ok(Response::json(StatusCode::OK, &page))
}

fn wanted(request: &Request, now: Millis) -> Result<Wanted, ApiError> {
    let limit = match request.parameter("limit") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| bad("'limit' must be 1 to 1000"))?,
    };
    let given = |name| request.parameter(name).filter(|text| !text.is_empty());
    let since = given("since").map(|text| since(&text, now)).transpose()?;
    let cursor = match given("cursor") {
        None => None,
        Some(text) => Some(Position::parse(&text).ok_or_else(|| {
            bad("'cursor' must be the next_cursor of another page; leave it out for the newest")
        })?),
    };
    let types = given("types").unwrap_or_else(|| EVENT_CLASSES.join(","));
    let types: Vec<&str> = types.split(',').map(str::trim).collect();
    if types.iter().any(|name| !EVENT_CLASSES.contains(name)) {
        return Err(bad(
            "'types' must be signal, state or alert, or several of them with commas between",
        ));
    }
    Ok(Wanted {
        limit,
        since,
        cursor,
        signals: types.contains(&"signal"),
        states: types.contains(&"state"),
        alerts: types.contains(&"alert"),
    })
}

/// A moment as `since` takes it: how long ago, or a time.
fn since(text: &str, now: Millis) -> Result<Millis, ApiError> {
    if let Ok(seconds) = parse_duration(text) {
        let ago = i64::try_from(seconds).unwrap_or(Millis::MAX);
        return Ok(now.saturating_sub(ago.saturating_mul(1000)).max(0));
    }
    // In a query a plus that is not escaped is a space.
    let time = text.trim().replace(' ', "+");
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    time.parse::<Timestamp>()
        .ok()
        .or_else(|| time.parse().ok().and_then(midnight))
        .map(Timestamp::as_millisecond)
        .ok_or_else(|| {
            bad("'since' must say how long ago (30m, 2d) or since when (2026-01-02T03:04:05Z)")
        })
}

/// `GET /checks/{id}/inspect`.
pub(super) fn inspect(app: &App, caller: &Caller, check: &str) -> Answer {
    let row = check_row(app, caller, check)?;
    let check = checks::find_one(app, caller, id(check, "check")?)?;
    let now = clock::now();
    let inspection = app
        .store
        .read(|connection| inspect::inspect(connection, row, &check, now))?;
    Ok(Response::json(StatusCode::OK, &inspection))
}

/// `GET /checks/{id}/doctor`.
pub(super) fn doctor(app: &App, caller: &Caller, check: &str, request: &Request) -> Answer {
    let deep = match request.parameter("deep").as_deref() {
        None | Some("false" | "0") => false,
        Some("" | "true" | "1") => true,
        Some(_) => return Err(bad("'deep' must be true or false")),
    };
    let row = check_row(app, caller, check)?;
    let check = checks::find_one(app, caller, id(check, "check")?)?;
    let now = clock::now();
    let depth = if deep { doctor::DEEP } else { doctor::USUAL };
    let (facts, records) = app
        .store
        .read(|connection| inspect::for_doctor(connection, row, now, depth))?;
    let findings = doctor::examine(&check, &facts, &records, now);
    let (status, summary) = doctor::sum_up(&check, &findings, records.len(), depth);
    let diagnosis = Diagnosis {
        check_id: check.id,
        check_name: check.name,
        analyzed_at: Timestamp::from_millisecond(now).unwrap_or_default(),
        deep,
        status,
        summary,
        findings,
    };
    Ok(Response::json(StatusCode::OK, &diagnosis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_767_323_045_000;

    #[test]
    fn since_takes_how_long_ago_and_a_time() {
        for (text, ago_seconds) in [
            ("30m", 1_800),
            ("2d", 172_800),
            ("90", 90),
            ("2026-01-02T03:04:00Z", 5),
            ("2026-01-02T04:04:00 01:00", 5),
            ("2026-01-02", 11_045),
            ("99999999999999999999w", -1),
        ] {
            let expected = (ago_seconds >= 0).then_some(NOW - ago_seconds * 1000);
            assert_eq!(since(text, NOW).ok(), expected, "{text}");
        }
    }
}
