//! Keys and signing in, as both sides say them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All that a key can be allowed, in the order in which it is told.
pub const SCOPES: [&str; 3] = ["read", "write", "manage"];

/// The longest life of a key that expires, days.
pub const EXPIRES_MAX_DAYS: i64 = 3650;

/// An API key, as `GET /api-keys` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// Its name, as people write it.
    pub name: String,
    /// What it begins with, to tell it from others.
    pub key_prefix: String,
    /// `read`, `write`, `manage`.
    pub scopes: Vec<String>,
    /// `all`, or another word where it opens some projects only.
    #[serde(default)]
    pub project_access: String,
    /// Those projects.
    #[serde(default)]
    pub allowed_project_ids: Option<Vec<Uuid>>,
    /// RFC 3339, UTC; none where it never expires.
    pub expires_at: Option<Timestamp>,
    /// Right to the minute.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// RFC 3339, UTC.
    pub created_at: Timestamp,
    /// Whether it has expired.
    #[serde(default)]
    pub is_expired: bool,
}

/// `GET /api-keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyList {
    /// The oldest first.
    pub api_keys: Vec<ApiKey>,
    /// How many.
    pub total: usize,
}

/// `POST /api-keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewApiKey {
    /// The organization that it shall open.
    pub org_id: Uuid,
    /// 1–100 characters.
    pub name: String,
    /// At least one of `read`, `write`, `manage`.
    pub scopes: Vec<String>,
    /// 1 to [`EXPIRES_MAX_DAYS`]; without it the key never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<i64>,
}

/// What `POST /api-keys` answers: the key itself, this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
    /// The key, under its other name.
    pub full_key: String,
    /// What it begins with.
    pub key_prefix: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The key that asks, in `GET /me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it begins with.
    pub key_prefix: String,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

/// `POST /auth/login`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The person's address.
    pub email: String,
    /// The person's password.
    pub password: String,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedInUser {
    /// Their id.
    pub id: Uuid,
    /// Their address.
    pub email: String,
    /// How they want to be called.
    pub name: Option<String>,
    /// Whether the address was tried. Here whoever runs the server vouches for it.
    pub email_verified: bool,
}

/// What `POST /auth/login` answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// Who signed in.
    pub user: SignedInUser,
    /// Good as `Authorization: Bearer`.
    pub access_token: String,
    /// Gets the next two tokens from `POST /auth/refresh`, once.
    pub refresh_token: String,
    /// How long the access token is good, seconds.
    pub expires_in: u64,
}

/// `POST /auth/refresh`, and what it takes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The token that was given last.
    pub refresh_token: String,
}

/// What `POST /auth/refresh` answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// Good as `Authorization: Bearer`.
    pub access_token: String,
    /// Gets the next two, once.
    pub refresh_token: String,
    /// How long the access token is good, seconds.
    pub expires_in: u64,
}

/// `POST /cli/auth/init`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceLogin {
    /// What the machine is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Which version asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cli_version: Option<String>,
    /// The organization that the key shall open, if the person agrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_org_id: Option<Uuid>,
}

/// What `POST /cli/auth/init` answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLoginBegun {
    /// The secret to poll with.
    pub session_token: String,
    /// The page for the person.
    pub auth_url: String,
    /// How long all of this is good, seconds.
    pub expires_in: u64,
    /// What both the page and the terminal show. Not every server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_code: Option<String>,
}

/// What `GET /cli/auth/poll` answers.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLoginState {
    /// `pending`, `denied` (to the official client: `cancelled`), `expired` or `completed`.
    pub status: String,
    /// With `completed`: the key, this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// With `completed`: what the key opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_org: Option<OrgRef>,
    /// With `completed`: who approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_email: Option<String>,
    /// With `completed`: who approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
}

/// An organization by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgRef {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}
