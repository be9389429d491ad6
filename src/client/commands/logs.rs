//! `pakyas check logs`: a check's pings, and what a run wrote.

use std::io::IsTerminal;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{Context, number};
use crate::client::api::Api;
use crate::client::args::CheckLogs;
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{self, Format, Table, clean, milliseconds, or_dash, relative};
use crate::schedule::format_duration;
use crate::wire::{Check, PingList, PingRecord, RecordId};

/// How many pings are shown where nothing is said.
const USUAL: u64 = 20;
/// How many at most.
const MOST: u64 = 10_000;
/// How many a page of the API has at most (API.md).
const PAGE: u64 = 1_000;
/// How much of an id that is a text the table shows, characters.
const SHORT: usize = 8;
/// How much later than it happened the server must have learned of a ping for the table to say
/// so, seconds.
const LATE: u64 = 5;

pub fn run(context: &Context, typed: &CheckLogs) -> Result<(), Error> {
    let limit = match &typed.limit {
        Some(text) => number("--limit", text, 1, MOST)?,
        None => USUAL,
    };
    let api = context.api()?;
    let check = lookup::check_or_id(&api, &context.settings.project()?, &typed.slug)?;
    match &typed.output {
        Some(wanted) => output(context, &api, &check, wanted),
        None => {
            let list = pings(&api, &check, limit, |_| false)?;
            history(context, &check, &list)
        }
    }
}

/// The newest `limit` pings of a check, page by page, or fewer where `enough` says that one of
/// a page is all that was wanted.
fn pings(
    api: &Api<'_>,
    check: &Check,
    limit: u64,
    enough: impl Fn(&PingRecord) -> bool,
) -> Result<PingList, Error> {
    let mut all = PingList {
        pings: Vec::new(),
        total: 0,
    };
    loop {
        let left = limit.saturating_sub(all.pings.len() as u64).min(PAGE);
        let before = all
            .pings
            .last()
            .map_or_else(String::new, |last| format!("&before={}", last.id));
        let page: PingList =
            api.get(&format!("/checks/{}/pings?limit={left}{before}", check.id))?;
        let done = (page.pings.len() as u64) < left || page.pings.iter().any(&enough);
        all.total = page.total;
        all.pings.extend(page.pings);
        if done || all.pings.len() as u64 >= limit {
            return Ok(all);
        }
    }
}

fn history(context: &Context, check: &Check, list: &PingList) -> Result<(), Error> {
    if list.pings.is_empty() {
        context.talk.note(&format!(
            "No ping came yet. Send one: pakyas ping {}",
            clean(&check.slug)
        ));
    }
    match context.format {
        Format::Json => render::one(Format::Json, list, String::new),
        format => render::list(format, &list.pings, || table(context, &list.pings)),
    }
}

fn table(context: &Context, pings: &[PingRecord]) -> String {
    if pings.is_empty() {
        return String::new();
    }
    let now = Timestamp::now();
    let mut table = Table::new(
        &["TYPE", "WHEN", "", "DURATION", "EXIT", "RUN", "OUTPUT"],
        &[5],
    );
    for ping in pings {
        let output = if ping.has_body {
            match &ping.id {
                RecordId::Number(number) => number.to_string(),
                RecordId::Text(text) => text.chars().take(SHORT).collect(),
            }
        } else {
            "-".to_owned()
        };
        table.row([
            ping.kind.as_str().to_owned(),
            context.screen.when(ping.created_at),
            format!("{}{}", relative(ping.created_at, now), lateness(ping)),
            or_dash(ping.duration_ms.map(milliseconds)),
            or_dash(ping.exit_code.map(|code| code.to_string())),
            or_dash(ping.run_id.as_deref().map(short)),
            output,
        ]);
    }
    table.text(context.screen)
}

/// A run id as far as it tells runs apart: those of `pakyas monitor` are UUIDs.
fn short(run_id: &str) -> String {
    let shown = match Uuid::try_parse(run_id) {
        Ok(_) => SHORT,
        Err(_) => usize::MAX,
    };
    run_id.chars().take(shown).collect()
}

/// How much later than it happened the server learned of it, where that is worth a word.
fn lateness(ping: &PingRecord) -> String {
    let late = ping.received_at.duration_since(ping.created_at).as_secs();
    match u64::try_from(late) {
        Ok(late) if late >= LATE => format!(", told {} later", format_duration(late)),
        _ => String::new(),
    }
}

/// Prints what the run whose ping is `wanted` (an id, the beginning of one that is a text, or `last`) wrote.
fn output(context: &Context, api: &Api<'_>, check: &Check, wanted: &str) -> Result<(), Error> {
    let wanted = wanted.to_ascii_lowercase();
    let is_called = |id: &RecordId| match id {
        RecordId::Number(number) => number.to_string() == wanted,
        RecordId::Text(text) => wanted.len() >= 4 && text.starts_with(&wanted),
    };
    let is_wanted = |ping: &PingRecord| ping.has_body && (wanted == "last" || is_called(&ping.id));
    let list = pings(api, check, MOST, is_wanted)?;
    let Some(ping) = list.pings.iter().find(|ping| is_wanted(ping)) else {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "No output found: '{}' is none of the ids in the OUTPUT column, nor 'last' of any. \
                 See them: pakyas check logs {}",
                wanted.escape_debug(),
                clean(&check.slug)
            ),
        ));
    };
    let mut bytes = api.call(
        "GET",
        &format!("/checks/{}/pings/{}/body", check.id, ping.id),
        None,
    )?;
    if context.format != Format::Table {
        let output = String::from_utf8_lossy(&bytes);
        let value = json!({ "ping_id": ping.id, "output": output });
        return render::one(context.format, &value, String::new);
    }
    if std::io::stdout().is_terminal() {
        // A job's output may hold what steers a terminal; a pipe gets it as it is.
        let text = String::from_utf8_lossy(&bytes);
        let shown = text
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
        bytes = shown.collect::<String>().into_bytes();
    }
    render::print(&bytes)
}
