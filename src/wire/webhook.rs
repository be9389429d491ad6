//! What a webhook channel is sent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Status;

/// The largest delivery, bytes (API.md: 64 KB).
pub const DELIVERY_MAX: usize = 64_000;

/// Why an alert was sent: the `event` of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// The check missed its schedule, or a run started and never finished.
    #[serde(rename = "check.down")]
    Down,
    /// A run failed.
    #[serde(rename = "check.failed")]
    Failed,
    /// A run takes longer than its max runtime.
    #[serde(rename = "check.running_long")]
    RunningLong,
    /// The check recovered.
    #[serde(rename = "check.up")]
    Up,
    /// Not an alert: somebody pressed "test". An addition to API.md's four.
    #[serde(rename = "channel.test")]
    Test,
}

impl Event {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "check.down",
            Self::Failed => "check.failed",
            Self::RunningLong => "check.running_long",
            Self::Up => "check.up",
            Self::Test => "channel.test",
        }
    }
}

/// The whole body of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct Delivery {
    pub event: Event,
    pub check: CheckRef,
    pub project: NamedRef,
    pub organization: NamedRef,
    pub alert: Alert,
    pub timestamp: Timestamp,
}

/// The check that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct CheckRef {
    pub id: Uuid,
    pub name: String,
    pub slug: String,
    pub status: Status,
    pub ping_url: String,
}

/// A project or an organization, by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct NamedRef {
    pub id: Uuid,
    pub name: String,
}

/// The alert itself. `id` is the same in every retry of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "API.md describes each field; saying it twice lets it drift"
)]
pub struct Alert {
    pub id: Uuid,
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
    pub triggered_at: Timestamp,
    /// The failed run's output, as far as it fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}
