//! One run of a check: as a line of its page, and on a page of its own with what it wrote.

use askama::Template;
use ureq_proto::http::StatusCode;
use uuid::Uuid;

use super::find;
use crate::server::alerts::message::milliseconds;
use crate::server::clock;
use crate::server::engine::Millis;
use crate::server::http::Response;
use crate::server::plain::plain;
use crate::server::store::check_page::{self, Run};
use crate::server::store::{StoreError, pings};
use crate::server::web::moment::{Moment, lasting};
use crate::server::web::page::Frame;
use crate::server::web::visit::Visit;
use crate::wire::{Check, Kind};

/// What was told later than this after it happened is worth a word, milliseconds.
const LATE: Millis = 10_000;

/// A run, in words.
pub(super) struct RunLine {
    pub id: Uuid,
    /// `well`, `badly`, `open` or `said`.
    pub class: &'static str,
    pub shape: &'static str,
    pub result: String,
    pub at: Moment,
    pub took: Option<String>,
    pub cpu: Option<String>,
    pub memory: Option<String>,
    pub source: String,
    pub agent: Option<String>,
    pub run_id: Option<String>,
    pub told: Option<String>,
    /// How much of its output there is.
    pub output: Option<String>,
}

impl RunLine {
    pub fn new(run: &Run, now: Millis) -> Self {
        let (class, shape, result) = match (run.kind, run.exit_code) {
            (Kind::Success, _) => ("well", "●", "succeeded".to_owned()),
            (Kind::Fail, Some(code)) => ("badly", "✕", format!("failed with exit code {code}")),
            (Kind::Fail, None) => ("badly", "✕", "failed".to_owned()),
            (Kind::Start, _) => ("open", "◌", "started, no end yet".to_owned()),
            (Kind::Log, _) => ("said", "·", "said something".to_owned()),
        };
        let late = run.received_at - run.at;
        Self {
            id: run.id,
            class,
            shape,
            result,
            at: Moment::new(run.at, now),
            took: run.duration.map(milliseconds),
            cpu: run.cpu.map(milliseconds),
            memory: run.memory.map(memory),
            source: run.source_ip.clone().unwrap_or_default(),
            agent: run.user_agent.clone(),
            run_id: run.run_id.clone(),
            told: (late > LATE).then(|| format!("told {} later", lasting(late))),
            output: run.output.map(|bytes| match bytes {
                0..1_000 => format!("{bytes} bytes"),
                bytes => format!("{}.{} KB", bytes / 1_000, bytes % 1_000 / 100),
            }),
        }
    }
}

/// KiB as people read it.
pub(super) fn memory(kib: u64) -> String {
    let one_digit = |tenths: u64, unit: &str| format!("{}.{} {unit}", tenths / 10, tenths % 10);
    match kib {
        0..1_024 => format!("{kib} KiB"),
        1_024..1_048_576 => one_digit(kib * 10 / 1_024, "MiB"),
        _ => one_digit(kib / 1_024 * 10 / 1_024, "GiB"),
    }
}

#[derive(Template)]
#[template(path = "run.html")]
struct Page<'a> {
    frame: Frame<'a>,
    check: &'a Check,
    run: RunLine,
    output: Option<String>,
}

pub(in crate::server::web) fn show(
    visit: &Visit<'_>,
    check: &str,
    id: &str,
) -> Result<Response, StoreError> {
    let found = match find(visit, check)? {
        Ok(found) => found,
        Err(answer) => return Ok(answer),
    };
    let run = visit.app.store.read(|connection| {
        // As the API calls it, or as our own links do.
        let Some(ping) = pings::row_called(id) else {
            return Ok(None);
        };
        let Some(run) = check_page::one_run(connection, found.row, ping)? else {
            return Ok(None);
        };
        let output = pings::body(connection, found.row, ping)?;
        Ok(Some((run, output)))
    })?;
    let Some((run, output)) = run else {
        return Ok(visit.message(
            StatusCode::NOT_FOUND,
            "There is no such run",
            "The address may be mistyped, or the run is older than what this server keeps.",
        ));
    };
    Ok(visit.page(
        StatusCode::OK,
        &Page {
            frame: found.frame(visit),
            check: &found.check,
            run: RunLine::new(&run, clock::now()),
            output: output.as_deref().map(plain),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_the_unit_that_fits() {
        assert_eq!(memory(512), "512 KiB");
        assert_eq!(memory(12_697), "12.3 MiB");
        assert_eq!(memory(3_145_728), "3.0 GiB");
        assert!(memory(u64::MAX).ends_with(" GiB"));
    }
}
