//! `pakyas check logs`: a check's pings, and what a run wrote.

use std::io::IsTerminal;

use jiff::Timestamp;

use super::{Context, number};
use crate::client::api::Api;
use crate::client::args::CheckLogs;
use crate::client::error::{Error, Kind};
use crate::client::lookup;
use crate::client::render::{self, Format, Table, clean, milliseconds, or_dash, relative};
use crate::schedule::format_duration;
use crate::wire::{Check, PingList, PingRecord};

/// How many pings are shown where nothing is said.
const USUAL: u64 = 20;
/// How many at most.
const MOST: u64 = 1_000;
/// How much of an id the table shows, characters.
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
        Some(wanted) => output(&api, &check, wanted),
        None => {
            let list: PingList = api.get(&format!("/checks/{}/pings?limit={limit}", check.id))?;
            history(context, &check, &list)
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
            ping.id.to_string().chars().take(SHORT).collect()
        } else {
            "-".to_owned()
        };
        table.row([
            ping.kind.as_str().to_owned(),
            context.screen.when(ping.created_at),
            format!("{}{}", relative(ping.created_at, now), lateness(ping)),
            or_dash(ping.duration_ms.map(milliseconds)),
            or_dash(ping.exit_code.map(|code| code.to_string())),
            or_dash(ping.run_id.clone()),
            output,
        ]);
    }
    table.text(context.screen)
}

/// How much later than it happened the server learned of it, where that is worth a word.
fn lateness(ping: &PingRecord) -> String {
    let late = ping.received_at.duration_since(ping.created_at).as_secs();
    match u64::try_from(late) {
        Ok(late) if late >= LATE => format!(", told {} later", format_duration(late)),
        _ => String::new(),
    }
}

/// Prints what the run whose ping is `wanted` (an id, its beginning, or `last`) wrote.
fn output(api: &Api<'_>, check: &Check, wanted: &str) -> Result<(), Error> {
    let list: PingList = api.get(&format!("/checks/{}/pings?limit={MOST}", check.id))?;
    let wanted = wanted.to_ascii_lowercase();
    let with_output: Vec<_> = list.pings.iter().filter(|ping| ping.has_body).collect();
    let is_wanted = |ping: &&&PingRecord| {
        wanted == "last" || (wanted.len() >= 4 && ping.id.to_string().starts_with(&wanted))
    };
    let Some(ping) = with_output.iter().find(is_wanted) else {
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
