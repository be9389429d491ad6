//! `pakyas spool`: what could not be delivered yet.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use super::{Context, confirm};
use crate::client::args::SpoolCommand;
use crate::client::delivery::{Courier, Flushed, Spool};
use crate::client::error::{Error, Kind};
use crate::client::render::{self, Table, clean, relative};
use crate::client::settings;

/// How long a flush may take in all: a thousand pings over a slow link.
const FLUSH: Duration = Duration::from_secs(600);

pub fn run(context: &Context, command: &SpoolCommand) -> Result<i32, Error> {
    match command {
        SpoolCommand::List(_) => list(context).map(|()| 0),
        SpoolCommand::Flush(_) => flush(context),
        SpoolCommand::Clear(typed) => clear(context, typed.yes).map(|()| 0),
    }
}

fn spool() -> Result<Spool, Error> {
    settings::spool_directory().map(Spool::new).ok_or_else(|| {
        Error::new(
            Kind::Usage,
            "There is no place where pings are kept: HOME is not set or not there; PAKYAS_SPOOL_DIR names another",
        )
    })
}

fn trouble(spool: &Spool, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Refused,
        format!(
            "Can't use the spool {}: {error}",
            spool.directory().display()
        ),
    )
}

fn list(context: &Context) -> Result<(), Error> {
    let spool = spool()?;
    let entries = spool.list().map_err(|error| trouble(&spool, &error))?;
    let mut kept = Vec::new();
    for entry in &entries {
        match spool.read(entry) {
            Ok(Some(ping)) => kept.push((ping, entry.bytes)),
            Ok(None) => {}
            Err(error) => context.talk.note(&error.to_string()),
        }
    }
    if kept.is_empty() {
        context.talk.note("No pings are kept");
    }
    let rows: Vec<_> = kept
        .iter()
        .map(|(kept, bytes)| {
            json!({
                "happened_at": happened(kept.unix_ms),
                "type": kept.ping.signal.kind,
                "exit_code": kept.ping.signal.exit_code,
                "check": kept.to.shown(),
                "server": kept.to.server(),
                "run_id": kept.ping.run_id,
                "bytes": bytes,
            })
        })
        .collect();
    render::list(context.format, &rows, || {
        if kept.is_empty() {
            return String::new();
        }
        let now = Timestamp::now();
        let mut table = Table::new(&["HAPPENED", "TYPE", "EXIT", "CHECK", "SERVER"], &[3]);
        for (kept, _) in &kept {
            let at = happened(kept.unix_ms);
            table.row([
                format!("{} {}", context.screen.when(at), relative(at, now)),
                kept.ping.signal.kind.as_str().to_owned(),
                render::or_dash(kept.ping.signal.exit_code.map(|code| code.to_string())),
                clean(&kept.to.shown()),
                clean(kept.to.server()),
            ]);
        }
        table.text(context.screen)
    })
}

fn happened(unix_ms: u64) -> Timestamp {
    let millis = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

fn flush(context: &Context) -> Result<i32, Error> {
    spool()?;
    let Flushed {
        sent,
        dropped,
        left,
        why,
    } = Courier::new(context.globals()).flush(Instant::now() + FLUSH);
    let result = json!({ "sent": sent, "dropped": dropped, "left": left });
    render::one(context.format, &result, || {
        let dropped = match dropped {
            0 => String::new(),
            count => format!(", {count} dropped"),
        };
        unless_quiet(context, format!("{sent} sent{dropped}, {left} left\n"))
    })?;
    if left == 0 {
        return Ok(0);
    }
    context.talk.note(&match why {
        Some(error) => error.to_string(),
        None => "What is left is for another server than the one in use, or another pakyas is sending it".to_owned(),
    });
    Ok(i32::from(Kind::Network.exit_code()))
}

fn clear(context: &Context, yes: bool) -> Result<(), Error> {
    let spool = spool()?;
    let kept = spool.list().map_err(|error| trouble(&spool, &error))?.len();
    if kept > 0 {
        let question = format!("Throw away {}? Those runs are never reported.", pings(kept));
        confirm(&question, yes)?;
    }
    let count = spool.clear().map_err(|error| trouble(&spool, &error))?;
    render::one(context.format, &json!({ "removed": count }), || {
        unless_quiet(context, format!("{} thrown away\n", pings(count)))
    })
}

/// So many of them, in words.
fn pings(count: usize) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} kept ping{s}")
}

/// How it went, for a person who wants to know: what was asked for is that it is done.
fn unless_quiet(context: &Context, text: String) -> String {
    if context.globals().quiet {
        return String::new();
    }
    text
}
