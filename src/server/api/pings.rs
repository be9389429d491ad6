//! Pings: taken without a key, since the public id is the secret; and their history.

use std::sync::Arc;

use ureq_proto::http::{Method, StatusCode, header};

use super::{Answer, ApiError, App, id};
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::hash;
use crate::server::http::{self, Handling, Request, Response};
use crate::server::store::accounts::Caller;
use crate::server::store::pings::{self, Incoming};
use crate::server::store::{StoreError, checks};
use crate::wire::ping::Signal;
use crate::wire::{self, Kind, MAX_AGE_MS, RUN_ID_MAX};

/// The longest `Idempotency-Key` that is remembered as it is, bytes.
const KEY_MAX: usize = 200;

/// How much of a `User-Agent` is kept, characters.
const USER_AGENT_MAX: usize = 200;

/// From where on the difference of a sender's clock is kept, milliseconds: the header has
/// seconds, and a request takes its time.
const CLOCK_OFF: Millis = 5_000;

/// How many pings a page of the history has: what is not said, and at most.
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 1000;

/// What every answer to a ping carries, so that a page in a browser may read it and nothing between
/// keeps it.
pub(super) const HEADERS: &[(&str, &str)] = &[
    ("access-control-allow-origin", "*"),
    ("cache-control", "no-store"),
];

/// Begins to take a ping: it is answered once it is on disk, and no thread waits for that. What
/// is no ping of a check is left to the routes.
pub(super) fn begin(app: &App, request: Request) -> Handling {
    let path = request.path.clone();
    let segments = segments(&path);
    let is_known = segments
        .first()
        .and_then(|public_id| public_id.parse().ok())
        .is_some_and(|id| app.store.check_row(id).is_some());
    if !is_known {
        return Handling::Blocking(request);
    }
    if request.method == Method::OPTIONS {
        return Handling::Done(options());
    }
    match read(app, &request, &segments) {
        Ok((row, ping)) => {
            let kind = ping.signal.kind;
            let (store, metrics) = (Arc::clone(&app.store), Arc::clone(&app.metrics));
            Handling::Later(Box::new(move |pending| {
                // A client that gave up waiting comes again, and knows how long ago it was; what it
                // sent before may have lain here for longer than anybody can tell.
                if ping.idempotency_key.is_some() && pending.is_given_up() {
                    return;
                }
                store.write_then(
                    move |desk| pings::take(desk, row, &ping),
                    move |taken| {
                        let response = taken.map_or_else(
                            |error| ApiError::from(error).into_response(),
                            |()| {
                                let limit = wire::OUTPUT_LIMIT.to_string();
                                Response::text(StatusCode::OK, "OK")
                                    .with(wire::header::BODY_LIMIT, limit)
                            },
                        );
                        metrics.ping(kind, response.status);
                        pending.answer(response);
                    },
                );
            }))
        }
        Err(error) => {
            app.metrics.ping(kind(&segments), error.status);
            Handling::Done(error.into_response())
        }
    }
}

/// Says what is wrong with a path or a ping that could not be begun.
pub(super) fn refuse(app: &App, request: &Request) -> Answer {
    if request.method == Method::OPTIONS {
        return Ok(options());
    }
    let segments = segments(&request.path);
    let error = match read(app, request, &segments) {
        Err(error) => error,
        // The check was made since the request was looked at.
        Ok(_) => ApiError::from(StoreError::Unavailable("it is too new".to_owned())),
    };
    app.metrics.ping(kind(&segments), error.status);
    Err(error)
}

/// What a browser asks for before it sends a ping with headers of ours from another site's page.
fn options() -> Response {
    Response::empty()
        .with("allow", "GET, HEAD, POST, PUT, OPTIONS")
        .with("access-control-allow-methods", "GET, HEAD, POST, PUT")
        .with("access-control-allow-headers", "*")
        .with("access-control-max-age", "86400")
}

/// The parts of a ping's path but the prefix `/ping`. Slashes that follow each other are one:
/// scripts glue a path to a URL that ends in one.
fn segments(path: &str) -> Vec<&str> {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    let _ = parts.next_if(|first| *first == "ping");
    parts.collect()
}

fn kind(path: &[&str]) -> Kind {
    Signal::from_segment(path.get(1).unwrap_or(&"")).map_or(Kind::Success, |signal| signal.kind)
}

