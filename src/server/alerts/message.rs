//! What an alert says, in words: the same for every channel.

use super::super::engine::{Millis, Reason};
use crate::schedule::format_duration;
use serde_json::Value;

use crate::wire::webhook::{DELIVERY_MAX, Delivery};
use crate::wire::{Kind, Status};

/// The alert's `type` on the wire.
pub fn kind(reason: &Reason) -> &'static str {
    match reason {
        Reason::Missed { .. } => "missed",
        Reason::NeverFinished { .. } => "never_finished",
        Reason::Failed { .. } => "failed",
        Reason::Overrunning { .. } => "overrunning",
        Reason::Recovered { .. } => "recovered",
        Reason::ReportedLate { .. } => "reported_late",
    }
}

/// What the check is because of `reason`.
pub fn status(reason: &Reason) -> Status {
    match reason {
        Reason::Missed { .. } | Reason::NeverFinished { .. } | Reason::Failed { .. } => {
            Status::Down
        }
        Reason::Overrunning { .. } => Status::Overrunning,
        Reason::Recovered { .. } | Reason::ReportedLate { .. } => Status::Up,
    }
}

/// One sentence for people: which check, and what about it.
pub fn sentence(name: &str, reason: &Reason, at: Millis) -> String {
    match reason {
        Reason::Missed {
            expected,
            count: 0 | 1,
        } => format!(
            "{name} is down: it was expected at {} and has not reported",
            utc(*expected)
        ),
        Reason::Missed { expected, count } => format!(
            "{name} is down: {count} expected runs in a row have not reported, the first at {}",
            utc(*expected)
        ),
        Reason::NeverFinished { started } => format!(
            "{name} is down: it started at {} and never finished",
            utc(*started)
        ),
        Reason::Failed { exit_code, count } => {
            let code = exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
            match count {
                0 | 1 => format!("{name} failed{code}"),
                _ => format!("{name} failed{code}, {count} times in a row"),
            }
        }
        Reason::Overrunning { started } => format!(
            "{name} is overrunning: it has been running for {}, since {}",
            span(at - started),
            utc(*started)
        ),
        Reason::Recovered { down_for } => {
            format!("{name} is up again after {}", span(*down_for))
        }
        Reason::ReportedLate { succeeded, by } => format!(
            "{name} is up: it succeeded at {}, which was reported late, by {}",
            utc(*succeeded),
            span(*by)
        ),
    }
}

/// What the failed run printed, as text.
pub fn output(reason: &Reason, body: Option<&[u8]>) -> Option<String> {
    match reason {
        Reason::Failed { .. } => body.map(|body| String::from_utf8_lossy(body).into_owned()),
        _ => None,
    }
}

/// The delivery as JSON of at most [`DELIVERY_MAX`] bytes: what is too long is cut from the
/// front of the output, whose end says most.
pub fn fit(mut delivery: Delivery) -> String {
    loop {
        let json = serde_json::to_string(&delivery).unwrap_or_default();
        let Some(output) = delivery.alert.output.take() else {
            return json;
        };
        if json.len() <= DELIVERY_MAX {
            return json;
        }
        let cut = output.len() / 4 + 1;
        delivery.alert.output = (cut..output.len())
            .find(|&cut| output.is_char_boundary(cut))
            .map(|cut| output[cut..].to_owned());
    }
}

/// One sentence for people about a ping, with "success" or "failed" where it is about an end, for
/// programs that look for these words (API.md); `late` milliseconds after it happened.
pub fn signal(
    kind: Kind,
    exit_code: Option<u8>,
    duration: Option<u64>,
    late: Option<Millis>,
) -> String {
    let mut text = match (kind, exit_code) {
        (Kind::Start, _) => "A run started".to_owned(),
        (Kind::Success, _) => "A run ended in success".to_owned(),
        (Kind::Fail, Some(code)) => format!("A run failed with exit code {code}"),
        (Kind::Fail, None) => "A run failed".to_owned(),
        (Kind::Log, _) => "A run said something".to_owned(),
    };
    if let Some(millis) = duration {
        text += &format!(" after {}", milliseconds(millis));
    }
    if let Some(late) = late {
        text += &format!(", told {} later", span(late));
    }
    text
}

