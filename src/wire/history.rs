//! What became of a check, on the wire: its events, what it is now, and what is wrong with it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Kind, RecordId, ScheduleType, Status};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// A start came.
    RunStarted,
    /// A success or a failure came.
    RunFinished,
    /// The check is not what it was.
    StatusChanged,
    /// Somebody was to be told.
    AlertDecision,
}

impl EventType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "run_started",
            Self::RunFinished => "run_finished",
            Self::StatusChanged => "status_changed",
            Self::AlertDecision => "alert_decision",
        }
    }

    /// Under which of the `types` it is asked for.
    pub fn class(self) -> &'static str {
        match self {
            Self::RunStarted | Self::RunFinished => "signal",
            Self::StatusChanged => "state",
            Self::AlertDecision => "alert",
        }
    }
}

/// The values that `types` takes, any of them separated by commas (API.md).
pub const EVENT_CLASSES: [&str; 3] = ["signal", "state", "alert"];

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct EventRecord {
    pub id: RecordId,
    pub event_type: EventType,
    pub occurred_at: Timestamp,
    pub effective_at: Timestamp,
    pub source: String,
    pub payload: Value,
    pub from_status: Option<Status>,
    pub to_status: Option<Status>,
    pub summary: String,
}

/// `GET /checks/{id}/events`, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    /// The page.
    pub events: Vec<EventRecord>,
    /// What `cursor` takes for the page after this one; none on the last.
    pub next_cursor: Option<String>,
    /// Whether there is one.
    pub has_more: bool,
}

/// `GET /checks/{id}/inspect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct Inspection {
    pub check_id: Uuid,
    pub public_id: Uuid,
    pub name: String,
    pub slug: String,
    pub ping_url: String,
    pub project_name: String,
    pub status: Status,
    pub status_since: Option<Timestamp>,
    pub is_critical: bool,
    pub critical_reason: Option<String>,
    pub schedule: ScheduleFacts,
    pub last_signal: Option<LastSignal>,
    pub alerting: Alerting,
    pub maintenance: MaintenanceState,
    pub stats: Stats,
}

/// When it is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct ScheduleFacts {
    pub kind: ScheduleType,
    pub period_seconds: Option<u64>,
    pub cron_expression: Option<String>,
    pub missing_after_seconds: u64,
    pub timezone: Option<String>,
}

/// The newest ping but logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct LastSignal {
    pub signal_type: Kind,
    pub at: Timestamp,
    pub duration_ms: Option<u64>,
    pub source_ip: Option<String>,
}

/// When somebody is told, and how near that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct Alerting {
    pub enabled: bool,
    pub alert_after_miss_pings: u32,
    pub alert_after_fail_pings: u32,
    pub consecutive_missed_pings: u32,
    pub consecutive_fail_pings: u32,
    pub recipient_count: u32,
}

/// Whether alerts are held because of a maintenance window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct MaintenanceState {
    pub in_maintenance: bool,
    pub reason: Option<String>,
    pub ends_at: Option<Timestamp>,
}

/// Figures about the last day; the durations are those of the last 100 runs that finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct Stats {
    pub success_rate_24h: Option<f64>,
    pub total_pings_24h: u64,
    pub p95_duration_ms: Option<u64>,
}

/// How bad a finding is, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something will go wrong, or be told wrong.
    Warning,
    /// Something is wrong now, or nobody would hear of it.
    Error,
}

impl Severity {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What the findings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No finding is worse than [`Severity::Info`].
    Healthy,
    /// The worst is a [`Severity::Warning`].
    AttentionNeeded,
    /// The worst is a [`Severity::Error`].
    Critical,
}

impl Health {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::AttentionNeeded => "attention_needed",
            Self::Critical => "critical",
        }
    }
}

/// One thing that is wrong, or will be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which: stable, for scripts.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// What, in a few words.
    pub title: String,
    /// What was seen, with the figures, in a sentence or two.
    pub description: String,
    /// The figures once more, for programs; an object.
    pub details: Value,
    /// Commands that mend it or look closer, to be pasted.
    pub suggested_actions: Vec<String>,
}

/// `GET /checks/{id}/doctor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct Diagnosis {
    pub check_id: Uuid,
    pub check_name: String,
    pub analyzed_at: Timestamp,
    pub deep: bool,
    pub status: Health,
    pub summary: String,
    pub findings: Vec<Finding>,
}
