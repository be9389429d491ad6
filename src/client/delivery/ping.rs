//! One ping: what happened, when, and what goes with it.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::moment::Moment;
use crate::random;
use crate::wire::ping::Signal;

/// Something that happened to a job, to be told to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// What it says: success, start, failure, an exit code.
    pub signal: Signal,
    /// Pairs a start with its end; up to 100 printable ASCII characters.
    pub run_id: Option<String>,
    /// The run's measured duration, milliseconds.
    pub duration_ms: Option<u64>,
    /// The job's processor time, milliseconds.
    pub cpu_ms: Option<u64>,
    /// The job's peak memory, KiB.
    pub max_rss_kb: Option<u64>,
    /// The run's output; the server keeps the last 10 KB.
    pub body: Vec<u8>,
    /// When it happened.
    pub at: Moment,
    /// The `Idempotency-Key`: the same in every attempt, so that sending twice is safe.
    pub key: Uuid,
}

impl Ping {
    /// A ping with a key of its own and nothing else.
    pub fn new(signal: Signal, at: Moment) -> Self {
        Self {
            signal,
            run_id: None,
            duration_ms: None,
            cpu_ms: None,
            max_rss_kb: None,
            body: Vec::new(),
            at,
            key: random::uuid().unwrap_or_else(|_| key_from_clock()),
        }
    }

    /// What it says, for a message: `success`, `exit code 3`.
    pub fn shown(&self) -> String {
        match self.signal.exit_code {
            Some(code) => format!("exit code {code}"),
            None => self.signal.kind.as_str().to_owned(),
        }
    }
}

/// A key for a machine that gives no random bytes: it need not be unpredictable, only
/// different from the other keys of this check.
fn key_from_clock() -> Uuid {
    let nanoseconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos() as u64;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&nanoseconds.to_be_bytes());
    bytes[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