/// One sentence for people about a change of status.
pub fn change(
    from: Option<Status>,
    to: Option<Status>,
    source: &str,
    expected: Option<Millis>,
) -> String {
    let (Some(from), Some(to)) = (from, to) else {
        return "The status changed".to_owned();
    };
    let why = match (from, to, source, expected) {
        (_, Status::Late, _, Some(expected)) => {
            format!("it was expected at {}", utc(expected))
        }
        (_, Status::Down, "schedule", Some(expected)) => {
            format!("it was expected at {} and its grace is over", utc(expected))
        }
        (_, Status::Down, "schedule", None) => "a run started and never finished".to_owned(),
        (_, Status::Down, "ping", _) => "a run failed".to_owned(),
        (_, Status::Overrunning, ..) => "a run takes longer than it may".to_owned(),
        (_, Status::Paused, ..) => "somebody paused it".to_owned(),
        (Status::Paused, ..) => "somebody resumed it".to_owned(),
        (_, Status::Up, "ping", _) => "it reported".to_owned(),
        (_, _, "user", _) => "somebody changed the check".to_owned(),
        _ => return format!("It went from {} to {}", from.as_str(), to.as_str()),
    };
    format!("It went from {} to {}: {why}", from.as_str(), to.as_str())
}

/// One sentence for people about an alert that said `said`, with "sent" where it was delivered, and how far it got on its way to
/// `channels` (objects with `name` and `state`).
pub fn told(said: Option<&str>, channels: &[Value]) -> String {
    let said = said.unwrap_or("An alert was due");
    let named = |state: &str| {
        let names: Vec<_> = channels
            .iter()
            .filter(|channel| channel["state"] == state)
            .filter_map(|channel| channel["name"].as_str())
            .collect();
        names.join(", ")
    };
    let mut parts = Vec::new();
    for (state, words) in [
        ("delivered", "sent to"),
        ("pending", "on its way to"),
        ("failed", "could not be delivered to"),
    ] {
        let names = named(state);
        if !names.is_empty() {
            parts.push(format!("{words} {names}"));
        }
    }
    if parts.is_empty() {
        parts.push("no channel was there to hear of it".to_owned());
    }
    format!("{said} ({})", parts.join("; "))
}

/// A measured duration: `812 ms`, `12.3 s`, `1h 30m`.
pub fn milliseconds(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format_duration(millis / 1_000),
    }
}

/// A time as people read it, to the second.
pub fn utc(at: Millis) -> String {
    let second = jiff::Timestamp::from_second(at.div_euclid(1000)).unwrap_or_default();
    second.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A duration, in whole seconds.
pub fn span(millis: Millis) -> String {
    format_duration(millis.max(0).unsigned_abs().div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::webhook::{Alert, CheckRef, Event, NamedRef};
    use uuid::Uuid;

    #[test]
    fn each_reason_is_told_in_one_sentence() {
        let at = 1_700_000_000_000;
        for (reason, words) in [
            (
                Reason::Missed {
                    expected: at,
                    count: 1,
                },
                "Backup is down: it was expected at 2023-11-14 22:13:20 UTC and has not reported",
            ),
            (
                Reason::Failed {
                    exit_code: Some(2),
                    count: 1,
                },
                "Backup failed with exit code 2",
            ),
            (
                Reason::Failed {
                    exit_code: None,
                    count: 3,
                },
                "Backup failed, 3 times in a row",
            ),
            (
                Reason::ReportedLate {
                    succeeded: at,
                    by: 3_600_000,
                },
                "Backup is up: it succeeded at 2023-11-14 22:13:20 UTC, which was reported late, by 1h",
            ),
            (
                Reason::Recovered { down_for: 61_001 },
                "Backup is up again after 1m 2s",
            ),
        ] {
            assert_eq!(sentence("Backup", &reason, at), words);
        }
    }

    #[test]
    fn an_output_that_would_make_a_delivery_too_large_loses_its_beginning() {
        let named = || NamedRef {
            id: Uuid::nil(),
            name: "n".to_owned(),
        };
        let output = "\u{1}".repeat(20_000) + "the end";
        let json = fit(Delivery {
            event: Event::Failed,
            check: CheckRef {
                id: Uuid::nil(),
                name: "n".to_owned(),
                slug: "n".to_owned(),
                status: Status::Down,
                ping_url: String::new(),
            },
            project: named(),
            organization: named(),
            alert: Alert {
                id: Uuid::nil(),
                kind: "failed".to_owned(),
                message: String::new(),
                triggered_at: jiff::Timestamp::UNIX_EPOCH,
                output: Some(output),
            },
            timestamp: jiff::Timestamp::UNIX_EPOCH,
        });
        assert!(json.len() <= DELIVERY_MAX, "{}", json.len());
        assert!(json.contains("the end"));
    }
}
