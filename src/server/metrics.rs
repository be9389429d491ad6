//! What `/metrics` tells: how the server is doing, in numbers. No names and no ids, since anyone
//! who reaches the server may read it, as `/healthz`.

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ureq_proto::http::StatusCode;

use super::histogram::{Histogram, SECONDS};
use super::http::{Counts, Record};
use super::store::Meters;
use crate::VERSION;
use crate::wire::{self, Kind, Status};

/// What a ping came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingResult {
    /// It is on disk.
    Taken,
    /// No check has this id.
    Unknown,
    /// It is malformed.
    Refused,
    /// It could not be written.
    Unavailable,
}

const KINDS: [Kind; 4] = [Kind::Success, Kind::Start, Kind::Fail, Kind::Log];
const RESULTS: [(PingResult, &str); 4] = [
    (PingResult::Taken, "taken"),
    (PingResult::Unknown, "unknown"),
    (PingResult::Refused, "refused"),
    (PingResult::Unavailable, "unavailable"),
];
const ROUTES: [&str; 3] = ["ping", "api", "other"];

/// Everything that is counted.
pub struct Metrics {
    pings: [[AtomicU64; RESULTS.len()]; KINDS.len()],
    /// By route and the first digit of the status.
    answers: [[AtomicU64; 6]; ROUTES.len()],
    latencies: [Histogram; ROUTES.len()],
    /// Requests that were refused because of their number.
    pub limited: AtomicU64,
    /// Lines that the access log had no room for.
    pub log_dropped: Arc<AtomicU64>,
    connections: Arc<Counts>,
    started: i64,
}

impl Metrics {
    /// Nothing counted yet; `started` is now, milliseconds since the Unix epoch.
    pub fn new(connections: Arc<Counts>, started: i64) -> Self {
        Self {
            pings: Default::default(),
            answers: Default::default(),
            latencies: std::array::from_fn(|_| Histogram::new(SECONDS)),
            limited: AtomicU64::new(0),
            log_dropped: Arc::default(),
            connections,
            started,
        }
    }

    /// Counts a ping.
    pub fn ping(&self, kind: Kind, status: StatusCode) {
        let result = match status.as_u16() {
            200 => PingResult::Taken,
            404 => PingResult::Unknown,
            500.. => PingResult::Unavailable,
            _ => PingResult::Refused,
        };
        let kind = KINDS.iter().position(|known| *known == kind).unwrap_or(0);
        let result = RESULTS.iter().position(|(known, _)| *known == result);
        self.pings[kind][result.unwrap_or(0)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answered request.
    pub fn answered(&self, record: &Record) {
        let first = record.path.split('/').nth(1).unwrap_or_default();
        let route = match first {
            _ if record.path.starts_with(wire::API_PREFIX) => 1,
            "ping" => 0,
            id if id.len() >= 32 => 0,
            _ => 2,
        };
        let class = usize::from(record.status.as_u16() / 100).min(5);
        self.answers[route][class].fetch_add(1, Ordering::Relaxed);
        self.latencies[route].count(record.took.as_secs_f64());
    }

    /// All of it in Prometheus' text form. `outbox` is how many deliveries are pending, where
    /// the store said so.
    pub fn render(&self, store: &Meters, outbox: Option<i64>) -> String {
        let mut page = Page(String::with_capacity(16 * 1024));
        page.family("pakyas_build_info", "gauge", "The version that runs.");
        page.value("pakyas_build_info", &format!("version=\"{VERSION}\""), 1);
        page.family(
            "process_start_time_seconds",
            "gauge",
            "When the server was started, Unix time.",
        );
        page.value("process_start_time_seconds", "", self.started as f64 / 1e3);
        page.family("pakyas_pings_total", "counter", "Pings by kind and result.");
        for (kind, counts) in KINDS.iter().zip(&self.pings) {
            for ((_, result), count) in RESULTS.iter().zip(counts) {
                let labels = format!("kind=\"{}\",result=\"{result}\"", kind.as_str());
                page.value("pakyas_pings_total", &labels, count.load(Ordering::Relaxed));
            }
        }
        page.family(
            "pakyas_http_answers_total",
            "counter",
            "Answered requests by route and class of status.",
        );
        for (route, counts) in ROUTES.iter().zip(&self.answers) {
            for (class, count) in counts.iter().enumerate().skip(2) {
                let labels = format!("route=\"{route}\",status=\"{class}xx\"");
                let count = count.load(Ordering::Relaxed);
                page.value("pakyas_http_answers_total", &labels, count);
            }
        }
        page.family(
            "pakyas_http_request_seconds",
            "histogram",
            "From a request's first byte to the end of its answer.",
        );
        for (route, histogram) in ROUTES.iter().zip(&self.latencies) {
            let labels = format!("route=\"{route}\"");
            histogram.write("pakyas_http_request_seconds", &labels, &mut page.0);
        }
        self.render_connections(&mut page);
        page.family("pakyas_checks", "gauge", "Checks by status.");
        for (status, count) in store.checks() {
            page.value(
                "pakyas_checks",
                &format!("status=\"{}\"", Status::as_str(status)),
                count,
            );
        }
        if let Some(pending) = outbox {
            page.family(
                "pakyas_outbox_pending",
                "gauge",
                "Deliveries of alerts that are still to be made.",
            );
            page.value("pakyas_outbox_pending", "", pending);
        }
        for (name, help, histogram) in [
            (
                "pakyas_store_commit_seconds",
                "From the begin of a write transaction until it is on disk.",
                &store.commits,
            ),
            (
                "pakyas_store_batch_jobs",
                "Writes that shared a transaction.",
                &store.batches,
            ),
            (
                "pakyas_scheduler_lag_seconds",
                "From a check's deadline until what follows from it is on disk.",
                &store.lag,
            ),
        ] {
            page.family(name, "histogram", help);
            histogram.write(name, "", &mut page.0);
        }
        page.0
    }

    fn render_connections(&self, page: &mut Page) {
        let counts = &*self.connections;
        let (open, parked) = (
            counts.open.load(Ordering::Relaxed),
            counts.parked.load(Ordering::Relaxed),
        );
        page.family(
            "pakyas_connections",
            "gauge",
            "Open connections; idle ones among them.",
        );
        page.value("pakyas_connections", "state=\"open\"", open);
        page.value("pakyas_connections", "state=\"idle\"", parked);
        for (name, help, count) in [
            (
                "pakyas_connections_accepted_total",
                "Connections that were accepted.",
                &counts.accepted,
            ),
            (
                "pakyas_connections_evicted_total",
                "Idle connections that were closed to make room.",
                &counts.evicted,
            ),
            (
                "pakyas_rate_limited_total",
                "Requests that were refused because of their number.",
                &self.limited,
            ),
            (
                "pakyas_access_log_dropped_total",
                "Lines that the access log had no room for.",
                &*self.log_dropped,
            ),
        ] {
            page.family(name, "counter", help);
            page.value(name, "", count.load(Ordering::Relaxed));
        }
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = if labels.is_empty() {
            writeln!(self.0, "{name} {value}")
        } else {
            writeln!(self.0, "{name}{{{labels}}} {value}")
        };
    }
}
