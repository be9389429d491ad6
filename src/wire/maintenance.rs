//! Maintenance windows on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest reason, characters.
pub const REASON_MAX: usize = 500;

/// A maintenance window, as `GET /maintenance` lists it. Alerts are held from its start until
/// its end; without a project and a check they are those of the whole organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Its id.
    pub id: Uuid,
    /// The organization whose alerts it holds.
    pub org_id: Uuid,
    /// Where set, only this project's.
    pub project_id: Option<Uuid>,
    /// Where set, only this check's.
    pub check_id: Option<Uuid>,
    /// What for, as people write it.
    pub reason: String,
    /// RFC 3339, UTC.
    pub starts_at: Timestamp,
    /// RFC 3339, UTC; not part of it.
    pub ends_at: Timestamp,
    /// RFC 3339, UTC.
    pub created_at: Timestamp,
}

/// `POST /maintenance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMaintenance {
    /// The organization whose alerts it shall hold.
    pub org_id: Uuid,
    /// Where given, only this project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// Where given, only this check's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_id: Option<Uuid>,
    /// 1–500 characters.
    pub reason: String,
    /// RFC 3339; as text, so that one that is none is refused by the field's name.
    pub starts_at: String,
    /// RFC 3339, after `starts_at` and at most 366 days later.
    pub ends_at: String,
}