/// What the path says that was appended to a URL with a query: what follows the last slash.
fn appended(query: &str) -> Option<(&str, Signal)> {
    let (query, end) = query.rsplit_once('/')?;
    let signal = Signal::from_segment(end).filter(|_| !end.is_empty())?;
    Some((query, signal))
}

/// Which check a ping is for, and what it says.
fn read(app: &App, request: &Request, path: &[&str]) -> Result<(i64, Incoming), ApiError> {
    let unknown = || ApiError::not_found("There is no check with this id; is the ping URL right?");
    let row = path
        .first()
        .and_then(|public_id| public_id.parse().ok())
        .and_then(|id| app.store.check_row(id))
        .ok_or_else(unknown)?;
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT];
    if !known.contains(&request.method) {
        return Err(ApiError::method("GET, HEAD, POST, PUT"));
    }
    let signal = match path {
        [_] => Some(Kind::Success.into()),
        [_, suffix] => Signal::from_segment(suffix),
        _ => None,
    };
    let signal = signal.ok_or_else(|| {
        bad("The ping URL must end in /start, /fail, /log, an exit code of 0 to 255, or nothing")
    })?;
    Ok((row, incoming(request, signal)?))
}

fn bad(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, sentence)
}

/// Reads the headers and the query; what is malformed is refused, so that its sender learns of it.
/// `signal` is what the path says.
pub(super) fn incoming(request: &Request, signal: Signal) -> Result<Incoming, ApiError> {
    let (query, signal) = match appended(&request.query) {
        None => (request.query.as_str(), signal),
        Some((query, appended)) if signal == Kind::Success.into() => (query, appended),
        Some(_) => {
            return Err(bad(
                "The ping URL says what happened twice: in its path and at the end of its query",
            ));
        }
    };
    let rid = http::parameter(query, "rid");
    if rid.as_ref().is_some_and(|rid| rid.contains('/')) {
        return Err(bad(
            "A rid has no slash in it, but before /start, /fail, /log or an exit code at its end",
        ));
    }
    let run_id = text(request, wire::header::RUN)?
        .filter(|run| !run.is_empty())
        .map(str::to_owned)
        .or(rid)
        .filter(|run| !run.is_empty());
    let printable = |text: &str| !text.chars().any(char::is_control);
    if let Some(run) = &run_id
        && (run.chars().count() > RUN_ID_MAX || !printable(run))
    {
        return Err(bad("A run id may have up to 100 printable characters"));
    }
    let idempotency_key = text(request, wire::header::IDEMPOTENCY_KEY)?.map(kept_key);
    if idempotency_key.as_ref().is_some_and(String::is_empty) {
        return Err(bad("An Idempotency-Key must not be empty"));
    }
    let age = number(request, wire::header::AGE)?.unwrap_or(0);
    if age.unsigned_abs() > MAX_AGE_MS {
        return Err(bad(
            "X-Pakyas-Age is over 7 days; that is too late to report",
        ));
    }
    let received_at = clock::now();
    Ok(Incoming {
        signal,
        received_at,
        age,
        idempotency_key,
        run_id,
        duration: measured(request, wire::header::DURATION)?
            .map(short_enough)
            .transpose()?,
        cpu_ms: measured(request, wire::header::CPU_MS)?,
        max_rss_kb: measured(request, wire::header::MAX_RSS_KB)?,
        clock_off: clock_off(request, received_at),
        source_ip: request.peer.to_canonical().to_string(),
        user_agent: request.headers.get(header::USER_AGENT).map(|agent| {
            let agent = String::from_utf8_lossy(agent.as_bytes());
            agent.trim().chars().take(USER_AGENT_MAX).collect()
        }),
        body: request.body.clone(),
    })
}

/// How far the sender's clock is ahead of ours, where that is far. What is no date is no
/// reason to refuse a ping.
fn clock_off(request: &Request, now: Millis) -> Option<Millis> {
    let date = request.header(wire::header::DATE)?;
    let sent = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .ok()?;
    let off = sent.as_millisecond() - now;
    (off.abs() > CLOCK_OFF).then_some(off)
}

