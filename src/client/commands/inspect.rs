//! `pakyas check inspect`: what a check is now, and the figures of its last day.

use jiff::Timestamp;

use super::Context;
use crate::client::args::CheckInspect;
use crate::client::error::Error;
use crate::client::lookup;
use crate::client::render::{self, Screen, clean, coloured, milliseconds, or_dash, relative};
use crate::schedule::format_duration;
use crate::wire::history::Inspection;

pub fn run(context: &Context, typed: &CheckInspect) -> Result<(), Error> {
    let api = context.api()?;
    let check = lookup::check_or_id(&api, &context.settings.project()?, &typed.check)?;
    let inspection: Inspection = api.get(&format!("/checks/{}/inspect", check.id))?;
    render::one(context.format, &inspection, || {
        card(&inspection, context.screen)
    })
}

/// A line for each thing.
fn card(check: &Inspection, screen: Screen) -> String {
    let now = Timestamp::now();
    let at = |time: Timestamp| format!("{} ({})", screen.when(time), relative(time, now));
    let mut status = check.status.as_str().to_owned();
    if screen.colours {
        status = coloured(&status);
    }
    if let Some(since) = check.status_since {
        status.push_str(&format!(" since {}", at(since)));
    }
    let mut lines = vec![
        ("Name", clean(&check.name)),
        ("Slug", clean(&check.slug)),
        ("Project", clean(&check.project_name)),
        ("Status", status),
    ];
    if let Some(reason) = check.critical_reason.as_ref().filter(|_| check.is_critical) {
        lines.push(("Critical", clean(reason)));
    }
    let schedule = &check.schedule;
    let zone = schedule.timezone.as_deref().unwrap_or("UTC");
    lines.push((
        "Expected",
        match (&schedule.cron_expression, schedule.period_seconds) {
            (Some(cron), _) if !cron.is_empty() => format!("{} ({})", clean(cron), clean(zone)),
            (_, Some(period)) => format!("every {}", format_duration(period)),
            _ => "-".to_owned(),
        },
    ));
    lines.push(("Grace", format_duration(schedule.missing_after_seconds)));
    let signal = check.last_signal.as_ref().map(|signal| {
        let mut text = format!("{} {}", signal.signal_type.as_str(), at(signal.at));
        if let Some(duration) = signal.duration_ms {
            text.push_str(&format!(", took {}", milliseconds(duration)));
        }
        if let Some(sender) = &signal.source_ip {
            text.push_str(&format!(", from {}", clean(sender)));
        }
        text
    });
    lines.push(("Last signal", or_dash(signal)));
    let alerting = &check.alerting;
    lines.push((
        "Alerts",
        match (alerting.enabled, alerting.recipient_count) {
            (false, _) => "off".to_owned(),
            (true, 0) => {
                "nobody would hear of it (pakyas channel create --kind email …)".to_owned()
            }
            (true, 1) => "to 1 channel".to_owned(),
            (true, many) => format!("to {many} channels"),
        },
    ));
    let maintenance = &check.maintenance;
    if maintenance.in_maintenance {
        let mut text = maintenance.reason.as_deref().map(clean).unwrap_or_default();
        if let Some(end) = maintenance.ends_at {
            text = format!("{text} until {}", at(end));
        }
        lines.push(("Maintenance", text.trim().to_owned()));
    }
    let row = |count: u32, most: u32| format!("{count} (alert after {most})");
    let rate = |rate: f64| format!("{:.1} %", rate * 100.0);
    lines.extend([
        (
            "Misses in a row",
            row(
                alerting.consecutive_missed_pings,
                alerting.alert_after_miss_pings,
            ),
        ),
        (
            "Failures in a row",
            row(
                alerting.consecutive_fail_pings,
                alerting.alert_after_fail_pings,
            ),
        ),
        ("Pings in 24 h", check.stats.total_pings_24h.to_string()),
        (
            "Success in 24 h",
            or_dash(check.stats.success_rate_24h.map(rate)),
        ),
        (
            "95 % of runs take",
            or_dash(
                check
                    .stats
                    .p95_duration_ms
                    .map(|ms| format!("up to {}", milliseconds(ms))),
            ),
        ),
        ("Ping URL", clean(&check.ping_url)),
    ]);
    lines
        .iter()
        .map(|(name, value)| format!("{name:<19}{value}\n"))
        .collect()
}
