//! API.md as types: what the two programs, and other people's, say to each other.
//!
//! A field that is listed in API.md is never renamed or dropped here, and its type never
//! changes. Unknown fields are ignored on both sides.

pub mod account;
pub mod check;
pub mod history;
pub mod maintenance;
pub mod ping;
pub mod record_id;
pub mod webhook;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use account::{ApiKey, ApiKeyList, CreatedKey, KeyRef, NewApiKey};
pub use check::{Check, CheckChange, NewCheck, ScheduleType, Status};
pub use maintenance::{Maintenance, NewMaintenance};
pub use ping::{Kind, PingList, PingRecord};
pub use record_id::RecordId;

/// The API of Pakyas Cloud, used where nothing else is configured.
pub const DEFAULT_API_URL: &str = "https://api.pakyas.com";

/// The ping origin of Pakyas Cloud, used where nothing else is configured.
pub const DEFAULT_PING_URL: &str = "https://ping.pakyas.com";

/// What every path of the management API begins with.
pub const API_PREFIX: &str = "/api/v1";

/// Names of headers, in the lower case that HTTP libraries give them in.
pub mod header {
    /// Run id: pairs a start with its end.
    pub const RUN: &str = "x-pakyas-run";
    /// The run's measured duration, milliseconds.
    pub const DURATION: &str = "x-pakyas-duration";
    /// Milliseconds between the event and the request that tells of it.
    pub const AGE: &str = "x-pakyas-age";
    /// Unique for each ping; a second delivery of the same key changes nothing.
    pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
    /// The job's processor time, milliseconds.
    pub const CPU_MS: &str = "x-pakyas-cpu-ms";
    /// The job's peak memory, KiB.
    pub const MAX_RSS_KB: &str = "x-pakyas-max-rss-kb";
    /// In an answer: how much of a body is kept, bytes.
    pub const BODY_LIMIT: &str = "ping-body-limit";
    /// The sender's wall clock, to the second (RFC 9110 section 6.6.1).
    pub const DATE: &str = "date";
    /// The organization that a request means, an id.
    pub const ORG: &str = "x-pakyas-org";
    /// In every answer: that a Pakyas server speaks, and its version.
    pub const SERVER: &str = "pakyas-server";
    /// HMAC-SHA256 of a webhook's body, as `sha256=<hex>`.
    pub const SIGNATURE: &str = "x-pakyas-signature";
}

/// How much of a run's output is kept: its last 10 KB, bytes (API.md).
pub const OUTPUT_LIMIT: usize = 10_000;

/// The largest body of a ping that is accepted, bytes; above it 413 (API.md).
pub const PING_BODY_MAX: usize = 1024 * 1024;

/// How old an event may be when it is reported, milliseconds: 7 days (API.md).
pub const MAX_AGE_MS: u64 = 7 * 86_400 * 1000;

/// The largest count, number of seconds and duration in milliseconds on the wire: other programs
/// keep them in 32 bits with a sign (API.md).
pub const NUMBER_MAX: u64 = i32::MAX as u64;

/// The longest run id, characters (API.md).
pub const RUN_ID_MAX: usize = 100;

/// Every refusal of the management API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// One sentence that says what to do.
    pub error: String,
    /// The field whose value is refused, with 422.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// With 403 `ORG_KEY_MISMATCH`: the organization that the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_org_name: Option<String>,
    /// With 403 `ORG_KEY_MISMATCH`: the organization that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_org_id: Option<String>,
}

/// `error` of the 403 for a key of another organization than `X-Pakyas-Org` names.
pub const ORG_KEY_MISMATCH: &str = "ORG_KEY_MISMATCH";

/// `GET /me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The key's organization; the same value as `org_id`.
    pub organization_id: Uuid,
    /// Its name; the same value as `org_name`.
    pub organization_name: String,
    /// The key's organization.
    pub org_id: Uuid,
    /// Its name.
    pub org_name: String,
    /// The address of the person that the key belongs to.
    pub email: String,
    /// `read`, `write`, `manage`.
    pub scopes: Vec<String>,
    /// Where pings go: `{ping_url_base}/{public_id}`.
    pub ping_url_base: String,
    /// What that person is in the organization: `owner`, `admin`, `member` or `read-only`. Not
    /// every server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_role: Option<String>,
    /// The key that asks, where it is one and the server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyRef>,
}

/// An element of `GET /organizations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id.
    pub id: Uuid,
    /// Its name, as people write it.
    pub name: String,
    /// IANA name.
    pub timezone: String,
    /// `owner`, `admin`, `member` or `read-only`.
    pub user_role: String,
}