/// A header whose value counts, where it is given.
fn text<'a>(request: &'a Request, name: &'static str) -> Result<Option<&'a str>, ApiError> {
    match request.header(name) {
        None if request.headers.contains_key(name) => {
            Err(bad(&format!("The header {name} must be text (UTF-8)")))
        }
        value => Ok(value),
    }
}

/// What is remembered of an Idempotency-Key: a long one by its hash, which says as much.
fn kept_key(key: &str) -> String {
    match key.len() {
        0..=KEY_MAX => key.to_owned(),
        _ => format!("sha256:{}", hash::sha256(key.as_bytes())),
    }
}

/// A header that is a whole number, not below zero, where it is given. An empty one, of a script
/// whose variable was not set, is none.
fn number(request: &Request, name: &'static str) -> Result<Option<i64>, ApiError> {
    let Some(text) = text(request, name)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    let wrong = || bad(&format!("The header {name} must be a whole number"));
    number.map(Some).ok_or_else(wrong)
}

/// A number that only tells more of a run: one with a fraction, as shells and clocks give it, is
/// left out and no reason to lose the report. Not so an age, by which a report is judged.
fn measured(request: &Request, name: &'static str) -> Result<Option<i64>, ApiError> {
    let is_fraction = |text: &str| {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        text.len() > 1
            && text
                .split_once(['.', ','])
                .is_some_and(|(whole, part)| digits(whole) && digits(part))
    };
    match request.header(name) {
        Some(text) if is_fraction(text) => Ok(None),
        _ => number(request, name),
    }
}

/// A duration that other programs can keep, milliseconds.
fn short_enough(duration: i64) -> Result<i64, ApiError> {
    match duration.unsigned_abs() <= wire::NUMBER_MAX {
        true => Ok(duration),
        false => Err(ApiError::field(
            wire::header::DURATION,
            "X-Pakyas-Duration is over 2147483647 milliseconds (24.8 days); send that for a longer run",
        )),
    }
}

/// `GET /checks/{id}/pings`.
pub(super) fn history(app: &App, caller: &Caller, check: &str, request: &Request) -> Answer {
    let limit = match request.parameter("limit") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| bad("'limit' must be 1 to 1000"))?,
    };
    let before = match request.parameter("before") {
        None => None,
        Some(id) => Some(pings::row_called(&id).ok_or_else(|| {
            bad("'before' must be the id of a ping; leave it out for the newest")
        })?),
    };
    let row = check_row(app, caller, check)?;
    let page = app
        .store
        .read(|connection| pings::list(connection, row, limit, before))?;
    Ok(Response::json(StatusCode::OK, &page))
}

/// `GET /checks/{id}/pings/{ping_id}/body`.
pub(super) fn output(app: &App, caller: &Caller, check: &str, ping: &str) -> Answer {
    let row = check_row(app, caller, check)?;
    let ping = pings::row_called(ping)
        .ok_or_else(|| ApiError::not_found("There is no ping with this id"))?;
    let body = app
        .store
        .read(|connection| pings::body(connection, row, ping))?
        .ok_or_else(|| ApiError::not_found("There is no output with this ping"))?;
    let body = whole_characters(&body);
    let mut response = Response::text(StatusCode::OK, body);
    if str::from_utf8(body).is_err() {
        // As it was printed; in whatever it is, it is not in UTF-8.
        response.headers = vec![("content-type", "text/plain".to_owned())];
    }
    // What a job prints is shown as text and never run as a page.
    Ok(response.with("x-content-type-options", "nosniff"))
}

/// A kept output without the rest of a character in UTF-8 within which it was cut.
fn whole_characters(body: &[u8]) -> &[u8] {
    /// Of the bytes of a character so many at most follow the first.
    const REST_MAX: usize = 3;
    let cut = (0..=REST_MAX.min(body.len())).find(|&cut| str::from_utf8(&body[cut..]).is_ok());
    &body[cut.unwrap_or(0)..]
}

/// The row of the caller's check.
pub(super) fn check_row(app: &App, caller: &Caller, check: &str) -> Result<i64, ApiError> {
    let check = id(check, "check")?;
    let row = app.store.read(|connection| -> Result<_, StoreError> {
        checks::row_of(connection, caller.org_id, check)
    })?;
    row.ok_or_else(|| ApiError::not_found("There is no check with this id"))
}
