//! The balance: what clients believe and what the target was told, against what the server says.

use std::collections::HashMap;

use serde_json::Value;

use crate::soak::clients::{Belief, Ran, Sent};
use crate::soak::ledger::Told;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Holds the pings of those who name their runs against a check's history.
pub fn sent(slug: &str, sent: &Sent, history: &[Value], differs: &mut Vec<String>) {
    let mut there: HashMap<(String, &str), usize> = HashMap::new();
    for ping in history {
        let key = (text(&ping["run_id"]).to_owned(), text(&ping["type"]));
        *there.entry(key).or_default() += 1;
    }
    for ((run, kind), belief) in sent {
        let times = there.remove(&(run.clone(), kind)).unwrap_or(0);
        if times > 1 || (times == 0 && *belief == Belief::Delivered) {
            differs.push(format!(
                "{slug}: {kind} of {run} stands there {times} times"
            ));
        }
    }
    for (run, kind) in there.keys() {
        differs.push(format!("{slug}: nobody sent {kind} of {run:?}"));
    }
}

/// Holds the jobs of `pakyas monitor` against a check's history: a start and an end of each.
pub fn ran(slug: &str, ran: &Ran, history: &[Value], differs: &mut Vec<String>) {
    let mut starts: HashMap<&str, usize> = HashMap::new();
    let mut ends: HashMap<u64, Vec<&str>> = HashMap::new();
    for ping in history {
        let run = text(&ping["run_id"]);
        if ping["type"] == "start" {
            *starts.entry(run).or_default() += 1;
        } else {
            let code = ping["exit_code"].as_u64().unwrap_or_default();
            ends.entry(code).or_default().push(run);
        }
    }
    for (run, times) in &starts {
        if *times > 1 {
            differs.push(format!(
                "{slug}: the start of {run} stands there {times} times"
            ));
        }
    }
    let mut unknown = 0;
    for (code, belief) in ran {
        let runs = ends.remove(code).unwrap_or_default();
        unknown += usize::from(*belief == Belief::Unknown);
        if runs.len() > 1 || (runs.is_empty() && *belief == Belief::Delivered) {
            let times = runs.len();
            differs.push(format!(
                "{slug}: the end of job {code} stands there {times} times"
            ));
        }
        for run in runs {
            if starts.remove(run).is_none() && *belief == Belief::Delivered {
                differs.push(format!("{slug}: job {code} has no start"));
            }
        }
    }
    for code in ends.keys() {
        differs.push(format!("{slug}: nobody ran job {code}"));
    }
    // Who was killed between the start and the end.
    if starts.len() > unknown {
        let starts = starts.len();
        differs.push(format!(
            "{slug}: {starts} starts without an end, {unknown} were killed"
        ));
    }
}

/// Holds a check's changes against its alerts, and its alerts against what the target was told
/// (`told`). All thresholds of the soak are 1 and nothing is paused, so the law is plain: down
/// and overrunning are told each time, and so is their end.
pub fn alerts(
    slug: &str,
    status: &str,
    events: &[Value],
    told: &[&Told],
    differs: &mut Vec<String>,
) {
    let mut balance: HashMap<&str, i64> = HashMap::new();
    let mut owed: HashMap<&str, i64> = HashMap::new();
    let mut decided: HashMap<&str, i64> = HashMap::new();
    for event in events {
        let (from, to) = (text(&event["from_status"]), text(&event["to_status"]));
        if event["event_type"] == "status_changed" {
            *balance.entry(from).or_default() -= 1;
            *balance.entry(to).or_default() += 1;
            if to == "up" && ["down", "overrunning"].contains(&from) {
                *owed.entry("up").or_default() += 1;
            } else if ["down", "overrunning"].contains(&to) {
                *owed.entry(to).or_default() += 1;
            }
        } else {
            *decided.entry(to).or_default() += 1;
        }
    }
    // Each status was left as often as it was entered, but for the first and the last.
    *balance.entry("new").or_default() += 1;
    *balance.entry(status).or_default() -= 1;
    if balance.values().any(|&rest| rest != 0) {
        differs.push(format!(
            "{slug}: its changes are no way to {status}: {balance:?}"
        ));
    }
    if owed != decided {
        differs.push(format!(
            "{slug}: alerts owed are {owed:?}, decided {decided:?}"
        ));
    }
    let mut heard: HashMap<&str, i64> = HashMap::new();
    for told in told {
        let status = match told.event.as_str() {
            "check.down" | "check.failed" => "down",
            "check.running_long" => "overrunning",
            "check.up" => "up",
            other => other,
        };
        *heard.entry(status).or_default() += 1;
    }
    if heard != decided {
        differs.push(format!(
            "{slug}: alerts decided are {decided:?}, told {heard:?}"
        ));
    }
}