/// A project, as `GET /projects` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: Uuid,
    /// The organization that it belongs to.
    pub org_id: Uuid,
    /// Its name, as people write it.
    pub name: String,
    /// Its name in a form fit for a command line.
    pub slug: String,
    /// What it is for.
    pub description: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: jiff::Timestamp,
    /// RFC 3339, UTC.
    pub updated_at: jiff::Timestamp,
    /// Set once it is deleted: a deleted project is kept, archived.
    pub archived_at: Option<jiff::Timestamp>,
}

/// `POST /projects`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewProject {
    /// The organization that it shall belong to.
    pub org_id: Uuid,
    /// 1–100 characters.
    pub name: String,
    /// Up to 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `PUT /projects/{id}`: only the fields given change; an empty description clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectChange {
    /// 1–100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Up to 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Whether what follows the host of a URL (`example.com:8080`) is no port. The HTTP client would
/// not mind: it would take the usual port, where somebody else may listen.
pub fn has_a_wrong_port(host: &str) -> bool {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after.split_once(':').is_some_and(|(_, port)| {
        !port.bytes().all(|b| b.is_ascii_digit()) || !port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// How an alert channel reaches people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// A mail to the address in `target`.
    Email,
    /// A Slack incoming webhook.
    Slack,
    /// A JSON `POST` to the URL in `target`.
    Webhook,
}

impl ChannelKind {
    /// The name on the wire and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }
}

/// An alert channel, as `GET /channels` lists it. Its secret is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: Uuid,
    /// The organization whose alerts it gets.
    pub org_id: Uuid,
    /// Where set, only this project's alerts.
    pub project_id: Option<Uuid>,
    /// Where set, only this check's alerts. This field and those after `created_at` are
    /// additions to API.md.
    #[serde(default)]
    pub check_id: Option<Uuid>,
    /// How it reaches people.
    pub kind: ChannelKind,
    /// Its name, as people write it.
    pub name: String,
    /// An address or a URL. The URL of a Slack channel is as good as a password, so its last
    /// part is shown as `…`.
    pub target: String,
    /// Whether deliveries are signed.
    pub has_secret: bool,
    /// RFC 3339, UTC.
    pub created_at: jiff::Timestamp,
    /// Whether it hears of anything.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When its target last took something.
    #[serde(default)]
    pub last_delivery_at: Option<jiff::Timestamp>,
    /// Since when its target has taken nothing.
    #[serde(default)]
    pub failing_since: Option<jiff::Timestamp>,
    /// What its target said last.
    #[serde(default)]
    pub last_answer: Option<String>,
    /// Why it is off where nobody switched it off: what its target answered.
    #[serde(default)]
    pub disabled_reason: Option<String>,
    /// How many deliveries wait for it.
    #[serde(default)]
    pub pending: u64,
}

fn yes() -> bool {
    true
}

/// `POST /channels`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewChannel {
    /// The organization whose alerts it gets.
    pub org_id: Uuid,
    /// Where given, only this project's alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// Where given, only this check's alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_id: Option<Uuid>,
    /// How it reaches people.
    pub kind: ChannelKind,
    /// 1–100 characters.
    pub name: String,
    /// An address or a URL.
    pub target: String,
    /// Signs webhook deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// `PUT /channels/{id}`: only the fields given change. What a channel hears of and its kind
/// stay; another one is made for that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelChange {
    /// 1–100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An address or a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Signs webhook deliveries; an empty one ends that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether it hears of anything. What waits for it is kept meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// `GET /channels/{id}/deliveries`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryList {
    /// Up to `limit` of them.
    pub deliveries: Vec<DeliveryRecord>,
    /// How many there are.
    pub total: u64,
}

/// What became of an alert on its way to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// The alert's id, as in what is delivered.
    pub alert_id: Uuid,
    /// `check.down` and its kin.
    pub event: String,
    /// The check's id.
    pub check_id: Uuid,
    /// Its slug.
    pub check_slug: String,
    /// The alert's sentence.
    pub message: String,
    /// RFC 3339, UTC.
    pub triggered_at: jiff::Timestamp,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What the target said last, or why it said nothing.
    pub last_answer: Option<String>,
    /// When it was tried last.
    pub last_attempt_at: Option<jiff::Timestamp>,
    /// While it is pending: not tried again before.
    pub next_attempt_at: Option<jiff::Timestamp>,
    /// When it was delivered or given up.
    pub finished_at: Option<jiff::Timestamp>,
}

/// `POST /channels/{id}/test`: what the target answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelTest {
    /// Whether it was taken (a webhook: 2xx).
    pub delivered: bool,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The first 1,000 characters of what it said, or why nothing came.
    pub answer: String,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
}
